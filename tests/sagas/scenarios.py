"""For each saga: how it comes to be started, and what must be true once it is done. A new saga gets a line here."""

import hashlib
from collections.abc import Callable
from typing import Any

from pileus.block_storage.store import Attachment, Volume
from pileus.compute import hosts
from pileus.compute.sagas.restore import RESTORE
from pileus.compute.store import ServerPort, ServerVolume
from pileus.core import saga
from pileus.core.context import internal
from pileus.image import hashing
from pileus.image.store import Image
from pileus.node import protocol as p
from tests.sagas.scenario import Scenario, Thing
from tests.sagas.stage import VOLUME, Stage
from tests.sagas.storage import STORAGE
from tests.spec.compute.conftest import SERVERS, make_flavor
from tests.spec.image import images

LIVE = {"host": None, "block_migration": True, "disk_over_commit": False}
REBUILT, RESIZED = "rebuilt", "resized"


def _fault(stage: Stage, server_id: str) -> str | None:
    server = stage.server(server_id)
    broken = (
        server is not None and server.vm_state == "error" and server.task_state is None and server.fault is not None
    )
    return server.fault.message if broken and server is not None and server.fault is not None else None


def _message(stage: Stage, image_id: str) -> str | None:
    tasks = stage.client.get(f"{images.IMAGES}/{image_id}/tasks").ok(200)["tasks"]
    return tasks[-1]["message"] if tasks[-1]["status"] == "failure" else None


SERVER = Thing(SERVERS, _fault)
IMAGE = Thing(images.IMAGES, _message)


def _nothing(stage: Stage) -> str:
    return ""


def _running(stage: Stage) -> str:
    return stage.made()


def _stopped(stage: Stage) -> str:
    server_id = stage.made()
    stage.servers.do(server_id, "os-stop").ok(202)
    stage.run()
    return server_id


def _after(*actions: tuple[str, Any]) -> Callable[[Stage], str]:
    """A server to which all this was done."""

    def prepare(stage: Stage) -> str:
        server_id = stage.made()
        for name, arguments in actions:
            stage.servers.do(server_id, name, _filled(stage, arguments)).ok()
            stage.run()
        return server_id

    return prepare


def _filled(stage: Stage, arguments: Any) -> Any:
    """`{image}` and `{flavor}` are the stage's own; a flavor is made when it is wanted."""
    if arguments == RESIZED:
        return {"flavorRef": make_flavor(stage.client, ram=128, disk=2, **{"OS-FLV-EXT-DATA:ephemeral": 1})}
    return {"imageRef": stage.servers.image_id} if arguments == REBUILT else arguments


def _attach(stage: Stage, server_id: str) -> str:
    stage.client.post(f"{SERVERS}/{server_id}/os-interface", {"interfaceAttachment": {}}).ok(200)
    return server_id


def _two_interfaces(stage: Stage) -> str:
    server_id = _attach(stage, stage.made())
    stage.run()
    return server_id


def _detach(stage: Stage, server_id: str) -> str:
    shown = stage.client.get(f"{SERVERS}/{server_id}/os-interface").ok()["interfaceAttachments"]
    stage.client.delete(f"{SERVERS}/{server_id}/os-interface/{shown[-1]['port_id']}").ok(202)
    return server_id


def _has_interfaces(count: int) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, server_id: str) -> bool:
        server = stage.server(server_id)
        if server is None or server.host is None:
            return False
        guest = stage.nodes[server.host].instances[server_id]
        with stage.cloud.db.read() as tx:
            return len(guest.spec.nics) == tx.count(ServerPort, server_id=server_id) == count

    return done


def _with_volume(prepare: Callable[[Stage], str]) -> Callable[[Stage], str]:
    """A server that has a volume, which ends with it, on the other host."""

    def prepared(stage: Stage) -> str:
        server_id = _attach_volume(stage, prepare(stage))
        stage.run()
        return server_id

    return prepared


def _attach_volume(stage: Stage, server_id: str) -> str:
    server = stage.server(server_id)
    other = next(name for name in stage.nodes if server is None or name != server.host)
    made = stage.client.post(f"{VOLUME}/volumes", {"volume": {"size": 1}}).ok(202)["volume"]["id"]
    stage.run()
    with stage.cloud.db.write() as tx:
        tx.update(Volume, made, host=f"{other}@files#files")
    for name, node in stage.nodes.items():
        node.remove_volume(p.VolumeRef(made))
        if name == other:
            node.ensure_volume(p.EnsureVolume(volume_id=made, size_gb=1))
    body = {"volumeAttachment": {"volumeId": made, "delete_on_termination": True}}
    stage.client.at("2.79").post(f"{SERVERS}/{server_id}/os-volume_attachments", body).ok(200)
    return server_id


