"""What holds for every kind of thing: what was made is listed, shown, tagged, deleted, and then gone."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from pileus.core.errors import Fault
from tests.complete.furniture import MAKE, Pool, furnish, kind
from tests.harness import Client, World

# collections whose members have an address of their own, in the order in which they can be made
COLLECTIONS = list(
    dict.fromkeys(path for method, path, _ in MAKE if method == "POST" and "$" not in path and "/auth/" not in path)
)
DELETABLE = [
    path for path in reversed(COLLECTIONS)
    if not path.endswith(
        ("/servers", "/routers", "/networks", "/subnets", "/images", "/flavors", "/volumes", "/snapshots")
    )
]  # fmt: skip


class House:
    """One of everything."""

    def __init__(self, admin: Client):
        self.admin = admin
        self.admin.headers["openstack-api-version"] = "volume latest"  # other services have no such word in it
        self.pool = Pool(random.Random(1))
        assert furnish(admin, self.pool, 200) == []

    def id(self, collection: str) -> str:
        if collection.endswith("os-keypairs"):
            return "k-200"
        if collection.endswith("/types"):
            return self.pool.newest("volume_type")
        return self.pool.newest(kind(collection.rpartition("/")[2]))

    def has(self, method: str, path: str) -> bool:
        try:
            return bool(self.admin.cloud.routes.find(method, path)[0])
        except Fault:
            return False


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[House]:
    world = World(tmp_path_factory.mktemp("house"))
    world.cloud.start()
    yield House(world.client("admin", "manager", "member", "reader"))
    world.stop()


def members(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = next(value for value in body.values() if isinstance(value, list))
    return [item.get("keypair", item) for item in found]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_was_made_is_listed_and_shown(house: House, collection: str) -> None:
    id = house.id(collection)
    if house.has("GET", collection):
        assert id in {str(item.get("id", item.get("name"))) for item in members(house.admin.get(collection).ok(200))}
    shown = house.admin.get(f"{collection}/{id}").ok(200)
    inner = shown if "id" in shown else next(iter(shown.values()))
    assert id in (str(inner["id"]), inner.get("name"))
    if house.has("GET", f"{collection}/detail") and not house.has("DELETE", f"{collection}/detail/x"):
        detailed = house.admin.get(f"{collection}/detail")
        if detailed.status == 200:
            assert id in {item["id"] for item in members(detailed.ok())}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_was_made_can_be_tagged(house: House, collection: str) -> None:
    tags = f"{collection}/{house.id(collection)}/tags"
    if not house.has("PUT", tags):
        pytest.skip("this kind of thing has no tags")
    admin = house.admin.at("2.60")
    body: Any = {"tags": ["red", "blue"]}
    admin.put(tags, body).ok()
    assert set(admin.get(tags).ok(200)["tags"]) == {"red", "blue"}
    admin.get(f"{tags}/red").ok()
    admin.get(f"{tags}/green").refused(404)
    admin.put(f"{tags}/green").ok()
    admin.delete(f"{tags}/red").ok(204)
    assert set(admin.get(tags).ok(200)["tags"]) == {"green", "blue"}
    admin.put(f"{tags}/{'x' * 300}").refused(400)
    admin.delete(tags).ok(204)
    assert admin.get(tags).ok(200)["tags"] == []


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_what_does_not_exist_is_neither_shown_nor_deleted(house: House, collection: str) -> None:
    house.admin.get(f"{collection}/nobody").refused(404)
    house.admin.delete(f"{collection}/nobody").refused(404)


@pytest.mark.parametrize("collection", DELETABLE)
def test_what_was_made_can_be_deleted_and_is_gone(house: House, collection: str) -> None:
    """Runs after the other tests of this module, in the reverse of the order of making."""
    if collection.endswith("domains"):
        house.admin.patch(f"{collection}/{house.id(collection)}", {"domain": {"enabled": False}}).ok(200)
    house.admin.delete(f"{collection}/{house.id(collection)}").ok()
    house.admin.get(f"{collection}/{house.id(collection)}").refused(404)


LISTS = [
    "/compute/", "/compute/v2.1/", "/compute/v2.1/flavors/detail", "/compute/v2.1/os-availability-zone",
    "/compute/v2.1/os-availability-zone/detail", "/compute/v2.1/os-hypervisors", "/compute/v2.1/os-hypervisors/detail",
    "/compute/v2.1/os-hypervisors/statistics", "/compute/v2.1/os-services", "/compute/v2.1/limits",
    "/compute/v2.1/servers/detail", "/identity/", "/identity/v3", "/identity/healthcheck", "/identity/v3/auth/system",
    "/identity/v3/auth/domains", "/network/", "/network/v2.0/", "/network/v2.0/extensions", "/network/v2.0/agents",
    "/network/v2.0/availability_zones", "/network/v2.0/service-providers", "/network/v2.0/network-ip-availabilities",
    "/network/v2.0/quotas", "/network/v2.0/qos/policies", "/network/v2.0/trunks", "/image/", "/image/v2/schemas/image",
]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_an_operator_can_look_at_everything(house: House, path: str) -> None:
    answer = house.admin.get(path)
    assert answer.status in (200, 300), f"{path} answered {answer.status}: {answer.raw[:300]!r}"
