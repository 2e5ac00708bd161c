"""What operators ask of compute: flavors, hosts, aggregates, quotas, usage, events, groups, guests' words."""

from typing import Any

import pytest

from pileus.compute import reconcile
from pileus.core import clock
from pileus.node import protocol as p
from tests.harness import Client, World, eventually
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_flavor

# -- flavors -----------------------------------------------------------------------------------------------------------


def test_extra_specs_are_set_changed_and_deleted(admin: Client) -> None:
    path = f"{COMPUTE}/flavors/{make_flavor(admin)}/os-extra_specs"
    assert admin.post(path, {"extra_specs": {"a": "1", "b": 2}}).ok(200) == {"extra_specs": {"a": "1", "b": "2"}}
    assert admin.get(f"{path}/a").ok() == {"a": "1"}
    assert admin.put(f"{path}/a", {"a": "3"}).ok(200) == {"a": "3"}
    assert admin.get(path).ok() == {"extra_specs": {"a": "3", "b": "2"}}
    admin.put(f"{path}/a", {"b": "3"}).refused(400)
    admin.post(path, {"extra_specs": {}}).refused(400)
    admin.delete(f"{path}/a").ok(200)
    admin.get(f"{path}/a").refused(404)


def test_a_private_flavor_is_for_the_projects_it_names(admin: Client, member: Client) -> None:
    flavor = make_flavor(admin, **{"os-flavor-access:is_public": False})
    path = f"{COMPUTE}/flavors/{flavor}"
    member.get(path).refused(404)
    admin.post(f"{path}/action", {"addTenantAccess": {"tenant": member.project_id}}).ok(200)
    member.get(path).ok()
    listed = admin.get(f"{path}/os-flavor-access").ok()["flavor_access"]
    assert {entry["tenant_id"] for entry in listed} == {member.project_id}
    admin.post(f"{path}/action", {"removeTenantAccess": {"tenant": member.project_id}}).ok(200)
    member.get(path).refused(404)
    admin.get(f"{COMPUTE}/flavors/{make_flavor(admin)}/os-flavor-access").refused(404, "public")


def test_a_deleted_flavor_is_gone_and_its_servers_stay(admin: Client, servers: Servers) -> None:
    flavor = make_flavor(admin)
    server_id = servers.active(flavorRef=flavor)
    admin.delete(f"{COMPUTE}/flavors/{flavor}").ok(202)
    admin.get(f"{COMPUTE}/flavors/{flavor}").refused(404)
    servers.reaches("ACTIVE", server_id)


# -- hosts -------------------------------------------------------------------------------------------------------------


def test_a_hypervisor_is_shown_by_its_number_or_id(admin: Client, servers: Servers) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    server_id = own.active(availability_zone="nova:fake-1")
    path = f"{COMPUTE}/os-hypervisors"
    older = next(row for row in admin.get(path).ok()["hypervisors"] if row["hypervisor_hostname"] == "fake-1")
    newer = next(
        row for row in admin.at("2.53").get(path).ok()["hypervisors"] if row["hypervisor_hostname"] == "fake-1"
    )
    assert admin.get(f"{path}/{older['id']}").ok()["hypervisor"]["running_vms"] >= 1
    shown = admin.at("2.53").get(f"{path}/{newer['id']}?with_servers=true").ok()["hypervisor"]
    assert server_id in {entry["uuid"] for entry in shown["servers"]}
    assert admin.get(f"{path}/{older['id']}/uptime").ok()["hypervisor"]["uptime"]
    assert admin.get(f"{path}/fake-1/search").ok()["hypervisors"][0]["id"] == older["id"]
    found = admin.get(f"{path}/fake-1/servers").ok()["hypervisors"][0]["servers"]
    assert server_id in {entry["uuid"] for entry in found}
    for tail in ("nothing/search", "nothing/servers", "99999"):
        admin.get(f"{path}/{tail}").refused(404)
    admin.at("2.53").get(f"{path}/7").refused(400)


