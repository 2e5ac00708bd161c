"""What travels between controller and node: a Struct each. A server is described once, in an `InstanceSpec`."""

from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from pileus.node.protocol.volumes import AttachedVolume

PowerState = Literal["nostate", "running", "paused", "shutdown", "crashed", "suspended"]
DesiredPower = Literal["running", "shutdown", "suspended"]


class Nothing(Struct, frozen=True):
    """No arguments, or no result."""


NOTHING = Nothing()


# --- what a node is --------------------------------------------------------------------------------------------------


class Hello(Struct, frozen=True, kw_only=True):
    version: int
    name: str
    accel: str  # "kvm" or "tcg"
    epoch: str  # changes when the node process restarts; event numbers count within one epoch


class Inventory(Struct, frozen=True, kw_only=True):
    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    memory_mb_used: int = 0  # what the host really uses, not what was claimed: claims are the controller's rows
    disk_gb_used: int = 0
    running_vms: int = 0
    hypervisor_type: str = "QEMU"
    hypervisor_version: int = 0  # as libvirt counts: 7.2.0 is 7002000
    hypervisor_hostname: str = ""
    host_ip: str = ""
    cpu_info: dict[str, Any] = {}
    load: list[float] = []
    uptime_seconds: int = 0


# --- images and disks ------------------------------------------------------------------------------------------------


class ImageRef(Struct, frozen=True):
    image_id: str


class PutImage(Struct, frozen=True, kw_only=True):
    image_id: str
    size: int
    sha512: str  # or the hash of another `algorithm`
    format: str  # "raw" or "qcow2"; "iso" is raw; "vmdk", "vdi", "vhd" and "vhdx" are converted once
    algorithm: str = "sha512"
    signature: tuple[str, str, str, bytes] | None = None  # see core.signatures.Signed


class Image(Struct, frozen=True, kw_only=True):
    """A base image as the node holds it."""

    image_id: str
    format: str
    size: int
    virtual_size: int
    sha512: str = ""


class ImageReply(Struct, frozen=True):
    image: Image | None  # None: this node does not have it


class ImageList(Struct, frozen=True):
    images: list[Image]


class RootDisk(Struct, frozen=True, kw_only=True):
    image_id: str
    size_gb: int  # 0: as large as the image


class EphemeralDisk(Struct, frozen=True, kw_only=True):
    size_gb: int
    format: Literal["ext4", "vfat"] = "ext4"


class DiskSpec(Struct, frozen=True, kw_only=True):
    root: RootDisk | None = None
    rescue: RootDisk | None = None  # the guest boots from it, and finds its own root disk beside it
    ephemerals: list[EphemeralDisk] = []
    swap_mb: int = 0
    config_drive: bool = False


class Disk(Struct, frozen=True, kw_only=True):
    role: str  # rescue, root, ephemeral0, swap, config
    device: str  # vda ...
    path: str
    format: str
    size: int  # bytes the guest sees
    base: str = ""  # of an overlay: the file below it
    base_format: str = ""


class DiskList(Struct, frozen=True):
    disks: list[Disk]


class SnapshotArgs(Struct, frozen=True, kw_only=True):
    """A copy of a server's root disk, in one piece with what it stands on."""

    server_id: str
    snapshot_id: str


class Stored(Struct, frozen=True, kw_only=True):
    """A file that `read_file` can send."""

    name: str
    size: int
    format: str = "raw"


class StoredList(Struct, frozen=True):
    files: list[Stored]


class FileRef(Struct, frozen=True, kw_only=True):
    """A snapshot, a base image, a volume or its snapshot by its id, or a disk put aside by its server and file name."""

    kind: Literal["snapshot", "base", "aside", "volume", "volume_snapshot"]
    id: str  # of the snapshot, the image, the volume, or the server
    name: str = ""


class CopyAside(Struct, frozen=True, kw_only=True):
    """Disks that were put aside, by their files' names."""

    server_id: str
    names: list[str]


class PutDisk(Struct, frozen=True, kw_only=True):
    """A disk that comes from another host, as its file was there."""

    server_id: str
    name: str
    size: int
    image_id: str = ""  # what it stands on


# --- a server --------------------------------------------------------------------------------------------------------


class Route(Struct, frozen=True):
    destination: str
    nexthop: str


class FixedIP(Struct, frozen=True, kw_only=True):
    address: str
    prefix: int
    subnet_id: str = ""
    gateway: str | None = None
    dns: list[str] = []
    routes: list[Route] = []
    dhcp: bool = True
    ipv6_address_mode: str | None = None  # slaac, dhcpv6-stateful, dhcpv6-stateless


class Nic(Struct, frozen=True, kw_only=True):
    port_id: str
    mac: str
    network_id: str
    mtu: int = 1442
    fixed_ips: list[FixedIP] = []  # also how the metadata service knows who asks
    model: str = "virtio"
    tag: str | None = None

    @property
    def tap(self) -> str:
        """The port's id cut to what fits an interface name, as everywhere in OpenStack."""
        return "tap" + self.port_id[:11]


class PublicKey(Struct, frozen=True, kw_only=True):
    name: str
    data: str
    type: str = "ssh"


class Documents(Struct, frozen=True, kw_only=True):
    """What a guest may learn of itself besides its interfaces: source of the config drive and of 169.254.169.254."""

    hostname: str
    availability_zone: str = "nova"
    launch_index: int = 0
    reservation_id: str = ""
    keys: list[PublicKey] = []
    meta: dict[str, str] = {}
    user_data: bytes | None = None  # decoded
    files: dict[str, bytes] = {}  # by the path where the guest shall have them
    vendor_data: dict[str, Any] = {}
    security_groups: list[str] = []
    instance_type: str = ""  # the flavor's name
    image_id: str = ""
    public_ipv4: str = ""
    admin_pass: str | None = None
    random_seed: bytes | None = None


