"""Discovery, and what each of the newest microversions of the compute API changes."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_flavor
from tests.spec.compute.test_keypairs import KEY, KEYPAIRS


def test_both_versions_are_listed_and_served(anonymous: Client, member: Client) -> None:
    listed = anonymous.get("/compute/").ok(200)["versions"]
    assert [(entry["id"], entry["status"]) for entry in listed] == [("v2.0", "SUPPORTED"), ("v2.1", "CURRENT")]
    assert anonymous.get("/compute/v2/").ok(200)["version"]["id"] == "v2.0"
    assert anonymous.get("/compute/v2.1/").ok(200)["version"]["version"] == listed[1]["version"]
    assert member.get("/compute/v2/servers").ok(200) == {"servers": []}


@pytest.mark.parametrize(("version", "pinned"), [("2.77", "nova"), ("2.91", None)])
def test_since_2_91_an_unshelved_server_may_be_unpinned(
    servers: Servers, member: Client, version: str, pinned: str | None
) -> None:
    server_id = servers.active(availability_zone="nova")
    servers.do(server_id, "shelve").ok(202)
    servers.reaches("SHELVED_OFFLOADED", server_id)
    path = f"{SERVERS}/{server_id}/action"
    if pinned:
        member.at(version).post(path, {"unshelve": {"availability_zone": None}}).refused(400, "availability_zone")
    body = {"unshelve": {"availability_zone": pinned}}
    member.at(version).post(path, body).ok(202)
    servers.reaches("ACTIVE", server_id)
    assert servers.show(server_id, "2.96")["pinned_availability_zone"] == pinned


def test_since_2_92_key_pairs_are_only_imported_and_their_names_may_have_dots(member: Client) -> None:
    older, newer = member.at("2.91"), member.at("2.92")
    for name in ("a.b", "a@b"):
        older.post(KEYPAIRS, {"keypair": {"name": name, "public_key": KEY}}).refused(400, "name")
        newer.post(KEYPAIRS, {"keypair": {"name": name, "public_key": KEY}}).ok(201)
    older.post(KEYPAIRS, {"keypair": {"name": "made"}}).ok(201)
    newer.post(KEYPAIRS, {"keypair": {"name": "other"}}).refused(400, "public_key")
    for name in (" a", "a ", "a/b", "\u00e9", "a\n"):
        newer.post(KEYPAIRS, {"keypair": {"name": name, "public_key": KEY}}).refused(400, "name")


def test_since_2_94_a_hostname_may_have_a_domain(servers: Servers, member: Client) -> None:
    path = f"{SERVERS}/{servers.active()}"
    member.at("2.93").put(path, {"server": {"hostname": "a.b.org"}}).refused(400, "hostname")
    member.at("2.94").put(path, {"server": {"hostname": "a.b.org"}}).ok()


@pytest.mark.parametrize(
    ("version", "name"),
    [("2.96", "pinned_availability_zone"), ("2.98", "image.properties"), ("2.100", "scheduler_hints")],
)
def test_what_servers_show_since_when(servers: Servers, version: str, name: str) -> None:
    server_id = servers.active()

    def shows(asked: str) -> bool:
        found: Any = servers.show(server_id, asked)
        *outer, last = name.split(".")
        for part in outer:
            found = found[part]
        return last in found

    assert not shows(f"2.{int(version[2:]) - 1}") and shows(version)


def test_since_2_99_a_console_may_be_direct(servers: Servers, member: Client) -> None:
    path = f"{SERVERS}/{servers.active()}/remote-consoles"
    direct = {"remote_console": {"protocol": "spice", "type": "spice-direct"}}
    member.at("2.98").post(path, direct).refused(400, "Invalid input")
    member.at("2.99").post(path, direct).refused(400, "Unavailable")
    web = {"remote_console": {"protocol": "mks", "type": "webmks"}}
    member.at("2.7").post(path, web).refused(400, "Invalid input")
    member.at("2.8").post(path, web).refused(400, "Unavailable")


def test_since_2_102_flavors_are_found_by_name_and_lack_what_was_never_used(admin: Client) -> None:
    flavor_id = make_flavor(admin)
    older, newer = admin.at("2.101"), admin.at("2.102")
    shown = older.get(f"{COMPUTE}/flavors/{flavor_id}").ok()["flavor"]
    gone = {"rxtx_factor", "OS-FLV-DISABLED:disabled"}
    assert gone <= set(shown) and not gone & set(newer.get(f"{COMPUTE}/flavors/{flavor_id}").ok()["flavor"])
    for path in ("flavors", "flavors/detail"):
        found = newer.get(f"{COMPUTE}/{path}?name={shown['name']}").ok()["flavors"]
        assert [flavor["id"] for flavor in found] == [flavor_id]
        older.get(f"{COMPUTE}/{path}?name=x").refused(400, "name")
        newer.get(f"{COMPUTE}/{path}?sort_key=rxtx_factor").refused(400, "rxtx_factor")
    body = {"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1, "rxtx_factor": 2.0}}
    newer.post(f"{COMPUTE}/flavors", body).refused(400, "rxtx_factor")
    del body["flavor"]["rxtx_factor"]
    newer.post(f"{COMPUTE}/flavors", body).ok(200)


@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("servers", "2.75"), ("servers/detail", "2.75"), ("flavors", "2.75"), ("os-keypairs", "2.75"),
        ("os-hypervisors", "2.75"), ("limits", "2.75"), ("os-server-groups", "2.75"), ("os-services", "2.75"),
        ("os-migrations", "2.75"), ("os-simple-tenant-usage", "2.75"), ("os-aggregates", "2.102"),
        ("os-availability-zone", "2.102"), ("extensions", "2.102"),
    ],
)  # fmt: skip
def test_unknown_names_in_a_query_are_refused_by_some_since_2_75_and_by_all_since_2_102(
    admin: Client, path: str, since: str
) -> None:
    admin.at(f"2.{int(since[2:]) - 1}").get(f"{COMPUTE}/{path}?colour=red").ok(200)
    admin.at(since).get(f"{COMPUTE}/{path}?colour=red").refused(400, "colour")
    admin.at("2.104").get(f"{COMPUTE}/{path}").ok(200)


def test_since_2_104_a_server_is_pinned_only_where_it_is_and_unpinned_first(servers: Servers, member: Client) -> None:
    path = f"{SERVERS}/{servers.active(availability_zone='nova')}"
    newest = member.at("2.104")
    for zone, status in (("mars", 409), ("nova", 200), (None, 200), ("mars", 409), ("nova", 200)):
        answer = newest.put(path, {"server": {"pinned_availability_zone": zone}})
        assert answer.status == status, (zone, answer.raw)
    member.at("2.103").put(path, {"server": {"pinned_availability_zone": None}}).refused(400)
