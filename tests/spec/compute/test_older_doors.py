"""What clients of old ask compute for, and other services have by now: hosts, networks, floating IPs, images."""

from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Client, World
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_image, make_network

IMAGES = f"{COMPUTE}/images"


def test_hosts_are_listed_by_zone_shown_and_disabled(fresh: World) -> None:
    from pileus.compute import hosts

    admin = fresh.client("admin", "manager", "member", "reader")
    with fresh.cloud.db.write() as tx:
        hosts.report(tx, "one", None)
    path = f"{COMPUTE}/os-hosts"
    line = {"host_name": "one", "service": "compute", "zone": "nova"}
    assert admin.get(path).ok() == admin.get(f"{path}?zone=").ok() == {"hosts": [line]}
    assert admin.get(f"{path}?zone=mars").ok() == {"hosts": []}
    assert admin.get(f"{path}/one").ok()["host"][0]["resource"]["host"] == "one"
    assert admin.put(f"{path}/one", {"status": "disable"}).ok() == {"host": "one", "status": "disabled"}
    for body in ({}, {"status": "broken"}, {"maintenance_mode": "maybe"}, {"colour": "red"}):
        admin.put(f"{path}/one", body).refused(400)
    admin.put(f"{path}/one", {"maintenance_mode": "enable"}).refused(501)
    for verb in ("startup", "shutdown", "reboot"):
        admin.get(f"{path}/one/{verb}").refused(501)
        admin.get(f"{path}/two/{verb}").refused(404)
    admin.at("2.43").get(path).refused(404)


@pytest.mark.parametrize("door", ["os-networks", "os-tenant-networks"])
def test_networks_are_listed_and_shown(member: Client, stranger: Client, door: str) -> None:
    network_id = make_network(member, "mine")
    path = f"{COMPUTE}/{door}"
    assert network_id in {each["id"] for each in member.get(path).ok()["networks"]}
    assert member.get(f"{path}/{network_id}").ok()["network"]["label"] == "mine"
    assert network_id not in {each["id"] for each in stranger.get(path).ok()["networks"]}
    stranger.get(f"{path}/{network_id}").refused(404)
    member.at("2.36").get(path).refused(404)


# -- floating IPs ------------------------------------------------------------------------------------------------------

NET = "/network/v2.0"


@pytest.fixture
def outside(admin: Client, member: Client) -> str:
    """The name of an external network to which the member's network is routed."""
    name = f"out-{clock.new_id()}"
    network = {"name": name, "router:external": True}
    network_id = admin.post(f"{NET}/networks", {"network": network}).ok(201)["network"]["id"]
    subnet = {"network_id": network_id, "cidr": "172.30.0.0/28", "ip_version": 4, "enable_dhcp": False}
    admin.post(f"{NET}/subnets", {"subnet": subnet}).ok(201)
    inside = make_network(member)
    subnet_id = member.get(f"{NET}/networks/{inside}").ok()["network"]["subnets"][0]
    router = {"name": "r", "external_gateway_info": {"network_id": network_id}}
    router_id = member.post(f"{NET}/routers", {"router": router}).ok(201)["router"]["id"]
    member.put(f"{NET}/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id}).ok()
    return name


def test_a_floating_ip_is_taken_led_to_a_server_and_given_back(
    servers: Servers, outside: str, member: Client, stranger: Client
) -> None:
    path = f"{COMPUTE}/os-floating-ips"
    assert outside in {pool["name"] for pool in member.get(f"{COMPUTE}/os-floating-ip-pools").ok()["floating_ip_pools"]}
    member.post(path, {"pool": "nothing"}).refused(404, "nothing")
    member.post(path, {"pool": 7}).refused(400)
    made = member.post(path, {"pool": outside}).ok(200)["floating_ip"]
    server_id, other_id = servers.active(), servers.active()
    for target in (server_id, other_id):
        member.post(f"{SERVERS}/{target}/action", {"addFloatingIp": {"address": made["ip"]}}).ok(202)
        assert member.get(f"{path}/{made['id']}").ok()["floating_ip"]["instance_id"] == target
    second = member.post(path, {"pool": outside}).ok(200)["floating_ip"]
    action = f"{SERVERS}/{other_id}/action"
    member.post(action, {"addFloatingIp": {"address": second["ip"]}}).refused(400)
    member.post(action, {"addFloatingIp": {"address": "0.0.0.0"}}).refused(404)
    member.post(action, {"addFloatingIp": {"address": made["ip"], "fixed_address": "10.9.9.9"}}).refused(400)
    member.post(action, {"removeFloatingIp": {"address": second["ip"]}}).refused(409)
    member.post(action, {"removeFloatingIp": {"address": made["ip"]}}).ok(202)
    assert member.get(f"{path}/{made['id']}").ok()["floating_ip"]["instance_id"] is None
    assert {each["id"] for each in member.get(path).ok()["floating_ips"]} == {made["id"], second["id"]}
    stranger.get(f"{path}/{made['id']}").refused(404)
    member.delete(f"{path}/{made['id']}").ok(202)
    member.get(f"{path}/{made['id']}").refused(404)


# -- images ------------------------------------------------------------------------------------------------------------


def test_images_are_listed_shown_and_deleted(servers: Servers, member: Client, stranger: Client) -> None:
    image_id = make_image(member, name="mine", min_ram=64)
    shown = member.get(f"{IMAGES}/{image_id}").ok()["image"]
    assert (shown["status"], shown["progress"], shown["minRam"]) == ("ACTIVE", 100, 64)
    assert shown in member.get(f"{IMAGES}/detail").ok()["images"]
    listed = member.get(IMAGES).ok()["images"]
    assert {image_id, servers.image_id} <= {each["id"] for each in listed}
    stranger.get(f"{IMAGES}/{image_id}").refused(404)
    member.delete(f"{IMAGES}/{image_id}").ok(204)
    member.get(f"{IMAGES}/{image_id}").refused(404)
    member.delete(f"{IMAGES}/{servers.image_id}").refused(404)
    member.get(f"{IMAGES}/").refused(404)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=copy", {"copy"}),
        ("type=snapshot", {"copy"}),
        ("server=$server", {"copy"}),
        ("server=http://cloud.test:5000/compute/servers/$server", {"copy"}),
        ("minRam=100&name=older", {"older"}),
        ("name=older&status=ACTIVE", {"older"}),
        ("name=older&status=SAVING", set()),
        ("name=older&changes-since=2099-01-01T00:00:00Z", set()),
    ],
)
def test_images_are_found_by_what_they_are(servers: Servers, member: Client, query: str, expected: set[str]) -> None:
    make_image(member, name="older", min_ram=128)
    server_id = servers.active()
    servers.do(server_id, "createImage", {"name": "copy"}).ok(202)
    servers.reaches("ACTIVE", server_id)
    found = member.get(f"{IMAGES}/detail?{query.replace('$server', server_id)}").ok()["images"]
    assert {each["name"] for each in found} == expected