def test_a_service_is_disabled_forced_down_and_forgotten(fresh: World) -> None:
    from pileus.compute import hosts

    admin = fresh.client("admin", "manager", "member", "reader")
    with fresh.cloud.db.write() as tx:
        hosts.report(tx, "old", None)
    path = f"{COMPUTE}/os-services"
    named = {"host": "old", "binary": "nova-compute"}
    for verb, version, more, shown in [
        ("disable", "2.1", {}, {"status": "disabled"}),
        ("disable-log-reason", "2.1", {"disabled_reason": "dust"}, {"disabled_reason": "dust"}),
        ("enable", "2.1", {}, {"status": "enabled"}),
        ("force-down", "2.11", {"forced_down": True}, {"forced_down": True}),
    ]:
        found = admin.at(version).put(f"{path}/{verb}", {**named, **more}).ok(200)["service"]
        assert {name: found[name] for name in shown} == shown
    admin.put(f"{path}/fly", named).refused(404)
    admin.put(f"{path}/enable", {**named, "host": "nowhere"}).refused(404, "nowhere")
    service = admin.at("2.53").get(path).ok()["services"][0]
    assert (service["host"], service["state"]) == ("old", "down")
    admin.at("2.53").put(f"{path}/{service['id']}", {"forced_down": False}).ok(200)
    admin.at("2.53").delete(f"{path}/{service['id']}").ok(204)
    assert admin.get(path).ok()["services"] == []


def test_an_aggregate_of_hosts_is_a_zone(fresh: World) -> None:
    from pileus.compute import hosts

    admin = fresh.client("admin", "manager", "member", "reader")
    with fresh.cloud.db.write() as tx:
        hosts.report(tx, "one", None)
    path = f"{COMPUTE}/os-aggregates"
    made = admin.post(path, {"aggregate": {"name": "racks", "availability_zone": "cellar"}}).ok(200)["aggregate"]
    action = f"{path}/{made['id']}/action"
    assert admin.post(action, {"add_host": {"host": "one"}}).ok(200)["aggregate"]["hosts"] == ["one"]
    admin.post(action, {"add_host": {"host": "one"}}).refused(409)
    zones = {zone["zoneName"] for zone in admin.get(f"{COMPUTE}/os-availability-zone").ok()["availabilityZoneInfo"]}
    assert "cellar" in zones
    renamed = {"aggregate": {"name": "shelves", "availability_zone": "attic"}}
    assert admin.put(f"{path}/{made['id']}", renamed).ok(200)["aggregate"]["availability_zone"] == "attic"
    admin.delete(f"{path}/{made['id']}").refused(409)
    assert admin.post(action, {"remove_host": {"host": "one"}}).ok(200)["aggregate"]["hosts"] == []
    admin.post(action, {"remove_host": {"host": "one"}}).refused(404)
    admin.delete(f"{path}/{made['id']}").ok(200)


def test_diagnostics_have_an_older_and_a_newer_form(admin: Client, servers: Servers) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    server_id = own.active()
    path = f"{SERVERS}/{server_id}/diagnostics"
    assert admin.get(path).ok()["memory"] == 64 << 10
    newer = admin.at("2.48").get(path).ok()
    assert (newer["state"], newer["num_cpus"], newer["memory_details"]["maximum"]) == ("running", 1, 64)
    servers.client.get(path).refused(403)


def test_hosts_keep_no_audit_of_usage(admin: Client) -> None:
    path = f"{COMPUTE}/os-instance_usage_audit_log"
    assert admin.get(path).ok()["instance_usage_audit_logs"]["log"] == {}
    assert admin.get(f"{path}/2026-01-01%2000:00:00").ok()["instance_usage_audit_log"]["num_hosts_done"] == 0
    admin.get(f"{path}/yesterday").refused(400, "yesterday")


# -- quotas and usage --------------------------------------------------------------------------------------------------


def test_quotas_are_shown_changed_and_reset(admin: Client, member: Client, servers: Servers) -> None:
    path = f"{COMPUTE}/os-quota-sets/{member.project_id}"
    usual = admin.get(f"{path}/defaults").ok()["quota_set"]
    servers.create()
    admin.put(path, {"quota_set": {"cores": 7}}).ok(200)
    assert member.get(path).ok()["quota_set"]["cores"] == 7
    assert admin.get(f"{path}/detail").ok()["quota_set"]["instances"] == {
        "limit": usual["instances"], "in_use": 1, "reserved": 0,
    }  # fmt: skip
    admin.put(path, {"quota_set": {"instances": 0}}).refused(400, "instances")
    admin.delete(path).ok(202)
    assert admin.get(path).ok()["quota_set"]["cores"] == usual["cores"]


def test_the_default_quotas_are_a_class(fresh: World) -> None:
    admin = fresh.client("admin", "manager", "member", "reader")
    path = f"{COMPUTE}/os-quota-class-sets/default"
    assert admin.put(path, {"quota_class_set": {"cores": 3}}).ok(200)["quota_class_set"]["cores"] == 3
    assert admin.get(path).ok()["quota_class_set"]["cores"] == 3
    assert admin.get(f"{COMPUTE}/os-quota-sets/{clock.new_hex_id()}").ok()["quota_set"]["cores"] == 3


