"""Unified limits: registered for all, set for projects and domains, flat or within the domain's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.identity import limits
from tests.harness import Client, World
from tests.spec.identity.identities import make, unique


@pytest.fixture
def service(admin: Client) -> Any:
    return admin.post("/v3/services", {"service": {"type": unique("type"), "name": unique()}}).ok(201)["service"]


def register(admin: Client, service: Any, default: int = 10, **given: Any) -> Any:
    item = {"service_id": service["id"], "resource_name": unique("resource"), "default_limit": default, **given}
    return admin.post("/v3/registered_limits", {"registered_limits": [item]}).ok(201)["registered_limits"][0]


def limit(registered: Any, value: int, **owner: Any) -> dict[str, Any]:
    place = {name: registered[name] for name in ("service_id", "region_id", "resource_name")}
    return {**place, "resource_limit": value, **owner}


def set_limits(admin: Client, *items: Any) -> Any:
    return admin.post("/v3/limits", {"limits": list(items)}).ok(201)["limits"]


def test_registered_limits_are_made_several_at_once_changed_and_deleted(admin: Client, service: Any) -> None:
    items = [{"service_id": service["id"], "resource_name": name, "default_limit": 5} for name in ("a", "b")]
    made = admin.post("/v3/registered_limits", {"registered_limits": items}).ok(201)["registered_limits"]
    assert [row["resource_name"] for row in made] == ["a", "b"] and made[0]["region_id"] is None
    path = f"/v3/registered_limits/{made[0]['id']}"
    assert made[0]["links"]["self"].endswith(path)
    changed = admin.patch(path, {"registered_limit": {"default_limit": -1, "description": "x"}}).ok()
    assert changed["registered_limit"]["default_limit"] == -1 and admin.get(path).ok() == changed
    listed = admin.get(f"/v3/registered_limits?service_id={service['id']}&resource_name=b").ok()["registered_limits"]
    assert listed == [made[1]]
    admin.patch(path, {"registered_limit": {"resource_name": "b"}}).refused(409)
    admin.delete(path).ok(204)
    admin.get(path).refused(404, "registered limit")


def test_all_of_a_request_is_stored_or_none(admin: Client, service: Any) -> None:
    items = [{"service_id": service["id"], "resource_name": name, "default_limit": 5} for name in ("a", "b", "a")]
    admin.post("/v3/registered_limits", {"registered_limits": items}).refused(409, "registered already")
    assert admin.get(f"/v3/registered_limits?service_id={service['id']}").ok()["registered_limits"] == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"service_id": None}, "service_id"),
        ({"service_id": "nowhere"}, "service"),
        ({"region_id": "nowhere"}, "region"),
        ({"resource_name": ""}, "resource_name"),
        ({"default_limit": "5"}, "default_limit"),
        ({"default_limit": -2}, "default_limit"),
        ({"default_limit": 2**31}, "default_limit"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_malformed_registered_limit_is_refused(admin: Client, service: Any, change: Any, word: str) -> None:
    item = {"service_id": service["id"], "resource_name": "a", "default_limit": 5, **change}
    admin.post("/v3/registered_limits", {"registered_limits": [item]}).refused(400, word)


@pytest.mark.parametrize("body", [{}, {"limits": {}}, {"limits": []}, {"limits": [1]}, {"limits": [{}]}])
def test_a_request_for_limits_is_a_list_of_objects(admin: Client, body: Any) -> None:
    admin.post("/v3/limits", body).refused(400)


def test_a_limit_is_of_one_project_or_domain_that_is_there(admin: Client, service: Any) -> None:
    registered = register(admin, service)
    for owner in ({}, {"project_id": "nobody"}, {"domain_id": "nobody"}, {"project_id": "x", "domain_id": "default"}):
        admin.post("/v3/limits", {"limits": [limit(registered, 1, **owner)]}).refused(400)
    made = set_limits(admin, limit(registered, 3, project_id="default"))[0]
    assert (made["project_id"], made["domain_id"]) == (None, "default")
    admin.post("/v3/limits", {"limits": [limit(registered, 3, domain_id="default")]}).refused(409, "already")
    other = {**limit(registered, 3, project_id=admin.project_id), "resource_name": "other"}
    admin.post("/v3/limits", {"limits": [other]}).refused(403, "registered")
    admin.delete(f"/v3/limits/{made['id']}").ok(204)


def test_what_limits_refer_to_stays(admin: Client, service: Any) -> None:
    registered = register(admin, service)
    path = f"/v3/registered_limits/{registered['id']}"
    made = set_limits(admin, limit(registered, 3, project_id=admin.project_id))[0]
    admin.patch(path, {"registered_limit": {"default_limit": 4}}).refused(403, "refer")
    admin.delete(path).refused(403, "refer")
    changed = admin.patch(f"/v3/limits/{made['id']}", {"limit": {"resource_limit": 0}}).ok()["limit"]
    assert changed["resource_limit"] == 0
    admin.patch(f"/v3/limits/{made['id']}", {"limit": {"project_id": "x"}}).refused(400, "project_id")
    admin.delete(f"/v3/limits/{made['id']}").ok(204)
    admin.delete(path).ok(204)


def test_limits_go_with_their_project_and_their_service(admin: Client, service: Any) -> None:
    registered, project = register(admin, service), make(admin, "project")
    made = set_limits(admin, limit(registered, 3, project_id=project["id"]))[0]
    admin.delete(f"/v3/projects/{project['id']}").ok(204)
    admin.get(f"/v3/limits/{made['id']}").refused(404)
    admin.delete(f"/v3/services/{service['id']}").ok(204)
    admin.get(f"/v3/registered_limits/{registered['id']}").refused(404)


def test_a_region_with_registered_limits_stays(admin: Client, service: Any) -> None:
    region = admin.post("/v3/regions", {"region": {}}).ok(201)["region"]["id"]
    registered = register(admin, service, region_id=region)
    admin.delete(f"/v3/regions/{region}").refused(403, "limits")
    admin.delete(f"/v3/registered_limits/{registered['id']}").ok(204)
    admin.delete(f"/v3/regions/{region}").ok(204)


def test_members_see_their_own_projects_limits(admin: Client, member: Client, stranger: Client, service: Any) -> None:
    registered = register(admin, service)
    items = [limit(registered, 1, project_id=who.project_id) for who in (member, stranger)]
    mine, other = set_limits(admin, *items)
    assert {row["id"] for row in member.get("/v3/limits").ok()["limits"]} == {mine["id"]}
    assert {mine["id"], other["id"]} <= {row["id"] for row in admin.get("/v3/limits").ok()["limits"]}
    member.get(f"/v3/limits/{mine['id']}").ok()
    member.get(f"/v3/limits/{other['id']}").refused(403)
    member.patch(f"/v3/limits/{mine['id']}", {"limit": {"resource_limit": 9}}).refused(403)
    member.post("/v3/limits", {"limits": items}).refused(403)
    member.delete(f"/v3/limits/{mine['id']}").refused(403)
    member.get(f"/v3/registered_limits/{registered['id']}").ok()


def test_what_holds_is_the_projects_limit_else_the_registered_one(world: World, admin: Client, service: Any) -> None:
    region = admin.post("/v3/regions", {"region": {}}).ok(201)["region"]["id"]
    registered = register(admin, service, 10)
    name, project_id = registered["resource_name"], admin.project_id
    here = register(admin, service, 20, region_id=region, resource_name=name)

    def holds(project_id: str, region_id: str | None = None, of: str = service["type"]) -> int | None:
        with world.cloud.db.read() as tx:
            return limits.effective(tx, of, name, project_id, region_id)

    assert (holds(project_id), holds(project_id, of=service["name"])) == (10, 10)
    assert (holds(project_id, region), holds(project_id, "elsewhere")) == (20, 10)
    assert holds(project_id, of="nothing") is None
    set_limits(admin, limit(registered, 0, project_id=project_id), limit(here, -1, domain_id="default"))
    assert (holds(project_id), holds(project_id, region), holds("default", region)) == (0, 20, -1)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Client]:
    world = World(tmp_path / "strict", limit_model="strict_two_level")
    yield world.client("admin", "manager", "member", "reader")
    world.stop()


def test_in_two_levels_a_projects_limit_is_at_most_its_domains(strict: Client) -> None:
    service = strict.post("/v3/services", {"service": {"type": "t"}}).ok(201)["service"]
    registered = register(strict, service, 10)
    domain = make(strict, "domain")
    project = make(strict, "project", domain_id=domain["id"])
    owner = {"project_id": project["id"]}
    strict.post("/v3/limits", {"limits": [limit(registered, 11, **owner)]}).refused(403, "above it has 10")
    strict.post("/v3/limits", {"limits": [limit(registered, -1, **owner)]}).refused(403)
    both = [limit(registered, 15, **owner), limit(registered, 20, domain_id=domain["id"])]
    below, above = set_limits(strict, *both)
    strict.patch(f"/v3/limits/{below['id']}", {"limit": {"resource_limit": 21}}).refused(403, "above it has 20")
    strict.patch(f"/v3/limits/{above['id']}", {"limit": {"resource_limit": 14}}).refused(403, project["id"])
    strict.patch(f"/v3/limits/{above['id']}", {"limit": {"resource_limit": -1}}).ok()
    assert strict.get(f"/v3/limits/{above['id']}").ok()["limit"]["resource_limit"] == -1
    assert strict.get("/v3/limits/model").ok()["model"]["name"] == "strict_two_level"
    lower = make(strict, "project", parent_id=project["id"])
    strict.post("/v3/projects", {"project": {"name": "deep", "parent_id": lower["id"]}}).refused(403, "2 projects deep")
    item = limit(registered, 16, project_id=lower["id"])
    strict.post("/v3/limits", {"limits": [item]}).refused(403, "above it has 15")


def test_the_model_is_flat_unless_the_operator_says_otherwise(member: Client) -> None:
    assert member.get("/v3/limits/model").ok()["model"]["name"] == "flat"