def _detach_volume(stage: Stage, server_id: str) -> str:
    path = f"{SERVERS}/{server_id}/os-volume_attachments"
    (found,) = stage.client.get(path).ok()["volumeAttachments"]
    stage.client.delete(f"{path}/{found['volumeId']}").ok(202)
    return server_id


def _has_volumes(count: int) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, server_id: str) -> bool:
        server = stage.server(server_id)
        if server is None or server.host is None:
            return False
        guest = stage.nodes[server.host].instances[server_id]
        with stage.cloud.db.read() as tx:
            rows = tx.select(ServerVolume, server_id=server_id)
            attachments = tx.select(Attachment, server_id=server_id)
        states = [one.attach_status for one in attachments]
        return len(guest.spec.volumes) == len(rows) == count and states == ["attached"] * count

    return done


def _from_volume(stage: Stage) -> str:
    root = {
        "source_type": "image", "destination_type": "volume", "boot_index": 0, "uuid": stage.servers.image_id,
        "volume_size": 1, "delete_on_termination": True,
    }  # fmt: skip
    server_id = stage.servers.create(imageRef=..., block_device_mapping_v2=[root])
    stage.run()
    assert _is("active", "running")(stage, server_id)
    return server_id


def _is_offloaded(stage: Stage, server_id: str) -> bool:
    server = stage.server(server_id)
    return server is not None and (server.vm_state, server.host) == ("shelved_offloaded", None)


def _vanished(stage: Stage) -> str:
    server_id = stage.made()
    for node in stage.nodes.values():
        node.remove_instance(p.ServerRef(server_id))
    return server_id


def _burned(stage: Stage) -> str:
    """A server whose host is down, and lost."""
    server_id = stage.made()
    server = stage.server(server_id)
    assert server is not None and server.host is not None
    stage.nodes[server.host].instances.pop(server_id)
    stage.nodes[server.host].networks.clear()
    _force_down(stage, server.host, True)
    return server_id


def _force_down(stage: Stage, host: str, down: bool) -> None:
    with stage.cloud.db.write() as tx:
        tx.update(hosts.Host, {"name": host}, forced_down=down)


def _evacuate(stage: Stage, server_id: str) -> str:
    server = stage.server(server_id)
    assert server is not None and server.host is not None
    body = {"evacuate": {"onSharedStorage": False}}
    stage.client.post(f"{SERVERS}/{server_id}/action", body).ok(200)
    _force_down(stage, server.host, False)  # the next test uses it, and the scheduler avoids it by name
    return server_id


def _create(stage: Stage, _: str) -> str:
    """With a disk of its own, and a volume that is made for it and ends with it."""
    volume = {"source_type": "blank", "destination_type": "volume", "boot_index": -1, "volume_size": 1}
    root = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": stage.servers.image_id}
    return stage.servers.create(
        config_drive=True, block_device_mapping_v2=[root, {**volume, "delete_on_termination": True}]
    )


def _delete(stage: Stage, server_id: str) -> str:
    stage.client.delete(f"{SERVERS}/{server_id}").ok(204)
    return server_id


def _action(name: str, arguments: Any = None) -> Callable[[Stage, str], str]:
    def start(stage: Stage, server_id: str) -> str:
        stage.servers.do(server_id, name, _filled(stage, arguments)).ok()
        return server_id

    return start


def _restore(stage: Stage, server_id: str) -> str:
    with stage.cloud.db.write() as tx:
        saga.start(tx, RESTORE, f"server/{server_id}", internal("req-test"))
    return server_id


def _is(vm_state: str, power: str) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, server_id: str) -> bool:
        server = stage.server(server_id)
        if server is None or server.host is None:
            return False
        guest = stage.nodes[server.host].instances[server_id]
        return (server.vm_state, server.task_state, guest.power) == (vm_state, None, power)

    return done


def _is_gone(stage: Stage, server_id: str) -> bool:
    return stage.server(server_id) is None


def _staged(stage: Stage) -> str:
    image = images.bare(stage.client)
    images.stage(stage.client, image, b"bytes").ok(204)
    return str(image["id"])


def _queued(stage: Stage) -> str:
    return str(images.bare(stage.client)["id"])


