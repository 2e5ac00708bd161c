"""A fake node's volumes: their bytes as far as anybody wrote some, in memory."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

from msgspec.structs import replace

from pileus.node import protocol as p
from pileus.node.errors import NodeError
from pileus.node.fake_copies import FakeInstance, FakeVolume

GIB = 1 << 30
FIRST_PORT = 10900


class FakeVolumes:
    """Obeys `protocol.VolumeNode`; the rest of the fake is in `fake.py`."""

    name: str
    disk_gb: int
    instances: dict[str, FakeInstance]
    images: dict[str, p.Image]
    volumes: dict[str, FakeVolume]
    volume_snapshots: dict[str, FakeVolume]

    def _entered(self, call: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def _instance(self, server_id: str) -> FakeInstance:
        raise NotImplementedError

    def ensure_volume(self, args: p.EnsureVolume) -> p.VolumeState:
        with self._entered("ensure_volume"):
            if args.volume_id not in self.volumes:
                begin = self._source(args.source) if args.source else FakeVolume(0)
                if begin.size > args.size_gb * GIB:
                    raise NodeError("invalid", f"what it is made of does not fit into {args.size_gb} GiB")
                self.volumes[args.volume_id] = FakeVolume(args.size_gb * GIB, dict(begin.pieces))
            return self._state_of(args.volume_id)

    def _source(self, source: p.VolumeSource) -> FakeVolume:
        if source.kind == "image" and source.id in self.images:
            return FakeVolume(self.images[source.id].virtual_size)
        found = (self.volumes if source.kind == "volume" else self.volume_snapshots).get(source.id)
        if found is None or source.kind == "image":
            raise NodeError("not_found", f"{source.kind} {source.id} is not on {self.name}")
        return found

    def put_volume(self, args: p.PutVolume, body: Iterable[bytes]) -> p.VolumeState:
        pieces, size = {}, 0
        for chunk in body:
            if chunk.count(0) != len(chunk):
                pieces[size] = chunk
            size += len(chunk)
        with self._entered("put_volume"):
            self._refuse_in_use(args.volume_id)
            if size != args.size or size > args.size_gb * GIB:
                raise NodeError("invalid", f"{size} bytes came instead of {args.size}, for {args.size_gb} GiB")
            self.volumes[args.volume_id] = FakeVolume(args.size_gb * GIB, pieces)
            return self._state_of(args.volume_id)

    def remove_volume(self, args: p.VolumeRef) -> p.Nothing:
        with self._entered("remove_volume"):
            self._refuse_in_use(args.volume_id)
            self.volumes.pop(args.volume_id, None)
            return p.NOTHING

    def rename_volume(self, args: p.RenameVolume) -> p.VolumeState:
        with self._entered("rename_volume"):
            if args.old in self.volumes:
                self._refuse_in_use(args.old)
                if args.new in self.volumes:
                    raise NodeError("in_use", f"there is a volume {args.new} already")
                self.volumes[args.new] = self.volumes.pop(args.old)
            self._volume(args.new)
            return self._state_of(args.new)

    def extend_volume(self, args: p.ExtendVolume) -> p.Nothing:
        with self._entered("extend_volume"):
            volume = self.volumes.get(args.volume_id)
            if volume is None and not self._users(args.volume_id):
                raise NodeError("not_found", f"volume {args.volume_id} is not on {self.name}")
            if volume and volume.size > args.size_gb * GIB:
                raise NodeError("invalid", f"volume {args.volume_id} is larger than {args.size_gb} GiB")
            if volume:
                volume.size = args.size_gb * GIB
            return p.NOTHING

    def ensure_volume_snapshot(self, args: p.VolumeSnapshot) -> p.SnapshotState:
        with self._entered("ensure_volume_snapshot"):
            if args.snapshot_id not in self.volume_snapshots:
                volume = self._volume(args.volume_id)
                self.volume_snapshots[args.snapshot_id] = FakeVolume(
                    volume.size, dict(volume.pieces), snapshot_of=args.volume_id
                )
            return self._snapshot_state(args.snapshot_id)

    def remove_volume_snapshot(self, args: p.VolumeSnapshot) -> p.Nothing:
        with self._entered("remove_volume_snapshot"):
            self.volume_snapshots.pop(args.snapshot_id, None)
            return p.NOTHING

    def revert_volume(self, args: p.VolumeSnapshot) -> p.Nothing:
        with self._entered("revert_volume"):
            volume, snapshot = self._volume(args.volume_id), self.volume_snapshots.get(args.snapshot_id)
            if snapshot is None:
                raise NodeError("not_found", f"snapshot {args.snapshot_id} is not on {self.name}")
            self._refuse_in_use(args.volume_id)
            volume.size, volume.pieces = max(volume.size, snapshot.size), dict(snapshot.pieces)
            return p.NOTHING

    def export_volume(self, args: p.ExportVolume) -> p.Export:
        with self._entered("export_volume"):
            volume = self._volume(args.volume_id)
            if not volume.port:
                taken = {other.port for other in self.volumes.values()}
                volume.port = next(port for port in range(FIRST_PORT, 65536) if port not in taken)
            volume.clients.add(args.client)
            return p.Export(volume_id=args.volume_id, address="127.0.0.1", port=volume.port)

    def unexport_volume(self, args: p.ExportVolume) -> p.Nothing:
        with self._entered("unexport_volume"):
            if volume := self.volumes.get(args.volume_id):
                volume.clients = set() if args.client == "*" else volume.clients - {args.client}
                volume.port = volume.port if volume.clients else 0
            return p.NOTHING

    def list_volumes(self, args: p.Nothing = p.NOTHING) -> p.VolumeList:
        with self._entered("list_volumes"):
            used = sum(volume.size for volume in [*self.volumes.values(), *self.volume_snapshots.values()])
            return p.VolumeList(
                volumes=[self._state_of(volume_id) for volume_id in self.volumes],
                snapshots=[self._snapshot_state(snapshot_id) for snapshot_id in self.volume_snapshots],
                total_bytes=self.disk_gb * GIB,
                free_bytes=max(0, self.disk_gb * GIB - used),
            )

    def attach_volume(self, args: p.AttachVolume) -> p.Nothing:
        with self._entered("attach_volume"):
            instance = self._instance(args.server_id)
            self.check_volumes([args.volume])
            if instance.spec:
                others = [v for v in instance.spec.volumes if v.volume_id != args.volume.volume_id]
                instance.spec = replace(instance.spec, volumes=[*others, args.volume])
            return p.NOTHING

    def detach_volume(self, args: p.DetachVolume) -> p.Nothing:
        with self._entered("detach_volume"):
            instance = self.instances.get(args.server_id)
            if instance and instance.spec:
                kept = [v for v in instance.spec.volumes if v.volume_id != args.volume_id]
                instance.spec = replace(instance.spec, volumes=kept)
            return p.NOTHING

    def check_volumes(self, volumes: list[p.AttachedVolume]) -> None:
        """What a guest could not open it is not given."""
        for volume in volumes:
            if volume.kind == "file":
                self._volume(volume.volume_id)

    def _volume(self, volume_id: str) -> FakeVolume:
        found = self.volumes.get(volume_id)
        if found is None:
            raise NodeError("not_found", f"volume {volume_id} is not on {self.name}")
        return found

    def _snapshot_state(self, snapshot_id: str) -> p.SnapshotState:
        made = self.volume_snapshots[snapshot_id]
        return p.SnapshotState(
            volume_id=made.snapshot_of, snapshot_id=snapshot_id, size=made.size, allocated=made.allocated
        )

    def _users(self, volume_id: str) -> list[str]:
        return [
            instance.server_id
            for instance in self.instances.values()
            if instance.spec and any(volume.volume_id == volume_id for volume in instance.spec.volumes)
        ]

    def _refuse_in_use(self, volume_id: str) -> None:
        volume = self.volumes.get(volume_id)
        if (volume and volume.port) or self._users(volume_id):
            raise NodeError("in_use", f"a server has volume {volume_id} of {self.name}")

    def _state_of(self, volume_id: str) -> p.VolumeState:
        volume = self.volumes[volume_id]
        return p.VolumeState(
            volume_id=volume_id,
            size=volume.size,
            allocated=volume.allocated,
            exported=bool(volume.port),
            server_ids=self._users(volume_id),
        )
