"""What a cloud on one machine is made of: decided without starting anything."""

from pathlib import Path

import pytest

from pileus.deploy import plan, state, up
from pileus.deploy.errors import DeployError


def cloud(folder: Path, nodes: int = 2, fake: bool = False) -> state.Cloud:
    return state.new(folder, port=5000, nodes=nodes, fake=fake)


def test_every_process_comes_after_those_it_needs(tmp_path: Path) -> None:
    seen: set[str] = set()
    made = cloud(tmp_path)
    for process in [*plan.engines(made), *plan.services(made)]:
        assert set(process.needs) <= seen, process.name
        seen.add(process.name)


def test_a_host_has_its_own_engines_and_a_node(tmp_path: Path) -> None:
    made = cloud(tmp_path, nodes=3)
    names = {process.name for process in [*plan.engines(made), *plan.services(made)]}
    for host in ("node-1", "node-2", "node-3"):
        for engine in ("hold", "ovsdb-server", "ovs-vswitchd", "ovn-controller", "virtlogd", "libvirtd", "node"):
            assert f"{host}/{engine}" in names


def test_no_two_processes_share_a_pid_file(tmp_path: Path) -> None:
    made = cloud(tmp_path)
    files = [process.pidfile for process in [*plan.engines(made), *plan.services(made)]]
    assert len(files) == len(set(files))


def test_a_fake_cloud_is_one_process(tmp_path: Path) -> None:
    made = cloud(tmp_path, fake=True)
    assert [process.name for process in [*plan.engines(made), *plan.services(made)]] == ["serve"]


def test_hosts_keep_their_libvirt_uuid_and_differ(tmp_path: Path) -> None:
    made = cloud(tmp_path)
    made.folder.mkdir(exist_ok=True)
    made.save()
    again = state.read(tmp_path)
    assert again is not None
    assert [host.uuid for host in again.hosts] == [host.uuid for host in made.hosts]
    assert len({host.uuid for host in made.hosts}) == 2


def test_guests_are_confined() -> None:
    conf = plan.qemu_conf(cloud(Path("/x")).hosts[0])
    assert "seccomp_sandbox = 1" in conf


def test_libvirt_listens_on_no_network(tmp_path: Path) -> None:
    conf = plan.libvirtd_conf(cloud(tmp_path).hosts[0])
    assert "listen_tcp = 0" in conf and "listen_tls = 0" in conf


def test_a_too_long_state_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="choose a shorter --state"):
        cloud(tmp_path / ("x" * 100))


def test_device_and_namespace_names_fit_the_kernel(tmp_path: Path) -> None:
    assert len(cloud(tmp_path).prefix) <= 15


def test_what_an_operator_added_to_the_configuration_stays(tmp_path: Path) -> None:
    made = cloud(tmp_path)
    made.save()
    text = (tmp_path / "cloud.json").read_text().replace("{", '{"policy_file": "/etc/p.yaml",', 1)
    (tmp_path / "cloud.json").write_text(text)
    made.save()
    assert "/etc/p.yaml" in (tmp_path / "cloud.json").read_text()


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = state.passwords(tmp_path)
    assert state.passwords(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_exports_survive_a_password_with_a_quote(tmp_path: Path) -> None:
    made = cloud(tmp_path)
    state.write(tmp_path / "secrets.json", '{"admin_password": "a\'b $c", "demo_password": "d"}', mode=0o600)
    assert """export OS_PASSWORD='a'"'"'b $c'""" in state.export_lines(made, "admin")


def test_a_cloud_grows_but_does_not_shrink(tmp_path: Path) -> None:
    cloud(tmp_path, nodes=2).save()
    assert up.prepare(tmp_path, port=None, nodes=3, fake=False).nodes == 3
    with pytest.raises(DeployError, match="not shrink"):
        up.prepare(tmp_path, port=None, nodes=1, fake=False)


def test_a_real_cloud_is_not_started_as_a_fake_one(tmp_path: Path) -> None:
    cloud(tmp_path).save()
    with pytest.raises(DeployError, match="choose another --state"):
        up.prepare(tmp_path, port=None, nodes=None, fake=True)
