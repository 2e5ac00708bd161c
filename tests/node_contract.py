"""What every node must do, fake or real: one suite, run against each. A subclass gives the fixture `node`."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from pileus.node import protocol as p
from pileus.node.errors import NodeError
from tests.volume_contract import VolumeContract

MIB = 1 << 20
BYTES = b"\0" * MIB


def image_of(content: bytes, **changes: object) -> p.PutImage:
    args = {
        "image_id": str(uuid.uuid4()),
        "size": len(content),
        "sha512": hashlib.sha512(content).hexdigest(),
        "format": "raw",
    }
    return p.PutImage(**(args | changes))  # type: ignore[arg-type]


def spec_of(image_id: str, **changes: object) -> p.InstanceSpec:
    args: dict[str, object] = {
        "server_id": str(uuid.uuid4()),
        "name": "web",
        "project_id": uuid.uuid4().hex,
        "vcpus": 1,
        "memory_mb": 64,
        "disks": p.DiskSpec(root=p.RootDisk(image_id=image_id, size_gb=0)),
        "documents": p.Documents(hostname="web"),
    }
    return p.InstanceSpec(**(args | changes))  # type: ignore[arg-type]


class NodeContract(VolumeContract):
    @pytest.fixture
    def node(self) -> p.Node:
        raise NotImplementedError

    @pytest.fixture
    def image(self, node: p.Node) -> Iterator[p.Image]:
        image = node.put_image(image_of(BYTES), [BYTES])
        yield image
        node.remove_image(p.ImageRef(image.image_id))

    @pytest.fixture
    def make(self, node: p.Node, image: p.Image) -> Iterator[Callable[..., p.InstanceSpec]]:
        made = []

        def make(**changes: object) -> p.InstanceSpec:
            spec = spec_of(image.image_id, **changes)
            made.append(spec)
            node.ensure_disks(spec)
            return spec

        yield make
        for spec in made:
            node.remove_instance(p.ServerRef(spec.server_id))
            node.remove_disks(p.ServerRef(spec.server_id))

    def state(self, node: p.Node, server_id: str) -> p.InstanceState | None:
        return next((i for i in node.list_instances().instances if i.server_id == server_id), None)

    def test_it_says_who_it_is_and_which_version_it_speaks(self, node: p.Node) -> None:
        hello = node.hello()
        assert hello.version == p.VERSION
        assert hello.name == node.inventory().name
        assert node.inventory().vcpus >= 1

    def test_an_image_is_held_once_it_was_sent(self, node: p.Node, image: p.Image) -> None:
        assert image.virtual_size == MIB
        assert node.has_image(p.ImageRef(image.image_id)).image == image
        assert image in node.list_images().images

    def test_an_image_whose_bytes_differ_from_the_announced_is_refused(self, node: p.Node) -> None:
        args = image_of(BYTES, sha512="0" * 128)
        with pytest.raises(NodeError) as refused:
            node.put_image(args, [BYTES])
        assert refused.value.kind == "invalid"
        assert node.has_image(p.ImageRef(args.image_id)).image is None

    def test_an_image_of_a_format_nobody_boots_is_refused(self, node: p.Node) -> None:
        with pytest.raises(NodeError):
            node.put_image(image_of(BYTES, format="ploop"), [BYTES])

    def test_sending_an_image_again_changes_nothing(self, node: p.Node, image: p.Image) -> None:
        again = node.put_image(image_of(BYTES, image_id=image.image_id), [BYTES])
        assert again == image

    def test_removing_an_image_that_is_gone_is_success(self, node: p.Node) -> None:
        assert node.remove_image(p.ImageRef(str(uuid.uuid4()))) == p.NOTHING

    def test_an_image_under_a_root_disk_stays(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        assert spec.disks.root
        with pytest.raises(NodeError) as refused:
            node.remove_image(p.ImageRef(spec.disks.root.image_id))
        assert refused.value.kind == "in_use"

    def test_disks_on_an_image_which_is_not_there_are_not_found(self, node: p.Node) -> None:
        with pytest.raises(NodeError) as refused:
            node.ensure_disks(spec_of(str(uuid.uuid4())))
        assert refused.value.kind == "not_found"

    def test_all_disks_are_made_and_a_second_time_kept(self, node: p.Node, image: p.Image) -> None:
        disks = p.DiskSpec(
            root=p.RootDisk(image_id=image.image_id, size_gb=1),
            ephemerals=[p.EphemeralDisk(size_gb=1)],
            swap_mb=8,
            config_drive=True,
        )
        spec = spec_of(image.image_id, disks=disks)
        made = node.ensure_disks(spec).disks
        assert [(d.role, d.device) for d in made] == [
            ("root", "vda"), ("ephemeral0", "vdb"), ("swap", "vdc"), ("config", "vdd"),
        ]  # fmt: skip
        assert [d.size for d in made[:3]] == [1 << 30, 1 << 30, 8 * MIB]
        assert node.ensure_disks(spec).disks == made
        node.remove_disks(p.ServerRef(spec.server_id))
        assert self.state(node, spec.server_id) is None

    def test_an_instance_without_its_disks_is_refused(self, node: p.Node, image: p.Image) -> None:
        with pytest.raises(NodeError):
            node.ensure_instance(spec_of(image.image_id))

    def test_an_instance_runs_once_ensured_and_ensuring_it_again_changes_nothing(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        first = node.ensure_instance(spec)
        assert (first.power_state, first.domain, first.spec) == ("running", True, True)
        assert node.ensure_instance(spec) == first
        assert self.state(node, spec.server_id) == first

    def test_an_instance_which_should_be_off_is_defined_and_not_started(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        state = node.ensure_instance(make(power="shutdown"))
        assert (state.power_state, state.domain) == ("shutdown", True)

    def test_disks_stay_while_the_domain_exists(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        node.ensure_instance(spec)
        with pytest.raises(NodeError) as refused:
            node.remove_disks(p.ServerRef(spec.server_id))
        assert refused.value.kind == "in_use"

    def test_a_removed_instance_leaves_its_disks_and_removing_twice_is_success(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        node.ensure_instance(spec)
        node.remove_instance(p.ServerRef(spec.server_id))
        node.remove_instance(p.ServerRef(spec.server_id))
        state = self.state(node, spec.server_id)
        assert state and not state.domain and state.disks

    def test_hard_stop_start_and_reboot(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        node.ensure_instance(spec)
        for action, then in (("stop", "shutdown"), ("stop", "shutdown"), ("start", "running"), ("reboot", "running")):
            node.power(p.PowerArgs(server_id=spec.server_id, action=action, hard=True))  # type: ignore[arg-type]
            state = self.state(node, spec.server_id)
            assert state and state.power_state == then and state.desired == then, action

    def test_power_of_a_server_which_is_not_here_is_not_found(self, node: p.Node) -> None:
        with pytest.raises(NodeError) as refused:
            node.power(p.PowerArgs(server_id=str(uuid.uuid4()), action="start"))
        assert refused.value.kind == "not_found"

    def test_power_changes_are_told_as_events_in_order(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        start = node.events(p.EventsArgs(wait=0))
        assert start.lost
        spec = make()
        node.ensure_instance(spec)
        node.power(p.PowerArgs(server_id=spec.server_id, action="stop", hard=True))
        seen: list[p.Event] = []
        after = start.last
        for _ in range(20):
            reply = node.events(p.EventsArgs(epoch=start.epoch, after=after, wait=1))
            assert not reply.lost
            seen += [e for e in reply.events if e.server_id == spec.server_id and e.kind == "power"]
            after = reply.last
            if len(seen) >= 2:
                break
        assert [e.power_state for e in seen] == ["running", "shutdown"]
        assert seen[0].seq < seen[1].seq

    def test_waiting_in_vain_brings_a_heartbeat_with_the_usage(self, node: p.Node) -> None:
        start = node.events(p.EventsArgs(wait=0))
        reply = node.events(p.EventsArgs(epoch=start.epoch, after=start.last, wait=0.05))
        assert [e.kind for e in reply.events][-1] == "heartbeat"
        assert reply.events[-1].inventory and reply.events[-1].inventory.name == node.hello().name

    def test_an_instance_has_a_console_log(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        node.ensure_instance(spec)
        node.console_log(p.ConsoleLogArgs(server_id=spec.server_id))
        short = node.console_log(p.ConsoleLogArgs(server_id=spec.server_id, lines=1)).output
        assert len(short.splitlines()) <= 1
        with pytest.raises(NodeError):
            node.console_log(p.ConsoleLogArgs(server_id=str(uuid.uuid4())))

    def test_a_running_guest_has_a_screen_and_a_serial_line(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        node.ensure_instance(spec)
        for _ in range(2):
            with node.open_console(p.ConsoleArgs(server_id=spec.server_id, kind="vnc")) as screen:
                screen.settimeout(10)
                assert screen.recv(12) == b"RFB 003.008\n"
                screen.sendall(b"RFB 003.008\n")
        with node.open_console(p.ConsoleArgs(server_id=spec.server_id, kind="serial")) as line:
            line.sendall(b"\n")
        node.power(p.PowerArgs(server_id=spec.server_id, action="stop", hard=True))
        for server_id in (spec.server_id, str(uuid.uuid4())):
            with pytest.raises(NodeError) as refused:
                node.open_console(p.ConsoleArgs(server_id=server_id, kind="vnc"))
            assert refused.value.kind == "not_found"

    def test_newer_metadata_of_a_server_which_is_not_here_is_nothing_to_do(self, node: p.Node) -> None:
        node.set_metadata(p.SetMetadata(server_id=str(uuid.uuid4()), documents=p.Documents(hostname="x")))

    # --- what is done to a server beyond starting and stopping it ---

    def test_a_guest_is_paused_and_suspended_and_goes_on(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        node.ensure_instance(spec)
        for action, then, desired in (
            ("pause", "paused", "running"), ("pause", "paused", "running"), ("unpause", "running", "running"),
            ("suspend", "shutdown", "suspended"), ("suspend", "shutdown", "suspended"), ("resume", "running", "running"),
        ):  # fmt: skip
            node.power(p.PowerArgs(server_id=spec.server_id, action=action))  # type: ignore[arg-type]
            state = self.state(node, spec.server_id)
            assert state and (state.power_state, state.desired) == (then, desired), action

    def test_a_snapshot_is_one_file_and_made_once(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        node.ensure_instance(spec)
        args = p.SnapshotArgs(server_id=spec.server_id, snapshot_id=str(uuid.uuid4()))
        made = node.make_snapshot(args)
        assert made == node.make_snapshot(args) and made.format == "qcow2"
        read = b"".join(node.read_file(p.FileRef(kind="snapshot", id=args.snapshot_id)))
        assert len(read) == made.size and read[:4] == b"QFI\xfb"
        assert args.snapshot_id in node.list_instances().snapshots
        node.remove_snapshot(args)
        node.remove_snapshot(args)
        assert args.snapshot_id not in node.list_instances().snapshots
        with pytest.raises(NodeError) as refused:
            list(node.read_file(p.FileRef(kind="snapshot", id=args.snapshot_id)))
        assert refused.value.kind == "not_found"

    def test_disks_are_put_aside_copied_and_taken_back(
        self, node: p.Node, image: p.Image, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        ref = p.ServerRef(spec.server_id)
        node.ensure_instance(spec)
        with pytest.raises(NodeError) as refused:
            node.put_aside(ref)
        assert refused.value.kind == "in_use"
        node.remove_instance(ref)
        files = node.put_aside(ref).files
        assert files and node.put_aside(ref).files == files
        for file in files:
            chunks = node.read_file(p.FileRef(kind="aside", id=spec.server_id, name=file.name))
            args = p.PutDisk(server_id=spec.server_id, name=file.name, size=file.size, image_id=image.image_id)
            node.put_disk(args, chunks)
        copies = p.CopyAside(server_id=spec.server_id, names=[file.name for file in files])
        node.copy_aside(copies)  # what is there already stays
        larger = replace(spec, disks=p.DiskSpec(root=p.RootDisk(image_id=image.image_id, size_gb=1)))
        assert node.ensure_disks(larger).disks[0].size == 1 << 30
        assert node.ensure_instance(larger).power_state == "running"
        node.remove_instance(ref)
        node.take_back(ref)
        state = self.state(node, spec.server_id)
        assert state and state.disks and not state.aside
        assert node.ensure_instance(spec).power_state == "running"
        node.remove_instance(ref)
        node.put_aside(ref)
        node.drop_aside(ref)
        node.drop_aside(ref)
        left = self.state(node, spec.server_id)
        assert left is None or not left.aside

    def test_disks_put_aside_are_copied_on_their_own_host(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        ref = p.ServerRef(spec.server_id)
        names = [file.name for file in node.put_aside(ref).files]
        for _ in range(2):
            node.copy_aside(p.CopyAside(server_id=spec.server_id, names=names))
        state = self.state(node, spec.server_id)
        assert state and state.disks == names and state.aside
        with pytest.raises(NodeError):
            node.copy_aside(p.CopyAside(server_id=spec.server_id, names=["swap.raw"]))
        node.ensure_instance(spec)
        node.remove_instance(ref)
        node.drop_aside(ref)

    def test_a_rescue_disk_comes_first_and_goes_again(
        self, node: p.Node, image: p.Image, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        rescue = p.RootDisk(image_id=image.image_id, size_gb=0)
        rescued = replace(spec, disks=p.DiskSpec(root=spec.disks.root, rescue=rescue))
        assert [disk.role for disk in node.ensure_disks(rescued).disks] == ["rescue", "root"]
        assert node.ensure_instance(rescued).power_state == "running"
        node.remove_instance(p.ServerRef(spec.server_id))
        assert [disk.role for disk in node.ensure_disks(spec).disks] == ["root"]

    def test_a_migration_that_goes_nowhere_is_given_up_and_the_guest_stays(
        self, node: p.Node, make: Callable[..., p.InstanceSpec]
    ) -> None:
        spec = make()
        ref, sent = p.ServerRef(spec.server_id), p.MigrateArgs(server_id=spec.server_id)
        with pytest.raises(NodeError) as refused:
            node.migrate(sent)
        assert refused.value.kind == "not_found"
        node.ensure_instance(spec)
        assert node.migration(ref).state == "none"
        node.migrate(sent)
        node.migrate(sent)
        assert node.migration(ref).state == "running"
        node.end_migration(ref)
        for _ in range(100):
            if node.migration(ref).state == "failed":
                break
            time.sleep(0.1)
        assert node.migration(ref).state == "failed"
        for way in ("libvirt", "memory", "disks"):
            with pytest.raises(NodeError):
                node.take_stream(p.StreamArgs(server_id=spec.server_id, way=way))  # type: ignore[arg-type]
        node.end_migration(ref)
        assert node.migration(ref).state == "none"
        state = self.state(node, spec.server_id)
        assert state and state.power_state == "running"

    def test_what_a_guest_uses_is_counted(self, node: p.Node, make: Callable[..., p.InstanceSpec]) -> None:
        spec = make()
        node.ensure_instance(spec)
        told = node.diagnostics(p.ServerRef(spec.server_id))
        assert (told.power_state, told.memory_mb, len(told.cpu_ns)) == ("running", 64, 1)
        with pytest.raises(NodeError):
            node.diagnostics(p.ServerRef(str(uuid.uuid4())))
