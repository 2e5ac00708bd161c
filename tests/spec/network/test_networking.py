"""A project's network from nothing to a floating IP, as a client meets it."""

from pileus.network import reconcile
from tests.harness import Client, World, eventually
from tests.spec.network.things import V2, network, port, public, subnet


def test_a_project_gets_from_nothing_to_a_floating_ip(world: World, member: Client, admin: Client) -> None:
    outside = public(admin)
    inside = network(member, name="inside")
    inner = subnet(member, inside["id"])
    server = port(member, inside["id"])
    router = member.post(f"{V2}/routers", {"router": {"external_gateway_info": {"network_id": outside["id"]}}}).ok(201)
    path = f"{V2}/routers/{router['router']['id']}"
    added = member.put(f"{path}/add_router_interface", {"subnet_id": inner["id"]}).ok(200)
    assert added["subnet_ids"] == [inner["id"]]
    body = {"floating_network_id": outside["id"], "port_id": server["id"]}
    floating_ip = member.post(f"{V2}/floatingips", {"floatingip": body}).ok(201)["floatingip"]
    assert floating_ip["fixed_ip_address"] == server["fixed_ips"][0]["ip_address"]
    assert (floating_ip["status"], floating_ip["router_id"]) == ("ACTIVE", router["router"]["id"])
    member.put(f"{path}/remove_router_interface", {"subnet_id": inner["id"]}).refused(409, "floating IP")
    member.delete(f"{V2}/networks/{inside['id']}").refused(409, "in use")
    member.delete(f"{V2}/subnets/{inner['id']}").refused(409, "SubnetInUse")
    member.delete(path).refused(409, "RouterInUse")
    member.delete(f"{V2}/floatingips/{floating_ip['id']}").ok(204)
    member.put(f"{path}/remove_router_interface", {"subnet_id": inner["id"]}).ok(200)
    member.delete(path).ok(204)
    member.delete(f"{V2}/ports/{server['id']}").ok(204)
    member.delete(f"{V2}/networks/{inside['id']}").ok(204)
    member.get(f"{V2}/subnets/{inner['id']}").refused(404, "SubnetNotFound")
    admin.delete(f"{V2}/networks/{outside['id']}").ok(204)
    eventually(lambda: not reconcile.differences(world.cloud))


def test_a_name_and_other_fields_are_checked_and_the_bad_one_named(member: Client) -> None:
    member.post(f"{V2}/networks", {"network": {"name": 7}}).refused(400, "name")
    member.post(f"{V2}/networks", {"network": {"colour": "red"}}).refused(400, "colour")
    member.post(f"{V2}/networks", {}).refused(400, "network")
    member.post(f"{V2}/subnets", {"subnet": {"cidr": "10.0.0.0/24"}}).refused(400, "network_id")
    made = network(member)
    member.post(f"{V2}/subnets", {"subnet": {"network_id": made["id"], "cidr": "10.0.0.0/99"}}).refused(400, "cidr")
    member.post(f"{V2}/subnets", {"subnet": {"network_id": made["id"]}}).refused(400, "cidr")


def test_a_stranger_sees_nothing_of_it(member: Client, stranger: Client) -> None:
    made = network(member)
    inner = subnet(member, made["id"])
    server = port(member, made["id"])
    for path in (f"networks/{made['id']}", f"subnets/{inner['id']}", f"ports/{server['id']}"):
        member.get(f"{V2}/{path}").ok(200)
        stranger.get(f"{V2}/{path}").refused(404)
        stranger.delete(f"{V2}/{path}").refused(404)
    assert made["id"] not in [row["id"] for row in stranger.get(f"{V2}/networks").ok()["networks"]]
    stranger.post(f"{V2}/ports", {"port": {"network_id": made["id"]}}).refused(404, "NetworkNotFound")


