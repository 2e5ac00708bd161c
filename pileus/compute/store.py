"""Compute's tables: one Struct each."""

from typing import Any

import msgspec

from pileus.core.tables import Key, NumberKey, table


@table("keypairs", unique=[("user_id", "name")])
class KeyPair(msgspec.Struct):
    id: Key
    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str
    created_at: str


@table("flavors", unique=[("name",)])
class Flavor(msgspec.Struct):
    """Sizes: memory and swap in MiB, disks in GiB. A private one is used by the projects of FlavorAccess alone."""

    id: Key
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = {}
    created_at: str = ""


@table("flavor_access", references={"flavor_id": "flavors.id"}, cascade=["flavor_id"])
class FlavorAccess(msgspec.Struct):
    flavor_id: Key
    project_id: Key


class FlavorSnapshot(msgspec.Struct):
    """What a server was made with: a flavor that is changed or deleted later does not change its servers."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    extra_specs: dict[str, str]


def disk_gb(flavor: FlavorSnapshot) -> int:
    """What a server of this size takes of its host's disk."""
    return flavor.disk + flavor.ephemeral + (flavor.swap + 1023) // 1024


class ServerFault(msgspec.Struct):
    """Why a server is in ERROR; `details` is for administrators."""

    code: int
    message: str
    details: str
    created: str


class ImageSnapshot(msgspec.Struct):
    """What of the image a server's life depends on, as it was at creation."""

    id: str
    properties: dict[str, Any] = {}


@table("servers", index=[("project_id", "created_at"), ("host",), ("reservation_id",), ("vm_state",)])
class Server(msgspec.Struct):
    """A server's stable state is vm_state; what is being done to it is task_state (see states.py)."""

    id: Key
    project_id: str
    user_id: str
    name: str
    hostname: str
    vm_state: str
    flavor: FlavorSnapshot
    flavor_id: str
    vcpus: int
    ram: int
    created_at: str
    updated_at: str
    task_state: str | None = None
    power_state: int = 0
    description: str | None = None
    host: str | None = None
    availability_zone: str = ""
    pinned_availability_zone: str | None = None
    image: ImageSnapshot | None = None
    image_id: str = ""  # again, for filters
    base_image_id: str = ""  # what its root disk was made from, where it is another image: it was shelved meanwhile
    shelved_image_id: str = ""  # what is left of it while it is on no host
    rescue_image_id: str = ""  # what it boots from while it is rescued
    key_name: str | None = None
    public_key: str | None = None  # as it was at creation: the pair may be deleted or replaced later
    key_type: str | None = None
    user_data: str | None = None
    files: dict[str, str] = {}  # what its guest is given as files: by path, base64
    metadata: dict[str, str] = {}
    config_drive: bool = False
    admin_pass: str | None = None  # only until the guest has it
    password: str = ""  # what the guest told, encrypted by itself for its user's key
    scheduler_hints: dict[str, Any] = {}
    security_groups: list[str] = []  # names asked for; what holds are the ports' groups
    tags: list[str] = []
    locked: bool = False
    locked_by: str | None = None
    locked_reason: str | None = None
    reservation_id: str = ""
    launch_index: int = 0
    disk_config: str = "MANUAL"
    access_ip_v4: str = ""
    access_ip_v6: str = ""
    root_device_name: str | None = "/dev/vda"
    local_disks: dict[str, Any] = {}  # ephemerals and swap, where it was created with others than its flavor's
    fault: ServerFault | None = None
    launched_at: str | None = None
    terminated_at: str | None = None

    @property
    def root_image_id(self) -> str:
        """What its root disk stands on."""
        return self.base_image_id or self.image_id


@table("server_tags", index=[("tag",)], references={"server_id": "servers.id"}, cascade=["server_id"])
class ServerTag(msgspec.Struct):
    """A tag of a server, for filters; the row itself lists them too, in order."""

    server_id: Key
    tag: Key


@table("claims", index=[("host",)], references={"server_id": "servers.id"}, cascade=["server_id"])
class Claim(msgspec.Struct):
    """What a server takes of its host."""

    server_id: Key
    host: str
    vcpus: int
    memory_mb: int
    disk_gb: int