def test_a_list_of_images_comes_in_pages(member: Client) -> None:
    make_image(member)
    first = member.get(f"{IMAGES}?limit=1").ok()["images"]
    assert len(first) == 1
    rest = member.get(f"{IMAGES}?marker={first[0]['id']}").ok()["images"]
    assert first[0]["id"] not in {each["id"] for each in rest}
    member.get(f"{IMAGES}?marker=nothing").refused(400)
    member.get(f"{IMAGES}?changes-since=soon").refused(400)


def test_an_images_properties_are_its_metadata(servers: Servers, member: Client) -> None:
    path = f"{IMAGES}/{make_image(member)}/metadata"
    steps: list[tuple[str, str, Any, Any]] = [
        ("POST", "", {"metadata": {"a": "1"}}, {"metadata": {"a": "1"}}),
        ("PUT", "/b", {"meta": {"b": "2"}}, {"meta": {"b": "2"}}),
        ("GET", "", None, {"metadata": {"a": "1", "b": "2"}}),
        ("GET", "/b", None, {"meta": {"b": "2"}}),
        ("PUT", "", {"metadata": {"c": "3"}}, {"metadata": {"c": "3"}}),
    ]
    for method, tail, body, answer in steps:
        assert member.request(method, path + tail, body).ok(200) == answer
    member.delete(f"{path}/c").ok(204)
    member.get(f"{path}/c").refused(404)
    member.put(f"{path}/d", {"meta": {"e": "1"}}).refused(400)
    member.post(f"{IMAGES}/{servers.image_id}/metadata", {"metadata": {"a": "1"}}).refused(404)
    member.at("2.39").get(path).refused(404)


# -- newer versions ----------------------------------------------------------------------------------------------------


def test_newer_versions_show_more_and_pin_a_server_to_its_zone(servers: Servers, member: Client) -> None:
    server_id = servers.active(availability_zone="nova")
    path = f"{SERVERS}/{server_id}"
    assert member.at("2.97").get(f"{path}/shares").ok() == {"shares": []}
    member.at("2.97").post(f"{path}/shares", {"share": {}}).refused(501)
    assert "properties" not in member.at("2.97").get(path).ok()["server"]["image"]
    newest = member.at("2.100").get(path).ok()["server"]
    assert (newest["image"]["properties"], newest["scheduler_hints"]) == ({}, {})
    member.at("2.103").put(path, {"server": {"pinned_availability_zone": None}}).refused(400)
    for zone in (None, "nova"):
        changed = member.at("2.104").put(path, {"server": {"pinned_availability_zone": zone}}).ok()["server"]
        assert changed["pinned_availability_zone"] == zone


def test_a_certificate_is_made_for_guests_that_take_those(member: Client) -> None:
    made = (
        member.at("2.2").post(f"{COMPUTE}/os-keypairs", {"keypair": {"name": "w", "type": "x509"}}).ok(201)["keypair"]
    )
    assert made["public_key"].startswith("-----BEGIN CERTIFICATE") and made["private_key"].startswith("-----BEGIN")
