"""The real node on real libvirt, QEMU, Open vSwitch and OVN: the contract, and guests that boot, stay and come back."""

import hashlib
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pileus.node import protocol as p
from pileus.node.errors import NodeUnavailable
from tests.live.cloud import guest_image
from tests.live.node_lab import NodeLab, wait_for
from tests.node_contract import NodeContract, spec_of

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeLab]:
    folder = tmp_path_factory.mktemp("host")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # QEMU runs as a user of its own, who must get to its disks
    lab = NodeLab(folder)
    try:
        lab.start_node()
        yield lab
    finally:
        lab.close()


class TestTheRealNodeObeysTheContract(NodeContract):
    @pytest.fixture
    def node(self, lab: NodeLab) -> p.Node:
        return lab.client


@pytest.fixture(scope="module")
def metadata(lab: NodeLab) -> p.MetadataArgs:
    args = lab.make_network()
    lab.client.ensure_metadata(args)
    return args


@pytest.fixture(scope="module")
def image(lab: NodeLab) -> p.Image:
    """The project's own guest; PILEUS_GUEST_IMAGE names one that is built already."""
    given = os.environ.get("PILEUS_GUEST_IMAGE")
    path = Path(given) if given else guest_image()
    content = path.read_bytes()
    args = p.PutImage(
        image_id=str(uuid.uuid4()), size=len(content), sha512=hashlib.sha512(content).hexdigest(), format="qcow2"
    )
    return lab.client.put_image(args, [content])


Boot = Callable[..., p.InstanceSpec]


@pytest.fixture
def boot(lab: NodeLab, image: p.Image, metadata: p.MetadataArgs) -> Iterator[Boot]:
    """Makes a guest that says what its user data echo; undone at the end, and nothing must be left.

    With a config drive unless told otherwise: a guest without metadata would say nothing of anything else.
    """
    made = []

    def boot(script: str = "", **changes: object) -> p.InstanceSpec:
        root = p.RootDisk(image_id=image.image_id, size_gb=1)
        disks = changes.pop("disks", p.DiskSpec(root=root, config_drive=True))
        documents = p.Documents(
            hostname="guest.novalocal",
            user_data=f"#!/bin/sh\n{script}\necho all-done\n".encode(),
            image_id=image.image_id,
            instance_type="m1.tiny",
        )
        spec = spec_of(
            image.image_id, memory_mb=128, nics=[lab.make_nic()], disks=disks, documents=documents, **changes
        )
        made.append(spec)
        lab.client.ensure_disks(spec)
        lab.client.ensure_instance(spec)
        return spec

    yield boot
    for spec in made:
        lab.client.remove_instance(p.ServerRef(spec.server_id))
        lab.client.remove_disks(p.ServerRef(spec.server_id))
    report = lab.client.list_instances()
    assert (report.instances, report.stray_taps) == ([], [])


def console(lab: NodeLab, spec: p.InstanceSpec) -> str:
    return lab.client.console_log(p.ConsoleLogArgs(server_id=spec.server_id)).output


def says(lab: NodeLab, spec: p.InstanceSpec, words: str, times: int = 1, seconds: float = 90) -> str:
    try:
        wait_for(lambda: console(lab, spec).count(words) >= times, seconds)
    except AssertionError:
        raise AssertionError(f"the guest never said {words!r}:\n{console(lab, spec)[-4000:]}") from None
    return console(lab, spec)


def power_of(lab: NodeLab, spec: p.InstanceSpec) -> p.PowerState:
    return next(i.power_state for i in lab.client.list_instances().instances if i.server_id == spec.server_id)


def pid_of(lab: NodeLab, name: str) -> int:
    return int((lab.folder / "hosts/node-1/run" / f"{name}.pid").read_text())


def qemu_pids(lab: NodeLab, spec: p.InstanceSpec) -> list[str]:
    return lab.inside("pgrep", "-f", f"guest=instance-{spec.server_id}", check=False).split()