def test_usage_is_counted_from_servers(admin: Client, member: Client, servers: Servers) -> None:
    server_id = servers.active()
    path = f"{COMPUTE}/os-simple-tenant-usage"
    own = member.get(f"{path}/{member.project_id}").ok()["tenant_usage"]
    assert [usage["instance_id"] for usage in own["server_usages"]] == [server_id]
    listed = admin.get(f"{path}?detailed=1").ok()["tenant_usages"]
    assert member.project_id in {usage["tenant_id"] for usage in listed}
    admin.get(f"{path}?start=2026-02-01T00:00:00&end=2026-01-01T00:00:00").refused(400, "start")


# -- what other services and guests tell -------------------------------------------------------------------------------


def test_events_of_other_services_are_answered_one_by_one(admin: Client, servers: Servers, network_id: str) -> None:
    server_id, missing = servers.active(), clock.new_id()
    path = f"{COMPUTE}/os-server-external-events"
    known = {"name": "network-changed", "server_uuid": server_id}
    unknown = {"name": "network-vif-plugged", "server_uuid": missing, "tag": "x"}
    assert admin.post(path, {"events": [known]}).ok(200)["events"][0]["code"] == 200
    both = admin.post(path, {"events": [known, unknown]}).ok(207)["events"]
    assert [event["code"] for event in both] == [200, 404]
    admin.post(path, {"events": [unknown]}).refused(404)
    admin.post(path, {"events": [{**known, "name": "rain"}]}).refused(400, "name")
    servers.client.post(path, {"events": [known]}).refused(403)


def test_a_guests_password_is_shown_to_its_user_and_forgotten(servers: Servers, member: Client, world: World) -> None:
    server_id = servers.active()
    path = f"{SERVERS}/{server_id}/os-server-password"
    assert member.get(path).ok() == {"password": ""}
    node = world.cloud.drivers["compute"].fakes["fake-1"]
    told = p.Event(seq=0, kind="password", time=0, server_id=server_id, detail="c2VjcmV0")
    watcher = reconcile.Watcher(world.cloud, "fake-1", node)
    watcher.look(0)
    node._events.add(told)
    watcher.look(0)
    assert eventually(lambda: member.get(path).ok()["password"]) == "c2VjcmV0"
    member.delete(path).ok(204)
    assert member.get(path).ok() == {"password": ""}


def test_a_guest_is_told_its_addresses_anew_when_an_administrator_asks(admin: Client, servers: Servers) -> None:
    path = f"{SERVERS}/{servers.active()}/action"
    admin.post(path, {"injectNetworkInfo": None}).ok(202)
    servers.client.post(path, {"injectNetworkInfo": None}).refused(403)


def test_extensions_of_old_are_listed(member: Client) -> None:
    listed = member.get(f"{COMPUTE}/extensions").ok()["extensions"]
    alias = listed[0]["alias"]
    assert member.get(f"{COMPUTE}/extensions/{alias}").ok()["extension"] == listed[0]
    assert member.get(f"{COMPUTE}/extensions/OS-SCH-HNT").ok()["extension"]["name"] == "SchedulerHints"
    member.get(f"{COMPUTE}/extensions/os-nothing").refused(404)


# -- metadata and locks ------------------------------------------------------------------------------------------------


def test_metadata_is_read_replaced_and_deleted(servers: Servers, member: Client) -> None:
    server_id = servers.active(metadata={"a": "1"})
    path = f"{SERVERS}/{server_id}/metadata"
    assert member.get(f"{path}/a").ok() == {"meta": {"a": "1"}}
    assert member.put(path, {"metadata": {"b": "2", "c": "3"}}).ok(200) == {"metadata": {"b": "2", "c": "3"}}
    member.delete(f"{path}/b").ok(204)
    assert member.get(path).ok() == {"metadata": {"c": "3"}}
    member.get(f"{path}/b").refused(404)
    member.put(path, {"meta": {}}).refused(400)


def test_a_locked_server_is_left_alone(servers: Servers, member: Client, admin: Client) -> None:
    server_id = servers.active()
    path = f"{SERVERS}/{server_id}/action"
    member.at("2.73").post(path, {"lock": {"locked_reason": "mine"}}).ok(202)
    assert member.at("2.73").get(f"{SERVERS}/{server_id}").ok()["server"]["locked_reason"] == "mine"
    for action, arguments in [("os-stop", None), ("pause", None), ("rebuild", {"imageRef": servers.image_id})]:
        servers.do(server_id, action, arguments).refused(409, "locked")
    servers.do(server_id, "unlock").ok(202)
    admin.post(path, {"lock": None}).ok(202)
    servers.do(server_id, "unlock").refused(403)
    admin.post(path, {"unlock": None}).ok(202)
    servers.do(server_id, "os-stop").ok(202)


