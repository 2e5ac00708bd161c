"""What a guest will be, as libvirt's words, from a server's description."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.node import protocol as p
from pileus.node.vm.domain import Host, domain_name, domain_xml, server_of
from tests.node_contract import spec_of

DISKS = [
    p.Disk(
        role="root", device="vda", path="/d/root.qcow2", format="qcow2", size=1 << 30, base="/b/i", base_format="raw"
    ),
    p.Disk(role="config", device="vdb", path="/d/config.iso", format="raw", size=4096),
]
NIC = p.Nic(port_id="0a1b2c3d-4e5f-6789-abcd-ef0123456789", mac="fa:16:3e:00:00:05", network_id="n", mtu=1442)


def described(host: Host = Host(), **changes: object) -> ET.Element:  # noqa: B008
    return ET.fromstring(domain_xml(spec_of("image", nics=[NIC], **changes), DISKS, "/d/console.log", host))


def one(domain: ET.Element, path: str) -> ET.Element:
    found = domain.findall(path)
    assert len(found) == 1, path
    return found[0]


def test_the_domain_is_the_server() -> None:
    spec = spec_of("image")
    domain = ET.fromstring(domain_xml(spec, [], "/d/console.log", Host()))
    assert domain.findtext("uuid") == spec.server_id
    assert domain.findtext("name") == domain_name(spec.server_id)
    assert server_of(domain_name(spec.server_id), spec.server_id) == spec.server_id
    assert server_of("debian", spec.server_id) is None
    assert one(domain, "metadata/{https://pileus.dev/xmlns/libvirt/1}server") is not None


def test_size_and_power_button() -> None:
    domain = described(vcpus=3, memory_mb=512)
    assert domain.findtext("vcpu") == "3"
    assert (one(domain, "memory").text, one(domain, "memory").get("unit")) == ("512", "MiB")
    assert domain.find("features/acpi") is not None


@pytest.mark.parametrize(("accel", "kind", "cpu"), [("tcg", "qemu", "maximum"), ("kvm", "kvm", "host-passthrough")])
def test_acceleration(accel: str, kind: str, cpu: str) -> None:
    domain = described(Host(accel=accel))
    assert domain.get("type") == kind
    assert one(domain, "cpu").get("mode") == cpu


def test_disks_in_order_and_the_config_drive_read_only() -> None:
    disks = described().findall("devices/disk")
    assert [(one(d, "target").get("dev"), one(d, "driver").get("type")) for d in disks] == [
        ("vda", "qcow2"),
        ("vdb", "raw"),
    ]
    assert [d.find("readonly") is not None for d in disks] == [False, True]


def test_the_base_under_a_root_disk_is_named_and_keeps_its_owner() -> None:
    base = one(described(), "devices/disk/backingStore")
    assert (one(base, "source").get("file"), one(base, "format").get("type")) == ("/b/i", "raw")
    assert one(base, "source/seclabel").get("relabel") == "no"
    assert one(base, "backingStore") is not None


def test_an_interface_joins_its_logical_port() -> None:
    nic = one(described(), "devices/interface")
    assert one(nic, "virtualport/parameters").get("interfaceid") == NIC.port_id
    assert one(nic, "target").get("dev") == "tap0a1b2c3d-4e"
    assert len("tap0a1b2c3d-4e") < 16
    assert one(nic, "mac").get("address") == NIC.mac
    assert one(nic, "mtu").get("size") == "1442"


def test_checksums_are_finished_by_the_guest_only_where_the_datapath_cannot() -> None:
    assert one(described(Host(userspace_datapath=True)), "devices/interface/driver/host").get("csum") == "off"
    assert described(Host(userspace_datapath=False)).find("devices/interface/driver") is None


def test_the_console_is_logged_and_appended() -> None:
    log = one(described(), "devices/serial/log")
    assert (log.get("file"), log.get("append")) == ("/d/console.log", "on")


@given(st.text())
def test_no_name_breaks_the_description(name: str) -> None:
    ET.fromstring(domain_xml(spec_of("image", name=name), [], "/d/console.log", Host()))
