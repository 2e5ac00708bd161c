"""What every node does, the real one and the fake. Removing what is gone is success."""

import socket
from collections.abc import Iterable, Iterator
from typing import Protocol

from pileus.node.protocol.values import (
    NOTHING,
    ConsoleArgs,
    ConsoleLog,
    ConsoleLogArgs,
    CopyAside,
    Diagnostics,
    DiskList,
    EnsureNics,
    EventsArgs,
    EventsReply,
    FileRef,
    Hello,
    Image,
    ImageList,
    ImageRef,
    ImageReply,
    InstanceSpec,
    InstanceState,
    Inventory,
    MetadataArgs,
    MigrateArgs,
    Migration,
    NetworkRef,
    Nothing,
    PowerArgs,
    PutDisk,
    PutImage,
    Report,
    ServerRef,
    SetMetadata,
    SnapshotArgs,
    Stored,
    StoredList,
    StreamArgs,
)
from pileus.node.protocol.volumes import (
    AttachVolume,
    DetachVolume,
    EnsureVolume,
    Export,
    ExportVolume,
    ExtendVolume,
    PutVolume,
    RenameVolume,
    SnapshotState,
    VolumeList,
    VolumeRef,
    VolumeSnapshot,
    VolumeState,
)


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

    def copy_aside(self, args: CopyAside) -> Nothing:
        """When a server is resized on its own host: the copies are the server's, and what was put aside stays as it is."""

    def drop_aside(self, args: ServerRef) -> Nothing:
        """When a resize is confirmed."""

    def read_file(self, args: FileRef) -> Iterator[bytes]:
        """Of a snapshot into an image, of a disk to another host. NodeError not_found."""

    def put_disk(self, args: PutDisk, body: Iterable[bytes]) -> Nothing:
        """On the other host, before ensure_disks, which adds what is missing and lets disks grow."""


class MigratingNode(Protocol):
    """The part of a node's work that is about guests which go to another host while they run.

    The two hosts need not reach each other: what passes between them is taken from one and given to the other.
    """

    def expect_guest(self, args: ServerRef) -> Nothing:
        """On the host it goes to, once its disks are there, as large as they are and empty."""

    def migrate(self, args: MigrateArgs) -> Nothing:
        """On the host that it leaves. Again while it goes on: nothing. NodeError not_found unless it runs."""

    def migration(self, args: ServerRef) -> Migration:
        """Until it is over. Its end is remembered until end_migration, or the node's own end."""

    def pause_migration(self, args: ServerRef) -> Nothing:
        """force_complete."""

    def end_migration(self, args: ServerRef) -> Nothing:
        """On both hosts, when it is over or no longer wanted; the guest stays where it is."""

    def take_stream(self, args: StreamArgs) -> socket.socket:
        """Waits some seconds for one. NodeError not_found when none came."""

    def give_stream(self, args: StreamArgs) -> socket.socket:
        """Whoever takes the socket closes it."""


class VolumeNode(Protocol):
    """The part of a node's work that is about volumes. `read_file` sends them and their snapshots."""

    def ensure_volume(self, args: EnsureVolume) -> VolumeState:
        """In volume create, after a source image was put. Again: as it is. NodeError not_found, invalid, no_space."""

    def put_volume(self, args: PutVolume, body: Iterable[bytes]) -> VolumeState:
        """A backup that is restored, a volume that moves here. NodeError in_use while a server has it."""

    def remove_volume(self, args: VolumeRef) -> Nothing:
        """Undo of ensure_volume, and volume delete. Its snapshots stay."""

    def rename_volume(self, args: RenameVolume) -> VolumeState:
        """When a file is taken over as a volume, or given up as one. NodeError not_found, in_use."""

    def extend_volume(self, args: ExtendVolume) -> Nothing:
        """On the volume's host, and then on every other host whose servers have it. NodeError invalid if it is larger."""

    def ensure_volume_snapshot(self, args: VolumeSnapshot) -> SnapshotState:
        """Who has the volume on this host stands still meanwhile. The copy needs the volume no more."""

    def remove_volume_snapshot(self, args: VolumeSnapshot) -> Nothing:
        """Undo of ensure_volume_snapshot, and snapshot delete."""

    def revert_volume(self, args: VolumeSnapshot) -> Nothing:
        """Revert to snapshot."""

    def export_volume(self, args: ExportVolume) -> Export:
        """Before a server on another host is given the volume. Again: the same place, after a restart too."""

    def unexport_volume(self, args: ExportVolume) -> Nothing:
        """Undo of export_volume, when the last server of that host gave it back. `*`: to nobody any more."""

    def list_volumes(self, args: Nothing = NOTHING) -> VolumeList:
        """By the reconcile task and fsck; also how much room there is."""

    def attach_volume(self, args: AttachVolume) -> Nothing:
        """To a server here, running or not; a failure leaves it without. NodeError not_found, engine."""

    def detach_volume(self, args: DetachVolume) -> Nothing:
        """Undo of attach_volume. A guest is asked several times; when it keeps the volume: engine, and it has it still."""


class Node(CopyingNode, MigratingNode, VolumeNode, Protocol):
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

    def open_console(self, args: ConsoleArgs) -> socket.socket:
        """When somebody looks at a guest; whoever takes the socket closes it. NodeError not_found unless the guest runs."""

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
