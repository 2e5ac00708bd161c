"""Volumes through compute's older doors, and snapshots as block storage asks for them."""

import json
from urllib.parse import quote

from pileus.core import clock
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import COMPUTE, Servers
from tests.spec.compute.volumes.conftest import NOWHERE


def test_volumes_through_the_older_door(servers: Servers, volumes: Volumes, member: Client) -> None:
    older = f"{COMPUTE}/os-volumes"
    body = {"volume": {"size": 1, "display_name": "old", "metadata": {"a": "b"}}}
    made = member.post(older, body).ok(200)["volume"]
    assert (made["displayName"], made["metadata"], made["attachments"]) == ("old", {"a": "b"}, [{}])
    volumes.reaches("available", made["id"])
    assert member.get(f"{older}/{made['id']}").ok()["volume"]["status"] == "available"
    for path in (older, f"{older}/detail"):
        assert made["id"] in {one["id"] for one in member.get(path).ok()["volumes"]}
    assert len(member.get(f"{older}?limit=1").ok()["volumes"]) == 1
    for wrong in ({}, {"size": 0}, {"size": "big"}, {"size": 1, "snapshot_id": NOWHERE}):
        member.post(older, {"volume": wrong}).refused(400)
    shots = f"{COMPUTE}/os-snapshots"
    shot = member.post(shots, {"snapshot": {"volume_id": made["id"], "display_name": "then"}}).ok(200)["snapshot"]
    eventually(lambda: member.get(f"{shots}/{shot['id']}").ok()["snapshot"]["status"] == "available")
    for path in (shots, f"{shots}/detail"):
        assert shot["id"] in {one["id"] for one in member.get(path).ok()["snapshots"]}
    member.delete(f"{older}/{made['id']}").refused(400)
    member.delete(f"{shots}/{shot['id']}").ok(202)
    eventually(lambda: member.get(f"{shots}/{shot['id']}").status == 404)
    member.delete(f"{older}/{made['id']}").ok(202)
    volumes.gone(made["id"])
    for path in (older, f"{older}/{made['id']}", shots, f"{shots}/{shot['id']}"):
        member.at("2.36").get(path).refused(404)
        member.get(f"{path}/nothing").refused(404)


def test_a_snapshot_of_a_volume_in_use_is_made_as_block_storage_asks(
    attached: tuple[str, str], volumes: Volumes, admin: Client, member: Client, world: World
) -> None:
    _, volume_id = attached
    path, snapshot_id = f"{COMPUTE}/os-assisted-volume-snapshots", clock.new_id()
    info = {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "new"}
    body = {"snapshot": {"volume_id": volume_id, "create_info": info}}
    member.post(path, body).refused(403)
    assert admin.post(path, body).ok(200) == {"snapshot": {"id": snapshot_id, "volumeId": volume_id}}

    def held() -> set[str]:
        nodes = world.cloud.drivers["compute"].fakes.values()
        return {one.snapshot_id for node in nodes for one in node.list_volumes().snapshots}

    assert snapshot_id in held()
    for wrong in ("", "?delete_info=x", "?delete_info=[]", "?delete_info={}"):
        admin.delete(f"{path}/{snapshot_id}{wrong}").refused(400)
    told = quote(json.dumps({"volume_id": volume_id}))
    admin.delete(f"{path}/{snapshot_id}?delete_info={told}").ok(204)
    assert snapshot_id not in held()
    free = volumes.available()
    admin.post(path, {"snapshot": {"volume_id": free, "create_info": info}}).refused(400, "no server")
    admin.post(path, {"snapshot": {"volume_id": NOWHERE, "create_info": info}}).refused(404)
    admin.post(path, {"snapshot": {"volume_id": free}}).refused(400)
    elsewhere = quote(json.dumps({"volume_id": NOWHERE}))
    admin.delete(f"{path}/{snapshot_id}?delete_info={elsewhere}").refused(404)