def test_a_reader_looks_and_changes_nothing(world: World, member: Client) -> None:
    reader = world.client("reader", project_id=member.project_id)
    made = network(member)
    reader.get(f"{V2}/networks/{made['id']}").ok(200)
    reader.put(f"{V2}/networks/{made['id']}", {"network": {"name": "x"}}).refused(403)
    reader.delete(f"{V2}/networks/{made['id']}").refused(403)
    reader.post(f"{V2}/networks", {"network": {}}).refused(403)


def test_what_the_provider_decides_is_for_administrators(member: Client, admin: Client) -> None:
    for attribute in ({"shared": True}, {"router:external": True}, {"provider:network_type": "geneve"}):
        member.post(f"{V2}/networks", {"network": attribute}).refused(403)
    made = network(admin, **{"provider:network_type": "vlan", "provider:physical_network": "public"})
    assert made["provider:segmentation_id"] >= 1
    assert "provider:network_type" not in network(member)


def test_a_network_is_shared_with_one_project(member: Client, stranger: Client, admin: Client) -> None:
    made = network(member)
    subnet(member, made["id"])
    body = {"object_type": "network", "object_id": made["id"], "action": "access_as_shared",
            "target_tenant": stranger.project_id}  # fmt: skip
    policy = member.post(f"{V2}/rbac-policies", {"rbac_policy": body}).ok(201)["rbac_policy"]
    member.post(f"{V2}/rbac-policies", {"rbac_policy": body}).refused(409)
    assert stranger.get(f"{V2}/networks/{made['id']}").ok()["network"]["shared"] is True
    assert member.get(f"{V2}/networks/{made['id']}").ok()["network"]["shared"] is False
    server = port(stranger, made["id"])
    member.delete(f"{V2}/rbac-policies/{policy['id']}").refused(409)
    stranger.delete(f"{V2}/ports/{server['id']}").ok(204)
    member.delete(f"{V2}/rbac-policies/{policy['id']}").ok(204)
    stranger.get(f"{V2}/networks/{made['id']}").refused(404)
    member.post(f"{V2}/rbac-policies", {"rbac_policy": {**body, "target_tenant": "*"}}).refused(403)


def test_addresses_are_given_out_once_and_until_there_are_none(member: Client) -> None:
    made = network(member)
    inner = subnet(member, made["id"], "10.0.0.0/29")
    first = port(member, made["id"], fixed_ips=[{"ip_address": "10.0.0.4"}])
    again = {"port": {"network_id": made["id"], "fixed_ips": [{"subnet_id": inner["id"], "ip_address": "10.0.0.4"}]}}
    member.post(f"{V2}/ports", again).refused(409, "IpAddressAlreadyAllocated")
    outside = {"port": {"network_id": made["id"], "fixed_ips": [{"ip_address": "10.9.0.4"}]}}
    member.post(f"{V2}/ports", outside).refused(400, "InvalidIpForNetwork")
    # .1 the gateway, .2 metadata, .4 taken: .3, .5 and .6 are left
    assert {port(member, made["id"])["fixed_ips"][0]["ip_address"] for _ in range(3)} == {
        "10.0.0.3",
        "10.0.0.5",
        "10.0.0.6",
    }
    member.post(f"{V2}/ports", {"port": {"network_id": made["id"]}}).refused(409, "IpAddressGenerationFailure")
    member.delete(f"{V2}/ports/{first['id']}").ok(204)
    assert port(member, made["id"])["fixed_ips"][0]["ip_address"] == "10.0.0.4"


