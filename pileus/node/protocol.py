"""The node protocol: every call as data, what travels in it, and the contract `Node` which the real and the fake obey.

A call is a name, one Struct in, one Struct out, a deadline and a meaning. All may be repeated; removing what is gone is
success. A server is described once, in an `InstanceSpec`, which `ensure_disks` and `ensure_instance` are both handed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

VERSION = 2

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
    """A snapshot by its id, a base image by its id, or a disk of a server that was put aside, by its file's name."""

    kind: Literal["snapshot", "base", "aside"]
    id: str  # of the snapshot, the image, or the server
    name: str = ""


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


# --- the calls -------------------------------------------------------------------------------------------------------

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class Call(Generic[A, R]):
    name: str
    args: type[A]
    result: type[R]
    deadline: float  # seconds until the controller gives up waiting; the node may still finish: calls are idempotent
    meaning: str


HELLO = Call("hello", Nothing, Hello, 5, "who is there and which version it speaks")
INVENTORY = Call("inventory", Nothing, Inventory, 10, "what the host has and uses")
HAS_IMAGE = Call("has_image", ImageRef, ImageReply, 10, "whether a base image is cached")
PUT_IMAGE = Call("put_image", PutImage, Image, 3600, "stream a base image in; verified and inspected before it counts")
REMOVE_IMAGE = Call("remove_image", ImageRef, Nothing, 10, "drop a base image; in_use while a root disk stands on it")
LIST_IMAGES = Call("list_images", Nothing, ImageList, 10, "the cached base images")
ENSURE_DISKS = Call("ensure_disks", InstanceSpec, DiskList, 120, "make the disks which are missing, keep the rest")
REMOVE_DISKS = Call("remove_disks", ServerRef, Nothing, 60, "delete the server's folder")
ENSURE_INSTANCE = Call("ensure_instance", InstanceSpec, InstanceState, 60, "define, and start if it should run")
REMOVE_INSTANCE = Call("remove_instance", ServerRef, Nothing, 60, "destroy and undefine; disks stay")
POWER = Call("power", PowerArgs, Nothing, 120, "start, stop, reboot, pause, suspend; soft ones go on after the answer")
ENSURE_NICS = Call("ensure_nics", EnsureNics, Nothing, 60, "plug in what is missing, unplug what is too many")
DIAGNOSTICS = Call("diagnostics", ServerRef, Diagnostics, 10, "what the guest uses")
MAKE_SNAPSHOT = Call("make_snapshot", SnapshotArgs, Stored, 3600, "copy the root disk into one qcow2 file")
REMOVE_SNAPSHOT = Call("remove_snapshot", SnapshotArgs, Nothing, 30, "delete that file")
PUT_ASIDE = Call("put_aside", ServerRef, StoredList, 30, "take a stopped server's disks out of the way, and keep them")
TAKE_BACK = Call("take_back", ServerRef, Nothing, 30, "the disks put aside are the server's again, others go")
DROP_ASIDE = Call("drop_aside", ServerRef, Nothing, 30, "delete the disks put aside")
READ_FILE = Call("read_file", FileRef, Nothing, 3600, "stream a file out")
PUT_DISK = Call("put_disk", PutDisk, Nothing, 3600, "stream a disk in that was made on another host")
CONSOLE_LOG = Call("console_log", ConsoleLogArgs, ConsoleLog, 10, "the end of the serial console's log")
ENSURE_METADATA = Call("ensure_metadata", MetadataArgs, Nothing, 30, "answer on 169.254.169.254 in a network")
REMOVE_METADATA = Call("remove_metadata", NetworkRef, Nothing, 30, "stop answering in a network")
SET_METADATA = Call("set_metadata", SetMetadata, Nothing, 10, "newer documents of a server which is here")
LIST_INSTANCES = Call("list_instances", Nothing, Report, 30, "everything the node holds")
EVENTS = Call("events", EventsArgs, EventsReply, 45, "what happened after a number; waits for the first")

