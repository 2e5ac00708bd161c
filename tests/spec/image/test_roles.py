"""What each role may do on each route of images: one table, held against every route there is (metadata definitions have
theirs in test_metadefs.py); the rules themselves are in test_rules.py."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pileus import services
from pileus.core import clock
from pileus.core.routes import RouteTable
from pileus.identity.store import Role
from tests.harness import Answer, Client, World
from tests.spec.image.images import BYTES, PATCH, active, bare, create

V = "/image/v2"
WHO = ("admin", "member", "reader", "auditor", "service", "stranger")
ALL = dict.fromkeys(WHO, 200)
# of a project's own image: administrators and its members; its readers are refused, others do not see it
CHANGE = {"admin": 200, "member": 200, "reader": 403, "auditor": 403, "service": 403, "stranger": 404}
SEE = {**CHANGE, "reader": 200}
LIST = {"admin": 200, "member": 200, "reader": 200, "auditor": 403, "service": 403, "stranger": 200}
CREATE = {**LIST, "reader": 403}
KEEP = {**dict.fromkeys(WHO, 403), "admin": 200}  # administrators alone
Setup = Callable[[Client], dict[str, Any]]


def staged(owner: Client) -> dict[str, Any]:
    image = bare(owner)
    owner.request("PUT", f"{V}/images/{image['id']}/stage", headers=BYTES, upload=iter([b"x"])).ok(204)
    return image


def deactivated(owner: Client) -> dict[str, Any]:
    image = active(owner)
    owner.post(f"{V}/images/{image['id']}/actions/deactivate").ok(204)
    return image


def tagged(owner: Client) -> dict[str, Any]:
    return create(owner, tags=["t"])


def imported(owner: Client) -> dict[str, Any]:
    image = staged(owner)
    owner.post(f"{V}/images/{image['id']}/import", {"method": {"name": "glance-direct"}}).ok(202)
    return {**image, "task": owner.get(f"{V}/images/{image['id']}/tasks").ok(200)["tasks"][0]["id"]}


def offered(owner: Client) -> dict[str, Any]:
    image = active(owner)
    owner.post(f"{V}/images/{image['id']}/members", {"member": "third"}).ok(200)
    return image


# route: who is answered what (200: well), which image is needed, body or headers
ROUTES: dict[str, tuple[dict[str, int], Setup | None, Any]] = {
    "GET /images": (LIST, None, None),
    "POST /images": (CREATE, None, {}),
    "GET /images/{image_id}": (SEE, create, None),
    "PATCH /images/{image_id}": (CHANGE, create, [{"op": "replace", "path": "/name", "value": "x"}]),
    "DELETE /images/{image_id}": (CHANGE, create, None),
    "PUT /images/{image_id}/file": (CHANGE, bare, b"x"),
    "GET /images/{image_id}/file": (CHANGE, active, None),
    "PUT /images/{image_id}/stage": (CHANGE, bare, b"x"),
    "POST /images/{image_id}/import": (CHANGE, staged, {"method": {"name": "glance-direct"}}),
    "GET /images/{image_id}/tasks": (SEE, create, None),
    "POST /images/{image_id}/actions/deactivate": (CHANGE, active, None),
    "POST /images/{image_id}/actions/reactivate": (CHANGE, deactivated, None),
    "PUT /images/{image_id}/tags/{tag}": (CHANGE, create, None),
    "DELETE /images/{image_id}/tags/{tag}": (CHANGE, tagged, None),
    "GET /images/{image_id}/members": (SEE, create, None),
    "POST /images/{image_id}/members": (CHANGE, create, {"member": "third"}),
    "GET /images/{image_id}/members/{member_id}": (SEE, offered, None),
    "PUT /images/{image_id}/members/{member_id}": ({**CHANGE, "member": 403}, offered, {"status": "accepted"}),
    "DELETE /images/{image_id}/members/{member_id}": (CHANGE, offered, None),
    "GET /tasks": (KEEP, None, None),
    "POST /tasks": ({**KEEP, "admin": 400}, None, {}),
    "GET /tasks/{task_id}": (KEEP, imported, None),
    "GET /info/import": (LIST, None, None),
    "GET /info/stores": (LIST, None, None),
    "GET /info/stores/detail": ({**KEEP, "service": 200}, None, None),
    "GET /info/usage": (LIST, None, None),
    **{f"GET /schemas/{name}": (ALL, None, None) for name in ("image", "images", "member", "members", "task", "tasks")},
}
# specified where they are: of metadata definitions, and of what has a specification of its own
ELSEWHERE = ("/metadefs", "/schemas/metadefs", "/cache", "/stores/", "/locations")


@pytest.fixture(scope="module")
def cast(world: World) -> Iterator[dict[str, Client]]:
    with world.cloud.db.write() as tx:
        role = Role(clock.new_hex_id(), f"auditor-{clock.new_hex_id()}", None, None)
        tx.insert(role)
    world.roles["auditor"] = role.id
    member = world.client("member", "reader")
    yield {
        "admin": world.client("admin", "manager", "member", "reader"),
        "member": member,
        "stranger": world.client("member", "reader"),
        **{name: world.client(name, project_id=member.project_id) for name in ("reader", "auditor", "service")},
    }
    del world.roles["auditor"]


def ask(client: Client, route: str, image: dict[str, Any], body: Any) -> Answer:
    method, _, path = route.partition(" ")
    path = path.format(image_id=image.get("id"), task_id=image.get("task"), tag="t", member_id="third")
    if isinstance(body, bytes):
        return client.request(method, V + path, headers=BYTES, upload=iter([body]))
    return client.request(method, V + path, body, {"content-type": PATCH} if isinstance(body, list) else None)


@pytest.mark.parametrize("route", ROUTES)
def test_each_role_is_answered_as_the_table_says(cast: dict[str, Client], route: str) -> None:
    expected, setup, body = ROUTES[route]
    found = {}
    for who, client in cast.items():
        status = ask(client, route, setup(cast["member"]) if setup else {}, body).status
        found[who] = 200 if status in (201, 202, 204) else status
    assert found == expected


def test_the_table_has_every_route() -> None:
    known = {
        f"{route.method} {route.path.removeprefix('/v2')}"
        for route in RouteTable(services.apis())
        if route.service.name == "image" and route.policy is not None
    }
    missing = {name for name in known if name not in ROUTES and not any(part in name for part in ELSEWHERE)}
    assert not missing, f"{sorted(missing)}: say in ROUTES who may use them"


def test_a_public_image_is_read_by_all_who_may_read_and_changed_by_administrators(cast: dict[str, Client]) -> None:
    image = active(cast["admin"], visibility="public")
    path = f"{V}/images/{image['id']}"
    for who, status in {"member": 200, "reader": 200, "stranger": 200, "auditor": 403}.items():
        assert cast[who].get(path).status == status
        assert cast[who].patch(path, [], content_type=PATCH).status == 403
        assert cast[who].delete(path).status == 403
    assert cast["stranger"].get(f"{path}/file").status == 200 and cast["reader"].get(f"{path}/file").status == 403


@pytest.mark.parametrize(("visibility", "who"), [("public", {"admin"}), ("community", {"admin", "member", "stranger"}),
                                                 ("shared", {"admin", "member", "stranger"}),
                                                 ("private", {"admin", "member", "stranger"})])  # fmt: skip
def test_who_may_show_an_image_how_far(cast: dict[str, Client], visibility: str, who: set[str]) -> None:
    allowed = {
        name for name, client in cast.items() if client.post(f"{V}/images", {"visibility": visibility}).status == 201
    }
    assert allowed == who
