"""A server whose host is down is made anew elsewhere."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Client, World, eventually
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers


@pytest.fixture
def own(admin: Client, servers: Servers) -> Servers:
    return Servers(admin, servers.image_id, servers.flavor_id)


@pytest.fixture
def stranded(own: Servers, admin: Client) -> Iterator[str]:
    """A server on a host that is said to be down."""
    server_id = own.active(availability_zone="nova:fake-1")
    said = {"binary": "nova-compute", "host": "fake-1", "forced_down": True}
    admin.at("2.11").put(f"{COMPUTE}/os-services/force-down", said).ok()
    yield server_id
    admin.at("2.11").put(f"{COMPUTE}/os-services/force-down", {**said, "forced_down": False}).ok()


@pytest.mark.parametrize(("version", "status"), [("2.13", "ACTIVE"), ("2.94", "ACTIVE"), ("2.95", "SHUTOFF")])
def test_it_is_made_anew_and_since_2_95_left_off(
    own: Servers, admin: Client, stranded: str, world: World, version: str, status: str
) -> None:
    before = own.show(stranded)["addresses"]
    given: dict[str, Any] = {"adminPass": "secret"}
    if version == "2.13":
        given["onSharedStorage"] = False
    answer = admin.at(version).post(f"{SERVERS}/{stranded}/action", {"evacuate": given}).ok(200)
    assert answer == ({"adminPass": "secret"} if version == "2.13" else b"")
    shown = own.reaches(status, stranded)
    assert (shown["OS-EXT-SRV-ATTR:host"], shown["addresses"]) == ("fake-2", before)
    moves = admin.at("2.23").get(f"{COMPUTE}/os-migrations?instance_uuid={stranded}").ok()["migrations"]
    assert [(move["migration_type"], move["status"]) for move in moves] == [("evacuation", "done")]
    node = world.cloud.drivers["compute"].fakes["fake-2"]
    assert node.instances[stranded].power == ("running" if status == "ACTIVE" else "shutdown")


def test_where_it_is_put_may_be_said(own: Servers, admin: Client, stranded: str) -> None:
    path = f"{SERVERS}/{stranded}/action"
    at = admin.at("2.67")
    at.post(path, {"evacuate": {"host": "nowhere"}}).refused(404, "nowhere")
    at.post(path, {"evacuate": {"host": "fake-1"}}).refused(400, "same")
    at.post(path, {"evacuate": {"force": True}}).refused(400, "force")
    admin.at("2.68").post(path, {"evacuate": {"force": True}}).refused(400, "force")
    admin.at("2.14").post(path, {"evacuate": {"onSharedStorage": True}}).refused(400, "onSharedStorage")
    admin.post(path, {"evacuate": {}}).refused(400, "onSharedStorage")
    admin.post(path, {"evacuate": {"onSharedStorage": True}}).refused(400, "shared storage")
    at.post(path, {"evacuate": {"host": "fake-2"}}).ok(200)
    assert own.reaches("ACTIVE", stranded)["OS-EXT-SRV-ATTR:host"] == "fake-2"


def test_a_host_that_is_up_is_not_evacuated(own: Servers, admin: Client, member: Client) -> None:
    server_id = own.active()
    path, body = f"{SERVERS}/{server_id}/action", {"evacuate": {}}
    admin.at("2.14").post(path, body).refused(400, "in use")
    member.at("2.14").post(path, body).refused(403)


def test_without_another_host_it_stays_in_error_and_can_be_asked_again(
    own: Servers, admin: Client, stranded: str
) -> None:
    said = {"host": "fake-2", "binary": "nova-compute"}
    path = f"{SERVERS}/{stranded}/action"
    admin.put(f"{COMPUTE}/os-services/disable", said).ok()
    try:
        admin.at("2.14").post(path, {"evacuate": {}}).ok(200)
        shown = own.reaches("ERROR", stranded)
        assert "No valid host" in shown["fault"]["message"] and shown["OS-EXT-SRV-ATTR:host"] == "fake-1"
    finally:
        admin.put(f"{COMPUTE}/os-services/enable", said).ok()
    eventually(lambda: admin.at("2.14").post(path, {"evacuate": {}}).status == 200)
    assert own.reaches("ACTIVE", stranded)["OS-EXT-SRV-ATTR:host"] == "fake-2"