def test_a_guest_learns_of_itself_from_the_metadata_service(lab: NodeLab, boot: Boot, image: p.Image) -> None:
    """Over the network: DHCP, the route to 169.254.169.254, both trees; nobody else's documents."""
    base = "http://169.254.169.254"
    spec = boot(
        f"echo ec2=$(curl -sf {base}/latest/meta-data/instance-id)\n"
        f"echo six=$(curl -sf --retry 5 --retry-all-errors --retry-delay 1 -g 'http://[fe80::a9fe:a9fe%25eth0]/latest/meta-data/instance-id')\n"
        f"echo ip=$(curl -sf {base}/latest/meta-data/local-ipv4)\n"
        f"curl -sf {base}/openstack/latest/nothing || echo refused\necho name=$(hostname)",
        disks=p.DiskSpec(root=p.RootDisk(image_id=image.image_id, size_gb=1)),
    )
    said = says(lab, spec, "all-done")
    assert f"{spec.server_id} from metadata service" in said
    assert f"six=i-{spec.server_id[:8]}" in said
    assert f"ec2=i-{spec.server_id[:8]}" in said
    assert f"ip={spec.nics[0].fixed_ips[0].address}" in said
    assert "refused" in said
    assert "name=guest" in said


def test_a_guest_learns_of_itself_from_its_config_drive_and_finds_its_disks(
    lab: NodeLab, boot: Boot, image: p.Image
) -> None:
    disks = p.DiskSpec(
        root=p.RootDisk(image_id=image.image_id, size_gb=1),
        ephemerals=[p.EphemeralDisk(size_gb=1)],
        swap_mb=64,
        config_drive=True,
    )
    spec = boot("lsblk -bno NAME,SIZE; blkid", disks=disks)
    said = says(lab, spec, "all-done")
    assert f"{spec.server_id} from config drive" in said
    assert 'LABEL="ephemeral0"' in said
    assert 'TYPE="swap"' in said
    assert "vda" in said and "1073741824" in said


def test_qemu_does_not_run_as_root_and_the_base_stays_as_it_was(lab: NodeLab, boot: Boot, image: p.Image) -> None:
    spec = boot()
    (pid,) = qemu_pids(lab, spec)
    assert os.stat(f"/proc/{pid}").st_uid != 0
    base = Path(lab.host["dir_outside"]) / "base" / image.image_id
    assert base.stat().st_mode & 0o777 == 0o444
    assert base.stat().st_uid == 0
    says(lab, spec, "all-done")
    assert hashlib.sha512(base.read_bytes()).hexdigest() == image.sha512


def test_the_power_button_is_heard_and_a_soft_reboot_keeps_the_log(lab: NodeLab, boot: Boot) -> None:
    spec = boot()
    says(lab, spec, "all-done")
    lab.client.power(p.PowerArgs(server_id=spec.server_id, action="reboot", timeout=40))
    says(lab, spec, "from config drive", times=2)
    assert power_of(lab, spec) == "running"
    lab.client.power(p.PowerArgs(server_id=spec.server_id, action="stop", timeout=40))
    wait_for(lambda: power_of(lab, spec) == "shutdown", 35, "the guest did not hear the power button")
    lab.client.power(p.PowerArgs(server_id=spec.server_id, action="start"))
    says(lab, spec, "login:", times=3)


def test_a_guest_that_hears_nothing_is_stopped_in_the_end(lab: NodeLab, boot: Boot) -> None:
    spec = boot()  # its firmware still searches for something to boot
    lab.client.power(p.PowerArgs(server_id=spec.server_id, action="stop", timeout=1))
    wait_for(lambda: power_of(lab, spec) == "shutdown", 10)


