"""What every node must do with volumes, fake or real: a part of `node_contract.NodeContract`."""

import uuid
from collections.abc import Callable

import pytest

from pileus.node import protocol as p
from pileus.node.errors import NodeError

GIB = 1 << 30
WRITTEN = b"what a guest wrote".ljust(4096, b"\0")

Make = Callable[..., p.InstanceSpec]


def read(node: p.Node, kind: str, id: str) -> bytes:
    """As far as anything was written."""
    content = b""
    for chunk in node.read_file(p.FileRef(kind=kind, id=id)):  # type: ignore[arg-type]
        if not content:
            content = chunk[: len(WRITTEN)]
    return content.rstrip(b"\0")


def put(node: p.Node, content: bytes = WRITTEN, **changes: object) -> str:
    args = {"volume_id": str(uuid.uuid4()), "size": len(content), "size_gb": 1} | changes
    return node.put_volume(p.PutVolume(**args), [content]).volume_id  # type: ignore[arg-type]


def volumes(node: p.Node) -> dict[str, p.VolumeState]:
    return {volume.volume_id: volume for volume in node.list_volumes().volumes}


class VolumeContract:
    @pytest.fixture
    def volume_id(self, node: p.Node) -> str:
        volume_id = str(uuid.uuid4())
        node.ensure_volume(p.EnsureVolume(volume_id=volume_id, size_gb=1))
        return volume_id

    def test_a_volume_is_made_once_and_removing_what_is_gone_is_success(self, node: p.Node) -> None:
        args = p.EnsureVolume(volume_id=str(uuid.uuid4()), size_gb=1)
        made = node.ensure_volume(args)
        assert (made.size, made.exported, made.server_ids) == (GIB, False, [])
        assert node.ensure_volume(args) == made == volumes(node)[args.volume_id]
        for _ in range(2):
            node.remove_volume(p.VolumeRef(args.volume_id))
        assert args.volume_id not in volumes(node)
        assert 0 < node.list_volumes().free_bytes <= node.list_volumes().total_bytes

    def test_a_volume_holds_what_was_sent_and_is_as_large_as_asked(self, node: p.Node) -> None:
        volume_id = put(node)
        assert volumes(node)[volume_id].size == GIB
        assert read(node, "volume", volume_id) == WRITTEN.rstrip(b"\0")
        node.remove_volume(p.VolumeRef(volume_id))
        with pytest.raises(NodeError) as refused:
            read(node, "volume", volume_id)
        assert refused.value.kind == "not_found"

    def test_a_volume_is_made_of_an_image_a_volume_or_a_snapshot(self, node: p.Node, image: p.Image) -> None:
        original, snapshot_id = put(node), str(uuid.uuid4())
        node.ensure_volume_snapshot(p.VolumeSnapshot(volume_id=original, snapshot_id=snapshot_id))
        made = []
        for kind, id in (("image", image.image_id), ("volume", original), ("snapshot", snapshot_id)):
            source = p.VolumeSource(kind=kind, id=id)  # type: ignore[arg-type]
            state = node.ensure_volume(p.EnsureVolume(volume_id=str(uuid.uuid4()), size_gb=2, source=source))
            assert state.size == 2 * GIB
            made.append(state.volume_id)
        assert [read(node, "volume", volume_id) for volume_id in made[1:]] == [WRITTEN.rstrip(b"\0")] * 2
        for volume_id in [*made, original]:
            node.remove_volume(p.VolumeRef(volume_id))
        node.remove_volume_snapshot(p.VolumeSnapshot(volume_id=original, snapshot_id=snapshot_id))

    @pytest.mark.parametrize("kind", ["image", "volume", "snapshot"])
    def test_a_volume_of_what_is_not_there_is_not_made(self, node: p.Node, kind: str) -> None:
        args = p.EnsureVolume(
            volume_id=str(uuid.uuid4()), size_gb=1, source=p.VolumeSource(kind=kind, id=str(uuid.uuid4()))  # type: ignore[arg-type]
        )  # fmt: skip
        with pytest.raises(NodeError) as refused:
            node.ensure_volume(args)
        assert refused.value.kind == "not_found"
        assert args.volume_id not in volumes(node)

    def test_what_does_not_fit_is_refused_and_leaves_nothing(self, node: p.Node) -> None:
        large = str(uuid.uuid4())
        node.ensure_volume(p.EnsureVolume(volume_id=large, size_gb=2))
        source = p.VolumeSource(kind="volume", id=large)
        small = p.EnsureVolume(volume_id=str(uuid.uuid4()), size_gb=1, source=source)
        with pytest.raises(NodeError) as refused:
            node.ensure_volume(small)
        assert refused.value.kind == "invalid"
        with pytest.raises(NodeError):
            node.extend_volume(p.ExtendVolume(volume_id=large, size_gb=1))
        node.remove_volume(p.VolumeRef(large))
        assert {large, small.volume_id} & set(volumes(node)) == set()

    def test_a_volume_grows(self, node: p.Node, volume_id: str) -> None:
        for _ in range(2):
            node.extend_volume(p.ExtendVolume(volume_id=volume_id, size_gb=3))
        assert volumes(node)[volume_id].size == 3 * GIB
        node.remove_volume(p.VolumeRef(volume_id))
        with pytest.raises(NodeError) as refused:
            node.extend_volume(p.ExtendVolume(volume_id=volume_id, size_gb=4))
        assert refused.value.kind == "not_found"

    def test_a_snapshot_outlives_its_volume_and_a_volume_becomes_it_again(self, node: p.Node) -> None:
        volume_id, snapshot_id = put(node), str(uuid.uuid4())
        args = p.VolumeSnapshot(volume_id=volume_id, snapshot_id=snapshot_id)
        made = node.ensure_volume_snapshot(args)
        assert node.ensure_volume_snapshot(args) == made and made.size == GIB and made.volume_id == volume_id
        put(node, b"newer".ljust(512, b"\0"), volume_id=volume_id)
        for _ in range(2):
            node.revert_volume(args)
        assert read(node, "volume", volume_id) == WRITTEN.rstrip(b"\0")
        node.remove_volume(p.VolumeRef(volume_id))
        assert read(node, "volume_snapshot", snapshot_id) == WRITTEN.rstrip(b"\0")
        with pytest.raises(NodeError) as refused:
            node.revert_volume(args)
        assert refused.value.kind == "not_found"
        for _ in range(2):
            node.remove_volume_snapshot(args)
        assert snapshot_id not in {found.snapshot_id for found in node.list_volumes().snapshots}

    def test_a_volume_has_another_name(self, node: p.Node, volume_id: str) -> None:
        args = p.RenameVolume(old=volume_id, new="given-up")
        for _ in range(2):
            assert node.rename_volume(args).volume_id == "given-up"
        assert volume_id not in volumes(node)
        node.remove_volume(p.VolumeRef("given-up"))
        with pytest.raises(NodeError) as refused:
            node.rename_volume(args)
        assert refused.value.kind == "not_found"

    def test_an_export_stays_where_it_is_and_keeps_its_volume(self, node: p.Node, volume_id: str) -> None:
        ref, args = p.VolumeRef(volume_id), p.ExportVolume(volume_id=volume_id, client="node-7")
        export = node.export_volume(args)
        assert export.address and export.port
        other = p.ExportVolume(volume_id=volume_id, client="node-8")
        assert node.export_volume(args) == export == node.export_volume(other)
        node.unexport_volume(other)
        assert volumes(node)[volume_id].exported
        with pytest.raises(NodeError) as refused:
            node.remove_volume(ref)
        assert refused.value.kind == "in_use"
        for _ in range(2):
            node.unexport_volume(args)
        assert not volumes(node)[volume_id].exported
        node.remove_volume(ref)
        with pytest.raises(NodeError) as refused:
            node.export_volume(args)
        assert refused.value.kind == "not_found"

    def test_a_server_has_a_volume_from_its_start_and_nobody_takes_it_away(
        self, node: p.Node, make: Make, volume_id: str
    ) -> None:
        spec = make(volumes=[p.AttachedVolume(volume_id=volume_id, device="vdb")], power="shutdown")
        node.ensure_instance(spec)
        server = p.ServerRef(spec.server_id)
        (state,) = (one for one in node.list_instances().instances if one.server_id == spec.server_id)
        assert state.volumes == [volume_id] and volumes(node)[volume_id].server_ids == [spec.server_id]
        with pytest.raises(NodeError) as refused:
            node.remove_volume(p.VolumeRef(volume_id))
        assert refused.value.kind == "in_use"
        node.remove_instance(server)
        node.remove_volume(p.VolumeRef(volume_id))

    def test_a_server_that_is_off_is_given_a_volume_and_gives_it_back(
        self, node: p.Node, make: Make, volume_id: str
    ) -> None:
        spec = make(power="shutdown")
        node.ensure_instance(spec)
        args = p.AttachVolume(
            server_id=spec.server_id, volume=p.AttachedVolume(volume_id=volume_id, device="vdb", shared=True)
        )
        for _ in range(2):
            node.attach_volume(args)
        assert volumes(node)[volume_id].server_ids == [spec.server_id]
        node.extend_volume(p.ExtendVolume(volume_id=volume_id, size_gb=2))
        for _ in range(2):
            node.detach_volume(p.DetachVolume(server_id=spec.server_id, volume_id=volume_id))
        assert volumes(node)[volume_id].server_ids == []
        node.remove_volume(p.VolumeRef(volume_id))

    def test_a_server_that_runs_is_given_a_volume(self, node: p.Node, make: Make, volume_id: str) -> None:
        spec = make()
        node.ensure_instance(spec)
        args = p.AttachVolume(server_id=spec.server_id, volume=p.AttachedVolume(volume_id=volume_id, device="vdb"))
        for _ in range(2):
            node.attach_volume(args)
        assert volumes(node)[volume_id].server_ids == [spec.server_id]
        node.extend_volume(p.ExtendVolume(volume_id=volume_id, size_gb=2))
        snapshot = p.VolumeSnapshot(volume_id=volume_id, snapshot_id=str(uuid.uuid4()))
        assert node.ensure_volume_snapshot(snapshot).size == 2 * GIB
        node.remove_volume_snapshot(snapshot)
        node.power(p.PowerArgs(server_id=spec.server_id, action="reboot", hard=True))
        assert volumes(node)[volume_id].server_ids == [spec.server_id]
        node.remove_instance(p.ServerRef(spec.server_id))
        node.remove_volume(p.VolumeRef(volume_id))

    def test_a_volume_that_is_not_there_is_not_attached(self, node: p.Node, make: Make) -> None:
        spec = make(power="shutdown")
        node.ensure_instance(spec)
        missing = p.AttachedVolume(volume_id=str(uuid.uuid4()), device="vdb")
        with pytest.raises(NodeError) as refused:
            node.attach_volume(p.AttachVolume(server_id=spec.server_id, volume=missing))
        assert refused.value.kind == "not_found"
        (state,) = (one for one in node.list_instances().instances if one.server_id == spec.server_id)
        assert state.volumes == []
        with pytest.raises(NodeError):
            node.attach_volume(p.AttachVolume(server_id=str(uuid.uuid4()), volume=missing))
        node.detach_volume(p.DetachVolume(server_id=str(uuid.uuid4()), volume_id=missing.volume_id))