class InstanceSpec(Struct, frozen=True, kw_only=True):
    """Everything a node needs to know of one server."""

    server_id: str
    name: str
    project_id: str
    vcpus: int
    memory_mb: int
    disks: DiskSpec = field(default_factory=DiskSpec)
    nics: list[Nic] = []
    documents: Documents = field(default_factory=lambda: Documents(hostname="host"))
    user_id: str = ""
    flavor: str = ""
    disk_bus: str = "virtio"
    volumes: list[AttachedVolume] = []
    power: DesiredPower = "running"


class ServerRef(Struct, frozen=True):
    server_id: str


class InstanceState(Struct, frozen=True, kw_only=True):
    """What is there of one server: any part may be missing after a crash."""

    server_id: str
    power_state: PowerState = "nostate"
    domain: bool = False  # libvirt knows it
    spec: bool = False  # the node was told to keep it
    desired: DesiredPower = "running"
    disks: list[str] = []  # file names in its folder
    taps: list[str] = []
    network_ids: list[str] = []
    image_id: str = ""
    waiting: bool = False  # a soft stop or reboot is going on
    aside: bool = False  # disks put aside, while the server is tried elsewhere or in another size
    volumes: list[str] = []  # ids of those it was told to have


class PowerArgs(Struct, frozen=True, kw_only=True):
    server_id: str
    action: Literal["start", "stop", "reboot", "pause", "unpause", "suspend", "resume"]
    hard: bool = False  # soft stop and reboot press the ACPI button, and pull the plug after `timeout` seconds
    timeout: int = 60


class EnsureNics(Struct, frozen=True, kw_only=True):
    """All interfaces a server should have from now on; its guest may be running."""

    server_id: str
    nics: list[Nic]


class Counters(Struct, frozen=True, kw_only=True):
    """What a device has done: an interface (by its MAC) or a disk (by its device)."""

    name: str
    read_bytes: int = 0  # received, of an interface
    read_ops: int = 0
    write_bytes: int = 0
    write_ops: int = 0
    errors: int = 0
    drops: int = 0


class Diagnostics(Struct, frozen=True, kw_only=True):
    """What a guest uses, as its hypervisor counts it."""

    power_state: PowerState
    hypervisor: str = ""
    uptime_seconds: int = 0
    cpu_ns: list[int] = []  # of each virtual processor
    memory_mb: int = 0
    memory_used_mb: int = 0
    disks: list[Counters] = []
    nics: list[Counters] = []


class ConsoleLogArgs(Struct, frozen=True, kw_only=True):
    server_id: str
    lines: int | None = None  # None: all that is kept (bounded)


class ConsoleLog(Struct, frozen=True):
    output: str


class ConsoleArgs(Struct, frozen=True, kw_only=True):
    """A guest's screen (RFB) or its serial line, both ways."""

    server_id: str
    kind: Literal["vnc", "serial"]


Way = Literal["libvirt", "memory", "disks"]


class MigrateArgs(Struct, frozen=True, kw_only=True):
    server_id: str
    volumes: list[AttachedVolume] = []  # as the other host reaches them


class StreamArgs(Struct, frozen=True, kw_only=True):
    """One of the streams of a live migration."""

    server_id: str
    way: Way


class Migration(Struct, frozen=True, kw_only=True):
    """How far a live migration is, as the host says that the guest leaves."""

    state: Literal["none", "running", "done", "failed"]
    message: str = ""
    memory_total: int = 0
    memory_processed: int = 0
    memory_remaining: int = 0
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0


class MetadataArgs(Struct, frozen=True, kw_only=True):
    """A network's metadata listener: the localport exists in OVN already, the node gives it a foot on this host."""

    network_id: str
    port_id: str
    mac: str
    cidrs: list[str]  # the localport's addresses with prefix: 10.0.0.2/24
    mtu: int = 1442


class NetworkRef(Struct, frozen=True):
    network_id: str


class SetMetadata(Struct, frozen=True, kw_only=True):
    server_id: str
    documents: Documents
    nics: list[Nic] | None = None  # None: unchanged
    name: str | None = None


def newer(spec: InstanceSpec, args: SetMetadata) -> InstanceSpec:
    """The spec with what set_metadata brought."""
    nics, name = (spec.nics if args.nics is None else args.nics), (spec.name if args.name is None else args.name)
    return replace(spec, documents=args.documents, nics=nics, name=name)


# --- reports ---------------------------------------------------------------------------------------------------------


class Report(Struct, frozen=True, kw_only=True):
    """Everything the node holds, for reconcile and fsck."""

    instances: list[InstanceState] = []
    images: list[Image] = []
    networks: list[str] = []  # with a metadata listener
    stray_taps: list[str] = []  # on br-int, of no running domain
    snapshots: list[str] = []


class Event(Struct, frozen=True, kw_only=True):
    seq: int
    kind: Literal["power", "heartbeat", "password", "job"]
    time: float
    server_id: str = ""
    power_state: PowerState = "nostate"
    cause: str = ""  # why the state changed: "guest", "api", "crash", "host"
    inventory: Inventory | None = None  # heartbeat
    detail: str = ""  # password: what the guest posted; job: what failed


class EventsArgs(Struct, frozen=True, kw_only=True):
    epoch: str = ""
    after: int = 0
    wait: float = 20.0


class EventsReply(Struct, frozen=True, kw_only=True):
    epoch: str
    last: int
    events: list[Event]
    lost: bool = False  # older events fell out, or the node restarted: ask list_instances, too
