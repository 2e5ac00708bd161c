"""The real node's calls about volumes: files of this host, exports to others, and the servers here that have volumes."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from pileus.node import protocol as p
from pileus.node.disk.disks import GIB, device_names, plan
from pileus.node.disk.exports import Exports
from pileus.node.disk.images import ImageCache
from pileus.node.disk.volumes import VolumeFiles
from pileus.node.errors import NodeError, NodeFault
from pileus.node.instances import Instances, Kept
from pileus.node.vm import disks
from pileus.node.vm.domain import VolumeDisk, volume_xml
from pileus.node.vm.hypervisor import Hypervisor

LOG = logging.getLogger("pileus.node")
REACH_SECONDS = 2.0


class Volumes:
    """Obeys `protocol.VolumeNode`; the rest of the node is in `host.py`. One at a time works on a volume."""

    name: str
    _instances: Instances
    _hypervisor: Hypervisor
    _images: ImageCache
    _volumes: VolumeFiles
    _exports: Exports

    def ensure_volume(self, args: p.EnsureVolume) -> p.VolumeState:
        with self._instances.locked(args.volume_id):
            if not self._volumes.path(args.volume_id).exists():
                source = args.source
                held = self._held(source.id) if source and source.kind == "volume" else contextlib.nullcontext()
                with held:
                    self._volumes.make(args.volume_id, args.size_gb, source)
            return self._volume_state(args.volume_id)

    def put_volume(self, args: p.PutVolume, body: Iterable[bytes]) -> p.VolumeState:
        with self._instances.locked(args.volume_id):
            self._refuse_in_use(args.volume_id)
            self._volumes.receive(args.volume_id, args.size_gb, args.size, body)
            return self._volume_state(args.volume_id)

    def remove_volume(self, args: p.VolumeRef) -> p.Nothing:
        with self._instances.locked(args.volume_id):
            self._refuse_in_use(args.volume_id)
            self._volumes.remove(args.volume_id)
        return p.NOTHING

    def rename_volume(self, args: p.RenameVolume) -> p.VolumeState:
        with self._instances.locked(args.old), self._instances.locked(args.new):
            if self._volumes.path(args.old).exists():
                self._refuse_in_use(args.old)
                self._volumes.rename(args.old, args.new)
            return self._volume_state(args.new)

    def extend_volume(self, args: p.ExtendVolume) -> p.Nothing:
        size = args.size_gb * GIB
        with self._instances.locked(args.volume_id):
            users = self._users(args.volume_id)
            if self._volumes.path(args.volume_id).exists():
                self._volumes.grow(args.volume_id, size)
                self._exports.restart(args.volume_id, self._volumes.path(args.volume_id))
            elif not users:
                raise NodeError("not_found", f"volume {args.volume_id} is not on {self.name}")
        self._wake_stalled()
        for server_id in users:
            with self._instances.locked(server_id):
                disks.resize(self._hypervisor, server_id, args.volume_id, size)
        return p.NOTHING

    def ensure_volume_snapshot(self, args: p.VolumeSnapshot) -> p.SnapshotState:
        with self._instances.locked(args.snapshot_id):
            if self._volumes.find_snapshot(args.snapshot_id) is None:
                with self._held(args.volume_id):
                    self._volumes.copy_to_snapshot(args.volume_id, args.snapshot_id)
            return self._volumes.snapshot_state(args.snapshot_id)

    def remove_volume_snapshot(self, args: p.VolumeSnapshot) -> p.Nothing:
        with self._instances.locked(args.snapshot_id):
            self._volumes.remove_snapshot(args.snapshot_id)
        return p.NOTHING

    def revert_volume(self, args: p.VolumeSnapshot) -> p.Nothing:
        with self._instances.locked(args.volume_id):
            self._volumes.get(args.volume_id)
            self._volumes.get_snapshot(args.snapshot_id)
            self._refuse_in_use(args.volume_id)
            self._volumes.revert(args.volume_id, args.snapshot_id)
        return p.NOTHING

    def export_volume(self, args: p.ExportVolume) -> p.Export:
        with self._instances.locked(args.volume_id):
            return self._exports.ensure(args.volume_id, self._volumes.get(args.volume_id), args.client)

    def unexport_volume(self, args: p.ExportVolume) -> p.Nothing:
        with self._instances.locked(args.volume_id):
            self._exports.remove(args.volume_id, args.client)
        return p.NOTHING

    def list_volumes(self, args: p.Nothing = p.NOTHING) -> p.VolumeList:
        total, free = self._volumes.room()
        return p.VolumeList(
            volumes=[self._volume_state(volume_id) for volume_id in self._volumes.ids()],
            snapshots=self._volumes.snapshots(),
            total_bytes=total,
            free_bytes=free,
        )

    def attach_volume(self, args: p.AttachVolume) -> p.Nothing:
        volume_id = args.volume.volume_id
        with self._instances.locked(args.server_id):
            kept = self._kept(args.server_id)
            others = [volume for volume in kept.spec.volumes if volume.volume_id != volume_id]
            spec = replace(kept.spec, volumes=[*others, args.volume])
            with self._instances.locked(volume_id):
                xml, own = self._xml(spec), len(plan(spec.disks, self._images.find))
                self._instances.keep(replace(kept, spec=spec))
            try:
                (disk,) = (disk for disk in self._volume_disks(spec, own) if disk.volume == args.volume)
                disks.plug(self._hypervisor, args.server_id, volume_id, volume_xml(disk))
                self._hypervisor.define(xml)
            except NodeFault:
                self._instances.keep(replace(kept, spec=replace(kept.spec, volumes=others)))
                raise
        return p.NOTHING

    def detach_volume(self, args: p.DetachVolume) -> p.Nothing:
        with self._instances.locked(args.server_id):
            kept = self._instances.find(args.server_id)
            if kept is None:
                return p.NOTHING
            others = [volume for volume in kept.spec.volumes if volume.volume_id != args.volume_id]
            changed = replace(kept, spec=replace(kept.spec, volumes=others))
            self._instances.keep(changed)
            try:
                disks.unplug(self._hypervisor, args.server_id, args.volume_id)
            except NodeError:
                self._instances.keep(kept)  # the guest has it still
                raise
            if self._hypervisor.find(args.server_id):
                self._hypervisor.define(self._xml(changed.spec))
        return p.NOTHING

    def _bring_back_exports(self) -> None:
        """After a restart of the host, or when one was killed: guests elsewhere wait for it."""
        for volume_id in self._exports.ids():
            try:
                with self._instances.locked(volume_id):
                    if volume_id in self._exports.ids():
                        self._exports.ensure(volume_id, self._volumes.get(volume_id))
            except NodeFault as e:
                LOG.warning("volume %s is not exported yet: %s", volume_id, e)

    def _wake_stalled(self) -> None:
        """Guests that stand still since another host did not answer: when it does, they ask it again."""
        for kept in self._instances.all():
            remote = [volume for volume in kept.spec.volumes if volume.kind != "file"]
            if remote and self._hypervisor.is_stalled(kept.spec.server_id) and all(map(answers, remote)):
                LOG.info("server %s goes on: its volumes answer again", kept.spec.server_id)
                with self._instances.locked(kept.spec.server_id):
                    self._hypervisor.unpause(kept.spec.server_id)

    # --- inside ---

    def _xml(self, spec: p.InstanceSpec) -> str:
        raise NotImplementedError

    def _kept(self, server_id: str) -> Kept:
        kept = self._instances.find(server_id)
        if kept is None:
            raise NodeError("not_found", f"server {server_id} is not on {self.name}")
        return kept

    def _users(self, volume_id: str) -> list[str]:
        return [
            kept.spec.server_id
            for kept in self._instances.all()
            if any(volume.volume_id == volume_id for volume in kept.spec.volumes)
        ]

    def _refuse_in_use(self, volume_id: str) -> None:
        if self._exports.find(volume_id) or self._users(volume_id):
            raise NodeError("in_use", f"a server has volume {volume_id} of {self.name}")

    @contextlib.contextmanager
    def _held(self, volume_id: str) -> Iterator[None]:
        """Nobody writes to it meanwhile."""
        with contextlib.ExitStack() as held:
            for server_id in self._users(volume_id):
                held.enter_context(self._instances.locked(server_id))
                held.enter_context(self._hypervisor.standing_still(server_id))
            held.enter_context(self._exports.standing_still(volume_id))
            yield

    def _volume_disks(self, spec: p.InstanceSpec, own: int) -> list[VolumeDisk]:
        """As this server has them beside so many disks of its own. The files become QEMU's, who will open them."""
        _, names = device_names(own, spec)
        found = []
        for volume in spec.volumes:
            path = ""
            if volume.kind == "file":
                path = str(self._volumes.get(volume.volume_id))
                os.chown(path, *self._hypervisor.owner())
            found.append(VolumeDisk(volume, names[volume.volume_id], volume.bus or spec.disk_bus, path))
        return found

    def _volume_state(self, volume_id: str) -> p.VolumeState:
        about = self._volumes.get(volume_id).stat()
        return p.VolumeState(
            volume_id=volume_id,
            size=about.st_size,
            allocated=about.st_blocks * 512,
            exported=self._exports.find(volume_id) is not None,
            server_ids=self._users(volume_id),
        )


def answers(volume: p.AttachedVolume) -> bool:
    try:
        socket.create_connection((volume.address, volume.port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