@table("migrations", index=[("server_id", "created_at"), ("status",)], unique=[("uuid",)])
class Migration(msgspec.Struct):
    """A server's move to another host or size. Kept beyond the server's end, for a while.

    While it is open, `claim` is what it takes of `claim_host` besides the server's own claim: its new place until it is
    there, its old one from then on.
    """

    id: NumberKey
    uuid: str
    server_id: str
    project_id: str
    user_id: str
    kind: str  # resize or migration
    status: str
    source: str
    old_flavor: FlavorSnapshot
    new_flavor: FlavorSnapshot
    old_vm_state: str
    old_disk_config: str = "MANUAL"
    dest: str = ""
    open: bool = True
    claim_host: str = ""
    claim_vcpus: int = 0
    claim_memory_mb: int = 0
    claim_disk_gb: int = 0
    created_at: str = ""
    updated_at: str = ""


@table(
    "console_tokens", index=[("server_id",), ("expires_at",)], references={"server_id": "servers.id"},
    cascade=["server_id"],
)  # fmt: skip
class ConsoleToken(msgspec.Struct):
    id: Key  # the hash of the secret
    server_id: str
    type: str
    expires_at: str


@table("server_groups", index=[("project_id",)])
class ServerGroup(msgspec.Struct):
    """Servers that are to be on one host, or on different ones."""

    id: Key
    project_id: str
    user_id: str
    name: str
    policy: str
    rules: dict[str, Any] = {}
    created_at: str = ""


@table(
    "server_group_members",
    index=[("group_id",)],
    references={"group_id": "server_groups.id", "server_id": "servers.id"},
    cascade=["group_id", "server_id"],
)
class ServerGroupMember(msgspec.Struct):
    server_id: Key
    group_id: str


@table(
    "server_ports",
    index=[("server_id", "position"), ("port_id",)],
    references={"server_id": "servers.id"},
    cascade=["server_id"],
)
class ServerPort(msgspec.Struct):
    """An interface of a server: its port was given by the user, or is made for it (`owned`) and ends with it."""

    id: Key
    network_id: str
    server_id: str = ""
    position: int = 0
    port_id: str | None = None  # none: still to be made
    owned: bool = True
    fixed_ip: str | None = None
    security_groups: list[str] = []
    tag: str | None = None


@table(
    "server_volumes",
    index=[("server_id", "position"), ("volume_id",)],
    references={"server_id": "servers.id"},
    cascade=["server_id"],
)
class ServerVolume(msgspec.Struct):
    """A volume of a server. Until it has an attachment the volume is still being made."""

    id: Key
    server_id: str
    volume_id: str
    device: str  # vdb
    position: int = 0
    attachment_id: str = ""
    boot: bool = False  # the server starts from it
    delete_on_termination: bool = False
    tag: str | None = None
    bus: str = ""
    read_only: bool = False
    shared: bool = False
    attached: bool = False  # its guest has it, or will have it when it starts
    kind: str = "file"  # how it is reached from the server's host
    address: str = ""
    port: int = 0
    limits: dict[str, int] = {}  # of what its guest reads and writes in a second


@table("hosts", unique=[("name",), ("number",)])
class Host(msgspec.Struct):
    """A host and its compute service. `number` is the id that clients below 2.53 know."""

    id: Key
    number: int
    name: str
    zone: str = "nova"
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False
    seen_at: str | None = None  # when it last reported
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    inventory: dict[str, Any] = {}
    created_at: str = ""


@table("aggregates", unique=[("name",)])
class Aggregate(msgspec.Struct):
    """A group of hosts with something in common: their zone, or what their metadata says."""

    id: NumberKey
    uuid: str
    name: str
    availability_zone: str | None
    metadata: dict[str, str]
    created_at: str
    updated_at: str | None = None


@table("aggregate_hosts", references={"aggregate_id": "aggregates.id"}, cascade=["aggregate_id"])
class AggregateHost(msgspec.Struct):
    aggregate_id: NumberKey
    host: Key


@table("server_actions", index=[("server_id", "started_at"), ("updated_at",)], unique=[("server_id", "request_id")])
class ServerAction(msgspec.Struct):
    """What somebody asked of a server. Kept beyond the server's end, for a while."""

    id: Key
    server_id: str
    project_id: str
    user_id: str
    action: str
    request_id: str
    message: str | None
    started_at: str
    updated_at: str


@table(
    "server_action_events",
    index=[("action_id",)],
    references={"action_id": "server_actions.id"},
    cascade=["action_id"],
)
class ServerActionEvent(msgspec.Struct):
    id: Key
    action_id: str
    event: str
    started_at: str
    finished_at: str | None = None
    result: str | None = None
    traceback: str | None = None
    host: str | None = None
    details: str | None = None
