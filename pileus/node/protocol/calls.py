"""The calls, as data: a name, one Struct in, one Struct out, a deadline and a meaning. All may be repeated."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pileus.node.protocol import values as v
from pileus.node.protocol import volumes as vol

VERSION = 4  # refused when it differs

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class Call(Generic[A, R]):
    name: str
    args: type[A]
    result: type[R]
    deadline: float  # seconds until the controller gives up waiting; the node may still finish: calls are idempotent
    meaning: str


HELLO = Call("hello", v.Nothing, v.Hello, 5, "who is there and which version it speaks")
INVENTORY = Call("inventory", v.Nothing, v.Inventory, 10, "what the host has and uses")
HAS_IMAGE = Call("has_image", v.ImageRef, v.ImageReply, 10, "whether a base image is cached")
PUT_IMAGE = Call(
    "put_image", v.PutImage, v.Image, 3600, "stream a base image in; verified and inspected before it counts"
)
REMOVE_IMAGE = Call(
    "remove_image", v.ImageRef, v.Nothing, 10, "drop a base image; in_use while a root disk stands on it"
)
LIST_IMAGES = Call("list_images", v.Nothing, v.ImageList, 10, "the cached base images")
ENSURE_DISKS = Call("ensure_disks", v.InstanceSpec, v.DiskList, 120, "make the disks which are missing, keep the rest")
REMOVE_DISKS = Call("remove_disks", v.ServerRef, v.Nothing, 60, "delete the server's folder")
ENSURE_INSTANCE = Call("ensure_instance", v.InstanceSpec, v.InstanceState, 60, "define, and start if it should run")
REMOVE_INSTANCE = Call("remove_instance", v.ServerRef, v.Nothing, 60, "destroy and undefine; disks stay")
POWER = Call(
    "power", v.PowerArgs, v.Nothing, 120, "start, stop, reboot, pause, suspend; soft ones go on after the answer"
)
ENSURE_NICS = Call("ensure_nics", v.EnsureNics, v.Nothing, 60, "plug in what is missing, unplug what is too many")
DIAGNOSTICS = Call("diagnostics", v.ServerRef, v.Diagnostics, 10, "what the guest uses")
MAKE_SNAPSHOT = Call("make_snapshot", v.SnapshotArgs, v.Stored, 3600, "copy the root disk into one qcow2 file")
REMOVE_SNAPSHOT = Call("remove_snapshot", v.SnapshotArgs, v.Nothing, 30, "delete that file")
PUT_ASIDE = Call(
    "put_aside", v.ServerRef, v.StoredList, 30, "take a stopped server's disks out of the way, and keep them"
)
TAKE_BACK = Call("take_back", v.ServerRef, v.Nothing, 30, "the disks put aside are the server's again, others go")
COPY_ASIDE = Call(
    "copy_aside", v.CopyAside, v.Nothing, 3600, "let the server have copies of disks put aside, on this host"
)
DROP_ASIDE = Call("drop_aside", v.ServerRef, v.Nothing, 30, "delete the disks put aside")
READ_FILE = Call("read_file", v.FileRef, v.Nothing, 3600, "stream a file out")
PUT_DISK = Call("put_disk", v.PutDisk, v.Nothing, 3600, "stream a disk in that was made on another host")
CONSOLE_LOG = Call("console_log", v.ConsoleLogArgs, v.ConsoleLog, 10, "the end of the serial console's log")
OPEN_CONSOLE = Call("open_console", v.ConsoleArgs, v.Nothing, 10, "a stream both ways to the screen or the serial line")
EXPECT_GUEST = Call("expect_guest", v.ServerRef, v.Nothing, 10, "make room for a guest that comes with its memory")
MIGRATE = Call("migrate", v.MigrateArgs, v.Nothing, 10, "begin to send a running guest to the host that expects it")
MIGRATION = Call("migration", v.ServerRef, v.Migration, 10, "how far that is")
PAUSE_MIGRATION = Call(
    "pause_migration", v.ServerRef, v.Nothing, 10, "let the guest stand still, so that it comes to an end"
)
END_MIGRATION = Call("end_migration", v.ServerRef, v.Nothing, 30, "give it up if it goes on; nothing of it is left")
TAKE_STREAM = Call("take_stream", v.StreamArgs, v.Nothing, 15, "the next connection that leaves for the other host")
GIVE_STREAM = Call("give_stream", v.StreamArgs, v.Nothing, 10, "where such a connection leads on the other host")
ENSURE_VOLUME = Call(
    "ensure_volume", vol.EnsureVolume, vol.VolumeState, 3600, "make a volume, empty or a copy, unless there"
)
PUT_VOLUME = Call(
    "put_volume", vol.PutVolume, vol.VolumeState, 3600, "stream a volume's bytes in, instead of what it had"
)
REMOVE_VOLUME = Call("remove_volume", vol.VolumeRef, v.Nothing, 30, "delete a volume; in_use while a server has it")
RENAME_VOLUME = Call("rename_volume", vol.RenameVolume, vol.VolumeState, 10, "a file of volumes has another name")
EXTEND_VOLUME = Call(
    "extend_volume", vol.ExtendVolume, v.Nothing, 60, "let a volume grow; servers here that have it see it"
)
ENSURE_VOLUME_SNAPSHOT = Call(
    "ensure_volume_snapshot", vol.VolumeSnapshot, vol.SnapshotState, 3600, "copy a volume as it is now"
)
REMOVE_VOLUME_SNAPSHOT = Call("remove_volume_snapshot", vol.VolumeSnapshot, v.Nothing, 30, "delete that copy")
REVERT_VOLUME = Call(
    "revert_volume", vol.VolumeSnapshot, v.Nothing, 3600, "a volume becomes what it was; in_use while attached"
)
EXPORT_VOLUME = Call(
    "export_volume", vol.ExportVolume, vol.Export, 30, "let another host reach a volume, and tell where"
)
UNEXPORT_VOLUME = Call("unexport_volume", vol.ExportVolume, v.Nothing, 30, "no longer")
LIST_VOLUMES = Call("list_volumes", v.Nothing, vol.VolumeList, 30, "the volumes and their snapshots on this host")
ATTACH_VOLUME = Call("attach_volume", vol.AttachVolume, v.Nothing, 60, "a server has this volume from now on")
DETACH_VOLUME = Call(
    "detach_volume", vol.DetachVolume, v.Nothing, 60, "a server has it no more; engine if it does not let go"
)
ENSURE_METADATA = Call("ensure_metadata", v.MetadataArgs, v.Nothing, 30, "answer on 169.254.169.254 in a network")
REMOVE_METADATA = Call("remove_metadata", v.NetworkRef, v.Nothing, 30, "stop answering in a network")
SET_METADATA = Call("set_metadata", v.SetMetadata, v.Nothing, 10, "newer documents of a server which is here")
LIST_INSTANCES = Call("list_instances", v.Nothing, v.Report, 30, "everything the node holds")
EVENTS = Call("events", v.EventsArgs, v.EventsReply, 45, "what happened after a number; waits for the first")

CALLS: dict[str, Call[Any, Any]] = {
    call.name: call
    for call in (
        HELLO, INVENTORY, HAS_IMAGE, PUT_IMAGE, REMOVE_IMAGE, LIST_IMAGES, ENSURE_DISKS, REMOVE_DISKS, ENSURE_INSTANCE,
        REMOVE_INSTANCE, POWER, ENSURE_NICS, DIAGNOSTICS, MAKE_SNAPSHOT, REMOVE_SNAPSHOT, PUT_ASIDE, TAKE_BACK,
        COPY_ASIDE, DROP_ASIDE, READ_FILE, PUT_DISK, CONSOLE_LOG, OPEN_CONSOLE, EXPECT_GUEST, MIGRATE, MIGRATION,
        PAUSE_MIGRATION, END_MIGRATION, TAKE_STREAM, GIVE_STREAM, ENSURE_METADATA, REMOVE_METADATA,
        SET_METADATA, LIST_INSTANCES, EVENTS, ENSURE_VOLUME, PUT_VOLUME, REMOVE_VOLUME, EXTEND_VOLUME, RENAME_VOLUME,
        ENSURE_VOLUME_SNAPSHOT, REMOVE_VOLUME_SNAPSHOT, REVERT_VOLUME, EXPORT_VOLUME, UNEXPORT_VOLUME, LIST_VOLUMES,
        ATTACH_VOLUME, DETACH_VOLUME,
    )
}  # fmt: skip