def _import(stage: Stage, image_id: str) -> str:
    images.bring_in(stage.client, {"id": image_id}, all_stores=True).ok(202)
    return image_id


def _locate(stage: Stage, image_id: str) -> str:
    url = stage.web.put("/located", b"bytes")
    promise = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(b"bytes").hexdigest()}
    body = {"url": url, "validation_data": promise}
    stage.client.post(f"{images.IMAGES}/{image_id}/locations", body).ok(202)
    return image_id


def _uploaded(stage: Stage) -> str:
    return str(images.active(stage.client)["id"])


def _hash(stage: Stage, image_id: str) -> str:
    with stage.cloud.db.write() as tx:
        (location,) = tx.get(Image, id=image_id).locations
        tx.update(Image, image_id, os_hash_value=None, checksum=None)
        hashing.start(tx, image_id, location.store, location.key)
    return image_id


def _is_hashed(stage: Stage, image_id: str) -> bool:
    image = stage.client.get(f"{images.IMAGES}/{image_id}").ok(200)
    return image["status"] == "active" and image["checksum"] == hashlib.md5(b"bytes").hexdigest()


def _is_stored(*stores: str) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, image_id: str) -> bool:
        image = stage.client.get(f"{images.IMAGES}/{image_id}").ok(200)
        return image["status"] == "active" and image["stores"] == ",".join(stores) and image["size"] == 5

    return done


SCENARIOS = {
    **STORAGE,
    "image-import": Scenario(_staged, _import, _is_stored("cheap", "file"), of=IMAGE),
    "image-location": Scenario(_queued, _locate, _is_stored("web"), undoes=True, of=IMAGE),
    "image-hash": Scenario(_uploaded, _hash, _is_hashed, of=IMAGE),
    "server-create": Scenario(_nothing, _create, _is("active", "running"), undoes=True),
    "server-delete": Scenario(_with_volume(_running), _delete, _is_gone),
    "server-start": Scenario(_stopped, _action("os-start"), _is("active", "running")),
    "server-stop": Scenario(_running, _action("os-stop"), _is("stopped", "shutdown")),
    "server-reboot": Scenario(_running, _action("reboot", {"type": "HARD"}), _is("active", "running")),
    "server-pause": Scenario(_running, _action("pause"), _is("paused", "paused")),
    "server-unpause": Scenario(_after(("pause", None)), _action("unpause"), _is("active", "running")),
    "server-suspend": Scenario(_running, _action("suspend"), _is("suspended", "shutdown")),
    "server-resume": Scenario(_after(("suspend", None)), _action("resume"), _is("active", "running")),
    "server-rebuild": Scenario(_with_volume(_running), _action("rebuild", REBUILT), _is("active", "running")),
    "server-rescue": Scenario(_with_volume(_stopped), _action("rescue"), _is("rescued", "running")),
    "server-unrescue": Scenario(_after(("rescue", None)), _action("unrescue"), _is("active", "running")),
    "server-image": Scenario(_running, _action("createImage", {"name": "copy"}), _is("active", "running")),
    "server-shelve": Scenario(_running, _action("shelve"), _is_offloaded),
    "server-unshelve": Scenario(_with_volume(_after(("shelve", None))), _action("unshelve"), _is("active", "running")),
    "server-resize": Scenario(_with_volume(_running), _action("resize", RESIZED), _is("resized", "running")),
    "server-confirm-resize": Scenario(
        _with_volume(_after(("resize", RESIZED))), _action("confirmResize"), _is("active", "running")
    ),
    "server-revert-resize": Scenario(
        _with_volume(_after(("migrate", None))), _action("revertResize"), _is("active", "running")
    ),
    "server-evacuate": Scenario(_burned, _evacuate, _is("active", "running")),
    "server-live-migration": Scenario(
        _with_volume(_running), _action("os-migrateLive", LIVE), _is("active", "running")
    ),
    "server-attach-interface": Scenario(_running, _attach, _has_interfaces(2)),
    "server-detach-interface": Scenario(_two_interfaces, _detach, _has_interfaces(1)),
    "server-attach-volume": Scenario(_running, _attach_volume, _has_volumes(1)),
    "server-detach-volume": Scenario(_with_volume(_running), _detach_volume, _has_volumes(0)),
    "server-shelve-from-volume": Scenario(_from_volume, _action("shelve"), _is_offloaded),
    "server-image-of-volumes": Scenario(
        _from_volume, _action("createImage", {"name": "copy"}), _is("active", "running")
    ),
    "server-restore": Scenario(_vanished, _restore, _is("active", "running")),
}
