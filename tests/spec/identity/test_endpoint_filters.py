"""Endpoint groups, what a project was given, and its catalog; policies and what they are for."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.identity.identities import unique

FILTER = "/v3/OS-EP-FILTER"


@pytest.fixture
def service(admin: Client) -> Any:
    return admin.post("/v3/services", {"service": {"type": unique("type"), "name": unique()}}).ok(201)["service"]


def endpoint(admin: Client, service: Any, **given: Any) -> Any:
    body = {"service_id": service["id"], "interface": "public", "url": "http://there/", **given}
    return admin.post("/v3/endpoints", {"endpoint": body}).ok(201)["endpoint"]


def group(admin: Client, **filters: Any) -> Any:
    body = {"name": unique("group"), "filters": filters}
    return admin.post(f"{FILTER}/endpoint_groups", {"endpoint_group": body}).ok(201)["endpoint_group"]


def ids(rows: Any) -> list[str]:
    return sorted(row["id"] for row in rows)


def test_an_endpoint_group_is_what_its_filters_come_to(admin: Client, service: Any) -> None:
    public, internal = endpoint(admin, service), endpoint(admin, service, interface="internal")
    made = group(admin, service_id=service["id"], interface="public")
    path = f"{FILTER}/endpoint_groups/{made['id']}"
    assert made["links"]["self"].endswith(path) and admin.get(path).ok()["endpoint_group"] == made
    assert ids(admin.get(f"{path}/endpoints").ok()["endpoints"]) == [public["id"]]
    changed = admin.patch(path, {"endpoint_group": {"filters": {"service_id": service["id"]}, "description": "x"}}).ok()
    assert changed["endpoint_group"]["description"] == "x"
    assert ids(admin.get(f"{path}/endpoints").ok()["endpoints"]) == ids([public, internal])
    listed = admin.get(f"{FILTER}/endpoint_groups?name={made['name']}").ok()["endpoint_groups"]
    assert ids(listed) == [made["id"]]
    admin.delete(path).ok(204)
    admin.get(path).refused(404, "endpoint group")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": "a"}, "filters"),
        ({"name": "a", "filters": {}}, "filters"),
        ({"name": "a", "filters": {"url": "x"}}, "filters"),
        ({"name": "a", "filters": {"interface": "secret"}}, "interface"),
        ({"name": "a", "filters": {"enabled": "yes"}}, "enabled"),
        ({"name": "a", "filters": {"service_id": "nothing"}}, "service"),
        ({"name": "a", "filters": {"region_id": "nowhere"}}, "region"),
        ({"name": "", "filters": {"interface": "public"}}, "name"),
        ({"filters": {"interface": "public"}}, "name"),
    ],
)
def test_a_malformed_endpoint_group_is_refused(admin: Client, body: Any, word: str) -> None:
    admin.post(f"{FILTER}/endpoint_groups", {"endpoint_group": body}).refused(400, word)


def test_the_names_of_endpoint_groups_are_unique(admin: Client) -> None:
    one, other = group(admin, interface="admin"), group(admin, interface="admin")
    body = {"name": one["name"], "filters": {"interface": "public"}}
    admin.post(f"{FILTER}/endpoint_groups", {"endpoint_group": body}).refused(409, "in use")
    admin.patch(f"{FILTER}/endpoint_groups/{other['id']}", {"endpoint_group": {"name": one["name"]}}).refused(409)


def test_a_projects_catalog_shows_what_it_was_given_if_it_was_given_anything(
    admin: Client, member: Client, service: Any
) -> None:
    def seen() -> list[str]:
        services = member.get("/v3/auth/catalog").ok()["catalog"]
        return ids(endpoint for service in services for endpoint in service["endpoints"])

    public, internal = endpoint(admin, service), endpoint(admin, service, interface="internal")
    made = group(admin, service_id=service["id"], interface="internal")
    everything = seen()
    assert {public["id"], internal["id"]} < set(everything)

    one = f"{FILTER}/projects/{member.project_id}/endpoints/{public['id']}"
    admin.get(one).refused(404)
    admin.put(one).ok(204)
    admin.put(one).refused(409)
    admin.get(one).ok(204)
    assert seen() == [public["id"]]

    many = f"{FILTER}/endpoint_groups/{made['id']}/projects/{member.project_id}"
    admin.get(many).refused(404)
    admin.put(many).ok(204)
    shown = admin.get(many).ok(200)["project_endpoint_group"]
    assert (shown["endpoint_group_id"], shown["project_id"]) == (made["id"], member.project_id)
    assert seen() == ids([public, internal])
    assert ids(admin.get(f"{FILTER}/projects/{member.project_id}/endpoints").ok()["endpoints"]) == seen()
    groups = admin.get(f"{FILTER}/projects/{member.project_id}/endpoint_groups").ok()["endpoint_groups"]
    assert ids(groups) == [made["id"]]
    for path in (f"endpoint_groups/{made['id']}/projects", f"endpoints/{public['id']}/projects"):
        assert ids(admin.get(f"{FILTER}/{path}").ok()["projects"]) == [member.project_id]

    admin.patch(f"/v3/endpoints/{public['id']}", {"endpoint": {"enabled": False}}).ok()
    assert seen() == [internal["id"]]
    admin.delete(one).ok(204)
    admin.delete(one).refused(404)
    admin.delete(many).ok(204)
    admin.delete(many).refused(404)
    assert seen() == [id for id in everything if id != public["id"]]


def test_what_a_project_sees_is_administrators_business(admin: Client, member: Client, service: Any) -> None:
    there, made = endpoint(admin, service), group(admin, interface="public")
    for path in (
        f"{FILTER}/projects/{member.project_id}/endpoints/{there['id']}",
        f"{FILTER}/endpoint_groups/{made['id']}/projects/{member.project_id}",
    ):
        for method in ("GET", "PUT", "DELETE"):
            member.request(method, path).refused(403)
    member.get(f"{FILTER}/endpoint_groups").refused(403)


def test_a_policy_is_for_an_endpoint_a_service_or_a_service_in_a_region(admin: Client, service: Any) -> None:
    def policy() -> Any:
        return admin.post("/v3/policies", {"policy": {"type": "text", "blob": "x"}}).ok(201)["policy"]

    above = admin.post("/v3/regions", {"region": {}}).ok(201)["region"]["id"]
    region = admin.post("/v3/regions", {"region": {"parent_region_id": above}}).ok(201)["region"]["id"]
    inside, outside = endpoint(admin, service, region_id=region), endpoint(admin, service)
    first, second, third = policy(), policy(), policy()

    def place(of: Any, where: str) -> str:
        return f"/v3/policies/{of['id']}/OS-ENDPOINT-POLICY/{where}"

    def used(there: Any) -> str:
        return admin.get(f"/v3/endpoints/{there['id']}/OS-ENDPOINT-POLICY/policy").ok()["policy"]["id"]

    admin.get(f"/v3/endpoints/{inside['id']}/OS-ENDPOINT-POLICY/policy").refused(404, "no policy")
    everywhere = place(first, f"services/{service['id']}")
    here = place(second, f"services/{service['id']}/regions/{above}")
    alone = place(third, f"endpoints/{inside['id']}")
    admin.put(everywhere).ok(204)
    assert used(inside) == used(outside) == first["id"]
    admin.put(here).ok(204)
    assert (used(inside), used(outside)) == (second["id"], first["id"])
    admin.put(alone).ok(204)
    assert used(inside) == third["id"]
    for of, wanted in ((first, [inside, outside]), (second, [inside]), (third, [inside])):
        assert ids(admin.get(place(of, "endpoints")).ok()["endpoints"]) == ids(wanted)
    for path in (everywhere, here, alone):
        admin.get(path).ok(204)
    admin.get(place(second, f"endpoints/{inside['id']}")).refused(404, "association")
    admin.put(place(second, f"endpoints/{inside['id']}")).ok(204)
    admin.get(alone).refused(404)  # an endpoint has one
    admin.put(place(first, "endpoints/nothing")).refused(404, "endpoint")
    for path in (everywhere, here):
        admin.delete(path).ok(204)
        admin.delete(path).refused(404)
    admin.delete(f"/v3/policies/{second['id']}").ok(204)
    admin.get(f"/v3/endpoints/{inside['id']}/OS-ENDPOINT-POLICY/policy").refused(404)


def test_what_is_plain_is_shown_by_its_id_and_gone_once_deleted(admin: Client, service: Any) -> None:
    there = endpoint(admin, service)
    policy = admin.post("/v3/policies", {"policy": {"type": "text", "blob": "x"}}).ok(201)["policy"]
    used = f"/v3/policies/{policy['id']}/OS-ENDPOINT-POLICY/endpoints/{there['id']}"
    admin.put(used).ok(204)
    admin.delete(used).ok(204)
    admin.get(used).refused(404)
    made = {"endpoints": there, "services": service, "policies": policy}
    for kind in ("group", "role"):
        made[f"{kind}s"] = admin.post(f"/v3/{kind}s", {kind: {"name": unique()}}).ok(201)[kind]
    for plural, row in made.items():
        path = f"/v3/{plural}/{row['id']}"
        [shown] = admin.get(path).ok(200).values()
        assert shown == row
        admin.delete(path).ok(204)
        admin.get(path).refused(404)
