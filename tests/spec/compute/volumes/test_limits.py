"""What a volume type's front-end QoS specs let a guest do to its volumes."""

import pytest

from pileus.block_storage.limits import numbers
from pileus.core import clock
from pileus.node import protocol as p
from pileus.node.vm.domain import VolumeDisk, volume_xml
from tests.harness import Client, World
from tests.spec.block_storage.conftest import VOLUME, Volumes
from tests.spec.compute.volumes.conftest import attach, of_guest


def limited_type(admin: Client, consumer: str, **specs: str) -> str:
    name = f"limited-{clock.new_id()}"
    qos = admin.post(f"{VOLUME}/qos-specs", {"qos_specs": {"name": name, "consumer": consumer, **specs}}).ok()
    made = admin.post(f"{VOLUME}/types", {"volume_type": {"name": name}}).ok()["volume_type"]["id"]
    admin.get(f"{VOLUME}/qos-specs/{qos['qos_specs']['id']}/associate?vol_type_id={made}").ok(202)
    return name


@pytest.mark.parametrize(
    ("consumer", "limits"), [("front-end", {"total_iops_sec": 40}), ("both", {"total_iops_sec": 40}), ("back-end", {})]
)
def test_a_guests_host_is_told_what_its_volume_may_do(
    world: World, admin: Client, member: Client, server_id: str, volumes: Volumes, consumer: str, limits: dict[str, int]
) -> None:
    kind = limited_type(admin, consumer, total_iops_sec_per_gb="20", colour="red")
    volume_id = volumes.available(size=2, volume_type=kind)
    attach(member, server_id, volume_id).ok(200)
    volumes.reaches("in-use", volume_id)
    assert of_guest(world, server_id)[volume_id].limits == limits


@pytest.mark.parametrize(
    ("specs", "limits"),
    [
        ({"read_bytes_sec": "1000", "write_iops_sec": "7"}, {"read_bytes_sec": 1000, "write_iops_sec": 7}),
        ({"total_iops_sec": "5", "total_iops_sec_per_gb": "2"}, {"total_iops_sec": 20}),
        ({"total_iops_sec_per_gb": "2", "total_iops_sec_per_gb_min": "50"}, {"total_iops_sec": 50}),
        ({"read_iops_sec_per_gb": "0.25"}, {"read_iops_sec": 2}),
        ({"read_iops_sec": "0", "write_iops_sec": "-4", "total_bytes_sec": "much", "size_iops_sec": ""}, {}),
        ({"read_iops_sec": "inf", "write_iops_sec": "nan", "total_bytes_sec": "1e400"}, {}),
        ({"read_bytes_sec": "1e30"}, {"read_bytes_sec": (1 << 63) - 1}),
        ({"read_iops_sec_max": "9"}, {"read_iops_sec_max": 9}),
        ({"maxIOPS": "100"}, {}),
    ],
)  # fmt: skip
def test_specs_are_numbers_for_a_volume_of_ten_gib(specs: dict[str, str], limits: dict[str, int]) -> None:
    assert numbers(specs, 10) == limits


def test_libvirt_is_told_by_its_own_names() -> None:
    volume = p.AttachedVolume(volume_id="v", device="vdb", limits={"total_iops_sec": 40, "read_bytes_sec": 7})
    xml = volume_xml(VolumeDisk(volume, "vdb", "virtio", "/v"))
    assert "<iotune><read_bytes_sec>7</read_bytes_sec><total_iops_sec>40</total_iops_sec></iotune>" in xml