# -- groups ------------------------------------------------------------------------------------------------------------

GROUPS = f"{COMPUTE}/os-server-groups"


@pytest.mark.parametrize(
    ("policy", "apart"),
    [("anti-affinity", True), ("affinity", False), ("soft-anti-affinity", True), ("soft-affinity", False)],
)
def test_a_group_keeps_servers_together_or_apart(admin: Client, servers: Servers, policy: str, apart: bool) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    made = admin.at("2.64").post(GROUPS, {"server_group": {"name": "g", "policy": policy}}).ok(200)["server_group"]
    hosts = []
    for _ in range(2):
        body = {**own.body(), "os:scheduler_hints": {"group": made["id"]}}
        server_id = admin.post(SERVERS, body).ok(202)["server"]["id"]
        hosts.append(own.reaches("ACTIVE", server_id)["OS-EXT-SRV-ATTR:host"])
    assert (hosts[0] != hosts[1]) is apart
    shown = admin.at("2.64").get(f"{GROUPS}/{made['id']}").ok()["server_group"]
    assert server_id in shown["members"] and len(shown["members"]) == 2
    assert admin.at("2.71").get(f"{SERVERS}/{server_id}").ok()["server"]["server_groups"] == [made["id"]]
    admin.delete(f"{GROUPS}/{made['id']}").ok(204)
    own.reaches("ACTIVE", server_id)


def test_a_third_server_that_must_be_apart_finds_no_host(admin: Client, servers: Servers) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    made = admin.post(GROUPS, {"server_group": {"name": "g", "policies": ["anti-affinity"]}}).ok(200)["server_group"]
    assert (made["policies"], made["metadata"]) == (["anti-affinity"], {})
    for number in range(3):
        body = {**own.body(), "os:scheduler_hints": {"group": made["id"]}}
        server_id = admin.post(SERVERS, body).ok(202)["server"]["id"]
        found = own.reaches("ERROR" if number == 2 else "ACTIVE", server_id)
    assert "server group g" in found["fault"]["message"]


@pytest.mark.parametrize(("hint", "apart"), [("different_host", True), ("same_host", False)])
def test_a_hint_places_a_server_by_another(admin: Client, servers: Servers, hint: str, apart: bool) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    first = own.active()
    body = {**own.body(), "os:scheduler_hints": {hint: [first]}}
    second = admin.post(SERVERS, body).ok(202)["server"]["id"]
    host = own.reaches("ACTIVE", second)["OS-EXT-SRV-ATTR:host"]
    assert (host != own.show(first)["OS-EXT-SRV-ATTR:host"]) is apart


@pytest.mark.parametrize(
    ("version", "given"),
    [
        ("2.1", {"name": "g", "policies": []}),
        ("2.1", {"name": "g", "policies": ["affinity", "anti-affinity"]}),
        ("2.1", {"name": "g", "policies": ["storm"]}),
        ("2.14", {"name": "g", "policies": ["soft-affinity"]}),
        ("2.1", {"name": "", "policies": ["affinity"]}),
        ("2.64", {"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 2}}),
        ("2.64", {"name": "g", "policies": ["affinity"]}),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(member: Client, version: str, given: dict[str, Any]) -> None:
    member.at(version).post(GROUPS, {"server_group": given}).refused(400)


def test_groups_are_listed_by_project_and_counted(member: Client, admin: Client, servers: Servers) -> None:
    admin.put(f"{COMPUTE}/os-quota-sets/{member.project_id}", {"quota_set": {"server_groups": 1}}).ok(200)
    made = member.post(GROUPS, {"server_group": {"name": "g", "policies": ["affinity"]}}).ok(200)["server_group"]
    member.post(GROUPS, {"server_group": {"name": "h", "policies": ["affinity"]}}).refused(403, "server_groups")
    assert [group["id"] for group in member.get(GROUPS).ok()["server_groups"]] == [made["id"]]
    assert made["id"] in {group["id"] for group in admin.get(f"{GROUPS}?all_projects=true").ok()["server_groups"]}
    member.post(SERVERS, {**servers.body(), "os:scheduler_hints": {"group": clock.new_id()}}).refused(400, "group")