def test_a_guest_that_turns_itself_off_stays_off(lab: NodeLab, boot: Boot) -> None:
    start = lab.client.events(p.EventsArgs(wait=0))
    spec = boot("poweroff")
    seen: list[p.Event] = []

    def told() -> bool:
        reply = lab.client.events(
            p.EventsArgs(epoch=start.epoch, after=max([start.last, *[e.seq for e in seen]]), wait=2)
        )
        seen.extend(e for e in reply.events if e.kind == "power" and e.server_id == spec.server_id)
        return bool(seen) and seen[-1].power_state == "shutdown"

    wait_for(told, 60)
    assert seen[-1].cause == "guest"
    lab.stop_node()
    lab.start_node()
    state = next(i for i in lab.client.list_instances().instances if i.server_id == spec.server_id)
    assert (state.power_state, state.desired) == ("shutdown", "shutdown")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_guests_live_through_the_nodes_end_and_metadata_answers_again(
    lab: NodeLab, boot: Boot, metadata: p.MetadataArgs, how: int
) -> None:
    spec = boot("while ! curl -sf http://169.254.169.254/latest/meta-data/instance-id >/dev/null; do sleep 1; done; "
                "echo first; sleep 4; "
                "while ! curl -sf -m 2 http://169.254.169.254/latest/meta-data/instance-id; do sleep 1; done")  # fmt: skip
    says(lab, spec, "first")
    before = qemu_pids(lab, spec)
    code = lab.stop_node(how)
    assert code == (0 if how == signal.SIGTERM else -how)
    with pytest.raises(NodeUnavailable):
        lab.client.hello()
    lab.start_node()
    assert lab.client.list_instances().networks == [metadata.network_id]
    says(lab, spec, "all-done")
    assert qemu_pids(lab, spec) == before


def test_the_node_finds_a_restarted_libvirtd_again(lab: NodeLab, boot: Boot) -> None:
    spec = boot()
    before = qemu_pids(lab, spec)
    old = pid_of(lab, "libvirtd")
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: _changed(lab, "libvirtd", old), 20, "nobody started libvirtd again")
    wait_for(lab._answers, 20, "the node did not reconnect")
    assert power_of(lab, spec) == "running"
    assert qemu_pids(lab, spec) == before


def _changed(lab: NodeLab, name: str, old: int) -> bool:
    try:
        return pid_of(lab, name) != old
    except (OSError, ValueError):
        return False


def test_a_killed_guest_is_reported_as_crashed(lab: NodeLab, boot: Boot) -> None:
    start = lab.client.events(p.EventsArgs(wait=0))
    spec = boot()
    (pid,) = qemu_pids(lab, spec)
    os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: power_of(lab, spec) == "crashed", 10)
    events = lab.client.events(p.EventsArgs(epoch=start.epoch, after=start.last, wait=1)).events
    assert ("crashed", "crash") in [(e.power_state, e.cause) for e in events if e.server_id == spec.server_id]


def test_after_a_power_cut_the_guests_come_back(lab: NodeLab, boot: Boot) -> None:
    spec, off = boot(), boot(power="shutdown")
    says(lab, spec, "all-done")
    lab.stop_node(signal.SIGKILL)
    lab.stop_engines()
    lab.start_engines()
    lab.start_node()
    wait_for(lambda: power_of(lab, spec) == "running", 30, "the guest is not back")
    says(lab, spec, "from config drive", times=2)
    assert power_of(lab, off) == "shutdown"


def test_a_tap_of_nobody_is_swept_off_the_switch(lab: NodeLab) -> None:
    vsctl = ("ovs-vsctl", f"--db={lab.host['ovsdb']}", "--timeout=10")
    lab.inside(
        *vsctl, "add-port", "br-int", "tapdeadbeef-00", "--", "set", "interface", "tapdeadbeef-00", "type=internal"
    )
    assert lab.client.list_instances().stray_taps == ["tapdeadbeef-00"]
    wait_for(lambda: "tapdeadbeef-00" not in lab.inside(*vsctl, "list-ports", "br-int"), 40)


def test_a_metadata_listener_is_moved_and_removed_without_a_trace(lab: NodeLab, metadata: p.MetadataArgs) -> None:
    device = "pmd" + metadata.network_id[:11]
    assert device in lab.inside("ip", "-br", "link")
    lab.client.ensure_metadata(metadata)
    lab.client.remove_metadata(p.NetworkRef(metadata.network_id))
    lab.client.remove_metadata(p.NetworkRef(metadata.network_id))
    assert device not in lab.inside("ip", "-br", "link")
    assert device not in lab.inside("ovs-vsctl", f"--db={lab.host['ovsdb']}", "list-ports", "br-int")
    lab.client.ensure_metadata(metadata)


def test_a_socket_left_by_a_killed_node_is_no_obstacle(lab: NodeLab) -> None:
    lab.stop_node(signal.SIGKILL)
    assert Path(lab.host["socket"]).exists()
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError):
        probe.connect(lab.host["socket"])
    lab.start_node()
    assert lab.client.hello().name == lab.host["name"]