CALLS: dict[str, Call[Any, Any]] = {
    call.name: call
    for call in (
        HELLO, INVENTORY, HAS_IMAGE, PUT_IMAGE, REMOVE_IMAGE, LIST_IMAGES, ENSURE_DISKS, REMOVE_DISKS, ENSURE_INSTANCE,
        REMOVE_INSTANCE, POWER, ENSURE_NICS, DIAGNOSTICS, MAKE_SNAPSHOT, REMOVE_SNAPSHOT, PUT_ASIDE, TAKE_BACK,
        DROP_ASIDE, READ_FILE, PUT_DISK, CONSOLE_LOG, ENSURE_METADATA, REMOVE_METADATA, SET_METADATA, LIST_INSTANCES,
        EVENTS,
    )
}  # fmt: skip


class CopyingNode(Protocol):
    """The part of a node's work that is about copies of disks."""

    def make_snapshot(self, args: SnapshotArgs) -> Stored:
        """createImage, createBackup and shelve; the guest stands still while its disk is copied. Again: the same copy."""

    def remove_snapshot(self, args: SnapshotArgs) -> Nothing:
        """Undo of make_snapshot, and once it is an image."""

    def put_aside(self, args: ServerRef) -> StoredList:
        """Before a server is made again elsewhere or in another size. NodeError in_use while the domain exists."""

    def take_back(self, args: ServerRef) -> Nothing:
        """Undo of put_aside, and when a resize is reverted. Nothing put aside: nothing to do."""

    def drop_aside(self, args: ServerRef) -> Nothing:
        """When a resize is confirmed."""

    def read_file(self, args: FileRef) -> Iterator[bytes]:
        """Of a snapshot into an image, of a disk to another host. NodeError not_found."""

    def put_disk(self, args: PutDisk, body: Iterable[bytes]) -> Nothing:
        """On the other host, before ensure_disks, which adds what is missing and lets disks grow."""


class Node(CopyingNode, Protocol):
    """What a node does. Any call may raise NodeUnavailable (retry later) or NodeError (engine or arguments said no)."""

    def hello(self, args: Nothing = NOTHING) -> Hello:
        """When a node is registered, and after it was unreachable: refuse another version, notice a new epoch."""

    def inventory(self, args: Nothing = NOTHING) -> Inventory:
        """When a node is registered; afterwards the heartbeat brings the same."""

    def has_image(self, args: ImageRef) -> ImageReply:
        """Before a server's disks are made, to know whether the image must be sent."""

    def put_image(self, args: PutImage, body: Iterable[bytes]) -> Image:
        """When has_image said no. Two callers at once are fine: the second finds it done."""

    def remove_image(self, args: ImageRef) -> Nothing:
        """After an image was deleted, and by the cache's reconcile task. NodeError in_use while disks stand on it."""

    def list_images(self, args: Nothing = NOTHING) -> ImageList:
        """By the cache's reconcile task."""

    def ensure_disks(self, args: InstanceSpec) -> DiskList:
        """In server create after the image is there. NodeError not_found if it is not; invalid if too large."""

    def remove_disks(self, args: ServerRef) -> Nothing:
        """Undo of ensure_disks; in server delete after remove_instance. NodeError in_use while the domain exists."""

    def ensure_instance(self, args: InstanceSpec) -> InstanceState:
        """In server create once ports are bound to this host and disks exist; by reconcile for what vanished."""

    def remove_instance(self, args: ServerRef) -> Nothing:
        """Undo of ensure_instance, and the first effect of server delete."""

    def power(self, args: PowerArgs) -> Nothing:
        """os-start, os-stop, reboot, pause, suspend. Also tells the node which state to restore after a power cut."""

    def ensure_nics(self, args: EnsureNics) -> Nothing:
        """Interface attach and detach, under a running guest too. NodeError engine if the guest does not let go."""

    def diagnostics(self, args: ServerRef) -> Diagnostics:
        """When an operator asks."""

    def console_log(self, args: ConsoleLogArgs) -> ConsoleLog:
        """os-getConsoleOutput."""

    def ensure_metadata(self, args: MetadataArgs) -> Nothing:
        """Before the first server of a network starts on this host, and whenever the localport's addresses change."""

    def remove_metadata(self, args: NetworkRef) -> Nothing:
        """When the last server of a network left this host, or the network is deleted."""

    def set_metadata(self, args: SetMetadata) -> Nothing:
        """After a change which the guest should see: metadata, name, addresses. Unknown server: nothing to do."""

    def list_instances(self, args: Nothing = NOTHING) -> Report:
        """By reconcile tasks and fsck, and after events were lost."""

    def events(self, args: EventsArgs) -> EventsReply:
        """For ever, by whoever watches this node: a long poll."""