def test_a_port_on_an_ipv6_subnet_knows_its_own_address(member: Client) -> None:
    made = network(member)
    mode = {"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    before = port(member, made["id"], mac_address="fa:16:3e:00:00:01")
    inner = subnet(member, made["id"], "2001:db8::/64", **mode)
    expected = [{"subnet_id": inner["id"], "ip_address": "2001:db8::f816:3eff:fe00:1"}]
    assert member.get(f"{V2}/ports/{before['id']}").ok()["port"]["fixed_ips"] == expected
    after = port(member, made["id"], mac_address="fa:16:3e:00:00:02")
    assert after["fixed_ips"][0]["ip_address"] == "2001:db8::f816:3eff:fe00:2"


def test_rules_of_security_groups(member: Client, stranger: Client) -> None:
    groups = member.get(f"{V2}/security-groups").ok()["security_groups"]
    assert [group["name"] for group in groups] == ["default"]
    assert len(groups[0]["security_group_rules"]) == 4
    made = member.post(f"{V2}/security-groups", {"security_group": {"name": "web"}}).ok(201)["security_group"]
    rule = {"security_group_id": made["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 80,
            "port_range_max": 80}  # fmt: skip
    created = member.post(f"{V2}/security-group-rules", {"security_group_rule": rule}).ok(201)["security_group_rule"]
    member.post(f"{V2}/security-group-rules", {"security_group_rule": rule}).refused(409, "SecurityGroupRuleExists")
    for bad in ({"port_range_min": 81}, {"protocol": None}, {"ethertype": "IPv5"}, {"protocol": "nonsense"},
                {"remote_ip_prefix": "::/0"}, {"direction": "sideways"}):  # fmt: skip
        member.post(f"{V2}/security-group-rules", {"security_group_rule": {**rule, **bad}}).refused(400)
    stranger.get(f"{V2}/security-group-rules/{created['id']}").refused(404)
    server = port(member, network(member)["id"], security_groups=[made["id"]])
    member.delete(f"{V2}/security-groups/{made['id']}").refused(409, "SecurityGroupInUse")
    member.delete(f"{V2}/ports/{server['id']}").ok(204)
    member.delete(f"{V2}/security-groups/{made['id']}").ok(204)
    member.delete(f"{V2}/security-groups/{groups[0]['id']}").refused(409)
    member.post(f"{V2}/security-groups", {"security_group": {"name": "default"}}).refused(409)


def test_quotas_are_counted_from_what_is_there(member: Client, admin: Client) -> None:
    admin.put(f"{V2}/quotas/{member.project_id}", {"quota": {"network": 1}}).ok(200)
    first = network(member)
    member.post(f"{V2}/networks", {"network": {}}).refused(409, "OverQuota")
    details = member.get(f"{V2}/quotas/{member.project_id}/details.json").ok()["quota"]
    assert details["network"] == {"limit": 1, "used": 1, "reserved": 0}
    member.delete(f"{V2}/networks/{first['id']}").ok(204)
    network(member)
    admin.delete(f"{V2}/quotas/{member.project_id}").ok(204)
    assert member.get(f"{V2}/quotas/{member.project_id}").ok()["quota"]["network"] == 100
    member.put(f"{V2}/quotas/{member.project_id}", {"quota": {"network": 5}}).refused(403)


def test_several_at_once_are_all_or_none(member: Client) -> None:
    made = member.post(f"{V2}/networks", {"networks": [{"name": "a"}, {"name": "b"}]}).ok(201)["networks"]
    assert [row["name"] for row in made] == ["a", "b"]
    member.post(f"{V2}/networks", {"networks": [{"name": "c"}, {"name": 7}]}).refused(400)
    assert {row["name"] for row in member.get(f"{V2}/networks?project_id={member.project_id}").ok()["networks"]} == {
        "a",
        "b",
    }


def test_lists_are_filtered_sorted_and_come_in_pages(member: Client) -> None:
    for name in ("b", "a", "c"):
        network(member, name=name)
    mine = f"{V2}/networks?project_id={member.project_id}"
    names = [row["name"] for row in member.get(f"{mine}&sort_key=name&sort_dir=desc").ok()["networks"]]
    assert names == ["c", "b", "a"]
    page = member.get(f"{mine}&sort_key=name&sort_dir=asc&limit=2").ok()
    assert [row["name"] for row in page["networks"]] == ["a", "b"]
    following = {link["rel"]: link["href"].partition("cloud.test:5000")[2] for link in page["networks_links"]}
    assert [row["name"] for row in member.get(following["next"]).ok()["networks"]] == ["c"]
    found = member.get(f"{mine}&name=a&name=c&fields=name&sort_key=name").ok()["networks"]
    assert found == [{"name": "a"}, {"name": "c"}]
    member.get(f"{mine}&admin_state_up=perhaps").refused(400, "admin_state_up")
    member.get(f"{mine}&marker=nobody").refused(404)


def test_tags_are_set_asked_for_and_filtered_by(member: Client) -> None:
    red, both = network(member, name="red"), network(member, name="both")
    member.put(f"{V2}/networks/{red['id']}/tags/red").ok(201)
    member.put(f"{V2}/networks/{both['id']}/tags", {"tags": ["red", "blue"]}).ok(200)
    mine = f"{V2}/networks?project_id={member.project_id}&sort_key=name"

    def names(query: str) -> list[str]:
        return [row["name"] for row in member.get(f"{mine}&{query}").ok()["networks"]]

    assert names("tags=red") == ["both", "red"]
    assert names("tags=red,blue") == ["both"]
    assert names("not-tags=red,blue") == ["red"]
    assert names("not-tags-any=blue") == ["red"]
    member.get(f"{V2}/networks/{red['id']}/tags/blue").refused(404)
    member.delete(f"{V2}/networks/{both['id']}/tags/red").ok(204)
    assert member.get(f"{V2}/networks/{both['id']}/tags").ok()["tags"] == ["blue"]


def test_routes_of_a_router_are_added_one_by_one(member: Client) -> None:
    made = network(member)
    inner = subnet(member, made["id"])
    router = member.post(f"{V2}/routers", {"router": {}}).ok(201)["router"]
    path = f"{V2}/routers/{router['id']}"
    member.put(f"{path}/add_router_interface", {"subnet_id": inner["id"]}).ok()
    member.put(f"{path}/add_router_interface", {"subnet_id": inner["id"]}).refused(400, "already has a port")
    one = {"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}
    two = {"destination": "198.51.100.0/24", "nexthop": "10.0.0.9"}
    member.put(f"{path}/add_extraroutes", {"router": {"routes": [one]}}).ok()
    assert member.put(f"{path}/add_extraroutes", {"router": {"routes": [two]}}).ok()["router"]["routes"] == [one, two]
    far = {"destination": "192.0.2.0/24", "nexthop": "10.9.0.9"}
    member.put(path, {"router": {"routes": [far]}}).refused(400, "InvalidRoutes")
    member.put(f"{path}/remove_router_interface", {"subnet_id": inner["id"]}).refused(409, "routes")
    assert member.put(f"{path}/remove_extraroutes", {"router": {"routes": [one]}}).ok()["router"]["routes"] == [two]


def test_a_subnet_is_cut_from_a_pool(member: Client) -> None:
    body = {"name": "pool", "prefixes": ["10.20.0.0/16"], "default_prefixlen": 24}
    pool = member.post(f"{V2}/subnetpools", {"subnetpool": body}).ok(201)["subnetpool"]
    made = network(member)
    cut = [
        member.post(f"{V2}/subnets", {"subnet": {"network_id": made["id"], "subnetpool_id": pool["id"], "ip_version": 4}})
        .ok(201)["subnet"]["cidr"]
        for _ in range(2)
    ]  # fmt: skip
    assert cut == ["10.20.0.0/24", "10.20.1.0/24"]
    member.delete(f"{V2}/subnetpools/{pool['id']}").refused(409)


def test_extensions_agents_and_versions_are_shown(member: Client, admin: Client, anonymous: Client) -> None:
    aliases = [row["alias"] for row in member.get(f"{V2}/extensions").ok()["extensions"]]
    assert {"router", "security-group", "external-net"} <= set(aliases)
    assert member.get(f"{V2}/extensions/router").ok()["extension"]["alias"] == "router"
    member.get(f"{V2}/extensions/nonsense").refused(404)
    assert {row["agent_type"] for row in admin.get(f"{V2}/agents").ok()["agents"]} == {
        "OVN Controller agent", "OVN Metadata agent"}  # fmt: skip
    assert member.get(f"{V2}/agents").ok()["agents"] == []
    assert anonymous.get("/network/").ok()["versions"][0]["id"] == "v2.0"
