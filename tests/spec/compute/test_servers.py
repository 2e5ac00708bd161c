"""Servers from create to delete, as a client meets them."""

from tests.harness import Client, World
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_image, make_network


def test_a_server_comes_to_life_with_an_address(servers: Servers, network_id: str) -> None:
    server_id = servers.active()
    server = servers.show(server_id)
    assert server["addresses"]["inside"][0]["OS-EXT-IPS:type"] == "fixed"
    assert server["security_groups"] == [{"name": "default"}]
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["hostId"]


def test_the_answer_to_a_create_names_the_server_and_its_password(servers: Servers, member: Client) -> None:
    answer = member.post(SERVERS, servers.body(adminPass="secret"))
    made = answer.ok(202)["server"]
    assert made["adminPass"] == "secret"
    assert answer.headers["location"].endswith(f"/servers/{made['id']}")
    assert set(made) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}


def test_a_deleted_server_is_gone_with_its_port_and_claim(
    servers: Servers, network_id: str, member: Client, world: World
) -> None:
    server_id = servers.active()
    assert member.get(f"/network/v2.0/ports?device_id={server_id}").ok()["ports"]
    member.delete(f"{SERVERS}/{server_id}").ok(204)
    servers.gone(server_id)
    assert member.get(f"/network/v2.0/ports?device_id={server_id}").ok()["ports"] == []
    assert all(server_id not in node.instances for node in world.cloud.drivers["compute"].fakes.values())
    assert member.get(f"{COMPUTE}/limits").ok()["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_a_server_stops_starts_and_reboots(servers: Servers) -> None:
    server_id = servers.active()
    servers.do(server_id, "os-stop").ok(202)
    assert servers.reaches("SHUTOFF", server_id)["OS-EXT-STS:power_state"] == 4
    servers.do(server_id, "os-start").ok(202)
    servers.reaches("ACTIVE", server_id)
    for kind in ("SOFT", "HARD"):
        servers.do(server_id, "reboot", {"type": kind}).ok(202)
        servers.reaches("ACTIVE", server_id)


def test_what_the_state_does_not_allow_is_a_conflict(servers: Servers) -> None:
    server_id = servers.active()
    servers.do(server_id, "os-start").refused(409, "vm_state active")
    servers.do(server_id, "os-stop").ok(202)
    servers.reaches("SHUTOFF", server_id)
    servers.do(server_id, "os-stop").refused(409, "vm_state stopped")
    servers.do(server_id, "reboot", {"type": "SOFT"}).refused(409)


def test_the_console_shows_what_the_guest_wrote(servers: Servers) -> None:
    server_id = servers.active()
    assert "login:" in servers.do(server_id, "os-getConsoleOutput", {}).ok(200)["output"]
    assert servers.do(server_id, "os-getConsoleOutput", {"length": 2}).ok(200)["output"].count("\n") == 1


def test_the_action_log_tells_what_was_asked(servers: Servers, member: Client) -> None:
    server_id = servers.active()
    servers.do(server_id, "os-stop").ok(202)
    servers.reaches("SHUTOFF", server_id)
    listed = member.get(f"{SERVERS}/{server_id}/os-instance-actions").ok()["instanceActions"]
    assert [entry["action"] for entry in listed] == ["stop", "create"]
    shown = member.at("2.51").get(f"{SERVERS}/{server_id}/os-instance-actions/{listed[0]['request_id']}").ok()
    assert shown["instanceAction"]["events"][0]["result"] == "Success"


def test_another_project_does_not_see_it(servers: Servers, stranger: Client) -> None:
    server_id = servers.active()
    stranger.get(f"{SERVERS}/{server_id}").refused(404)
    stranger.delete(f"{SERVERS}/{server_id}").refused(404)
    assert stranger.get(SERVERS).ok()["servers"] == []


def test_a_reader_sees_and_does_not_change(world: World, servers: Servers) -> None:
    reader = world.client("reader", project_id=servers.client.project_id)
    server_id = servers.active()
    reader.get(f"{SERVERS}/{server_id}").ok()
    reader.delete(f"{SERVERS}/{server_id}").refused(403)
    reader.post(SERVERS, servers.body()).refused(403)


def test_several_servers_are_made_at_once(servers: Servers, member: Client) -> None:
    made = member.post(SERVERS, servers.body(name="many", min_count=2, return_reservation_id=True)).ok(202)
    listed = member.get(f"{SERVERS}?reservation_id={made['reservation_id']}").ok()["servers"]
    assert {server["name"] for server in listed} == {"many-1", "many-2"}


def test_more_than_the_quota_is_refused(servers: Servers, member: Client, admin: Client) -> None:
    admin.put(f"{COMPUTE}/os-quota-sets/{member.project_id}", {"quota_set": {"instances": 1}}).ok(200)
    servers.create()
    member.post(SERVERS, servers.body()).refused(403, "instances")
    member.post(SERVERS, servers.body(min_count=1, max_count=3)).refused(403, "instances")


def test_what_does_not_fit_the_flavor_is_refused(servers: Servers, member: Client) -> None:
    member.post(SERVERS, servers.body(imageRef=make_image(member, min_ram=4096))).refused(400, "memory")
    member.post(SERVERS, servers.body(imageRef=make_image(member, min_disk=40))).refused(400, "disk")
    member.post(SERVERS, servers.body(imageRef=make_image(member, disk_format="aki", container_format="aki"))).refused(
        400
    )


def test_what_a_server_is_made_of_must_exist(servers: Servers, member: Client, stranger: Client) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    member.post(SERVERS, servers.body(imageRef=missing)).refused(400, missing)
    member.post(SERVERS, servers.body(flavorRef="nothing")).refused(400, "nothing")
    member.post(SERVERS, servers.body(key_name="nothing")).refused(400, "nothing")
    member.post(SERVERS, servers.body(networks=[{"uuid": missing}])).refused(400, missing)
    member.post(SERVERS, servers.body(networks=[{"port": missing}])).refused(400, missing)
    member.post(SERVERS, servers.body(security_groups=[{"name": "nothing"}])).refused(400, "nothing")
    member.post(SERVERS, servers.body(availability_zone="mars")).refused(400, "zone")
    foreign = make_network(stranger)
    member.post(SERVERS, servers.body(networks=[{"uuid": foreign}])).refused(400, foreign)


def test_wrong_members_are_named(servers: Servers, member: Client) -> None:
    member.post(SERVERS, servers.body(name=...)).refused(400, "name")
    member.post(SERVERS, servers.body(name="")).refused(400, "name")
    member.post(SERVERS, servers.body(colour="red")).refused(400, "colour")
    member.post(SERVERS, servers.body(user_data="not base64!")).refused(400, "user_data")
    member.post(SERVERS, servers.body(metadata={"a": 1})).refused(400, "metadata")
    member.post(SERVERS, servers.body(min_count=0)).refused(400, "min_count")
    member.post(SERVERS, servers.body(min_count=3, max_count=2)).refused(400, "min_count")
    member.at("2.37").post(SERVERS, servers.body()).refused(400, "networks")
    member.at("2.1").post(SERVERS, servers.body(description="new")).refused(400, "description")


def test_only_administrators_choose_a_host(servers: Servers, member: Client, admin: Client) -> None:
    member.post(SERVERS, servers.body(availability_zone="nova:fake-2")).refused(403)
    own = Servers(admin, servers.image_id, servers.flavor_id)
    server_id = own.active(availability_zone="nova:fake-2")
    assert own.show(server_id)["OS-EXT-SRV-ATTR:host"] == "fake-2"


def test_no_fitting_host_leaves_the_server_in_error_with_a_reason_for_each(
    servers: Servers, admin: Client, member: Client
) -> None:
    huge = admin.post(f"{COMPUTE}/flavors", {"flavor": {"name": "huge", "ram": 2**20, "vcpus": 1, "disk": 0}}).ok()
    admin.put(f"{COMPUTE}/os-quota-sets/{member.project_id}", {"quota_set": {"ram": -1}}).ok(200)
    server_id = servers.create(flavorRef=huge["flavor"]["id"])
    fault = servers.reaches("ERROR", server_id)["fault"]
    assert "fake-1: " in fault["message"] and "fake-2: " in fault["message"] and "memory" in fault["message"]
    member.delete(f"{SERVERS}/{server_id}").ok(204)
    servers.gone(server_id)
