"""Regions, services, endpoints: what the catalog in every token is made of."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.identity.identities import make, unique


@pytest.fixture
def service(admin: Client) -> Any:
    return make(admin, "service", type=unique("type"))


def test_a_region_takes_the_id_it_is_given(admin: Client) -> None:
    name = unique("region")
    made = admin.post("/v3/regions", {"region": {"id": name, "description": "d"}}).ok(201)["region"]
    assert (made["id"], made["description"], made["parent_region_id"]) == (name, "d", None)
    admin.post("/v3/regions", {"region": {"id": name}}).refused(409)
    admin.put(f"/v3/regions/{name}", {"region": {}}).refused(409)
    other = unique("region")
    assert admin.put(f"/v3/regions/{other}", {"region": {}}).ok(201)["region"]["id"] == other
    assert len(admin.post("/v3/regions", {"region": {}}).ok(201)["region"]["id"]) == 32


def test_regions_nest_and_go_with_those_above(admin: Client) -> None:
    top = admin.post("/v3/regions", {"region": {}}).ok(201)["region"]
    leaf = admin.post("/v3/regions", {"region": {"parent_region_id": top["id"]}}).ok(201)["region"]
    listed = admin.get(f"/v3/regions?parent_region_id={top['id']}").ok()["regions"]
    assert listed == [leaf]
    admin.patch(f"/v3/regions/{top['id']}", {"region": {"parent_region_id": leaf["id"]}}).refused(400, "parent")
    admin.post("/v3/regions", {"region": {"parent_region_id": "none"}}).refused(404)
    admin.delete(f"/v3/regions/{top['id']}").ok(204)
    admin.get(f"/v3/regions/{leaf['id']}").refused(404)


def test_a_service_is_created_changed_listed_and_deleted(admin: Client, service: Any) -> None:
    at = f"/v3/services/{service['id']}"
    assert service["enabled"] is True
    assert admin.patch(at, {"service": {"description": "d", "enabled": False}}).ok()["service"]["description"] == "d"
    assert [row["id"] for row in admin.get(f"/v3/services?type={service['type']}").ok()["services"]] == [service["id"]]
    assert [row["id"] for row in admin.get(f"/v3/services?name={service['name']}").ok()["services"]] == [service["id"]]
    admin.post("/v3/services", {"service": {"name": "x"}}).refused(400, "type")
    admin.post("/v3/services", {"service": {"type": "x", "enabled": "yes"}}).refused(400, "enabled")
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_an_endpoint_shows_up_in_the_catalog_of_tokens_at_once(admin: Client, service: Any) -> None:
    given = {
        "service_id": service["id"],
        "interface": "public",
        "url": "http://x.test/$(project_id)s",
        "region": "RegionOne",
    }
    made = admin.post("/v3/endpoints", {"endpoint": given}).ok(201)["endpoint"]
    assert made["region_id"] == made["region"] == "RegionOne" and made["url"] == given["url"]

    def urls() -> list[str]:
        catalog = admin.get("/v3/auth/catalog").ok()["catalog"]
        return [end["url"] for entry in catalog if entry["id"] == service["id"] for end in entry["endpoints"]]

    assert urls() == [f"http://x.test/{admin.project_id}"]
    at = f"/v3/endpoints/{made['id']}"
    admin.patch(at, {"endpoint": {"url": "http://y.test"}}).ok()
    assert urls() == ["http://y.test"]
    assert [row["id"] for row in admin.get(f"/v3/endpoints?service_id={service['id']}").ok()["endpoints"]] == [
        made["id"]
    ]
    assert admin.get(f"/v3/endpoints?service_id={service['id']}&interface=admin").ok()["endpoints"] == []
    admin.patch(at, {"endpoint": {"enabled": False}}).ok()
    assert urls() == []
    admin.delete(f"/v3/services/{service['id']}").ok()
    admin.get(at).refused(404)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"interface": "private"}, "interface"),
        ({"url": "nothing"}, "url"),
        ({"url": "http://x/%(password)s"}, "url"),
        ({"url": "http://x/%(project_id"}, "url"),
        ({"service_id": "none"}, "service_id"),
        ({"region_id": "none"}, "region_id"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_a_malformed_endpoint_is_refused_by_field(admin: Client, service: Any, change: Any, word: str) -> None:
    body = {"service_id": service["id"], "interface": "public", "url": "http://x.test", **change}
    admin.post("/v3/endpoints", {"endpoint": body}).refused(400, word)


def test_a_region_with_endpoints_stays(admin: Client, service: Any) -> None:
    name = unique("region")
    body = {"service_id": service["id"], "interface": "public", "url": "http://x.test", "region": name}
    admin.post("/v3/endpoints", {"endpoint": body}).ok(201)
    admin.delete(f"/v3/regions/{name}").refused(403, "endpoints")


def test_everybody_sees_regions_and_only_administrators_the_rest(member: Client, anonymous: Client) -> None:
    member.get("/v3/regions").ok(200)
    member.get("/v3/regions/RegionOne").ok(200)
    member.post("/v3/regions", {"region": {}}).refused(403)
    member.get("/v3/services").refused(403)
    member.get("/v3/endpoints").refused(403)
    member.post("/v3/services", {"service": {"type": "x"}}).refused(403)
    anonymous.get("/v3/regions").refused(401)
