"""The scenarios of block storage's sagas."""

from collections.abc import Callable
from typing import Any

from pileus.block_storage import backup_data
from pileus.block_storage.store import Backup, Snapshot, Volume
from tests.sagas.scenario import Scenario, Thing
from tests.sagas.stage import VOLUME, Stage


def _told(stage: Stage, thing_id: str) -> str | None:
    messages = stage.client.at("3.71", "volume").get(f"{VOLUME}/messages").ok(200)["messages"]
    return str(messages[0]["user_message"]) if messages else None


OF_VOLUME = Thing(f"{VOLUME}/volumes", _told, "?cascade=true")
OF_BACKUP = Thing(f"{VOLUME}/backups", _told)
OF_GROUP = Thing(f"{VOLUME}/groups", _told)
OF_GROUP_SNAPSHOT = Thing(f"{VOLUME}/group_snapshots", _told)
NEWEST = "3.71"


def _post(stage: Stage, path: str, body: Any) -> Any:
    return stage.client.at(NEWEST, "volume").post(f"{VOLUME}/{path}", body).ok()


def _do(action: str, arguments: Any = None) -> Callable[[Stage, str], str]:
    def start(stage: Stage, volume_id: str) -> str:
        _post(stage, f"volumes/{volume_id}/action", {action: arguments})
        return volume_id

    return start


def _nothing(stage: Stage) -> str:
    return ""


def _row(stage: Stage, volume_id: str) -> Volume | None:
    with stage.cloud.db.read() as tx:
        return tx.find(Volume, id=volume_id)


# -- volumes -----------------------------------------------------------------------------------------------------------


def _make(stage: Stage, _: str, **members: Any) -> str:
    made: str = _post(stage, "volumes", {"volume": {"size": 1, **members}})["volume"]["id"]
    return made


def _made(stage: Stage) -> str:
    volume_id = _make(stage, "")
    stage.run()
    assert _is("available")(stage, volume_id)
    return volume_id


def _is(status: str, size: int = 1) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, volume_id: str) -> bool:
        volume = _row(stage, volume_id)
        if volume is None or volume.host is None:
            return False
        held = {one.volume_id: one.size_gb for one in stage.cloud.drivers["block_storage"].stored(volume.host)}
        return (volume.status, volume.size, held.get(volume_id)) == (status, size, size)

    return done


def _delete(stage: Stage, volume_id: str) -> str:
    OF_VOLUME.delete(stage, volume_id).ok(202)
    return volume_id


def _is_gone(stage: Stage, volume_id: str) -> bool:
    return _row(stage, volume_id) is None


def _migrate(stage: Stage, volume_id: str) -> str:
    volume = _row(stage, volume_id)
    assert volume is not None
    other = next(host for host in stage.cloud.drivers["block_storage"].hosts() if host != volume.host)
    return _do("os-migrate_volume", {"host": other})(stage, volume_id)


def _retype(stage: Stage, volume_id: str) -> str:
    """To a type of which the other backend alone can be."""
    volume = _row(stage, volume_id)
    assert volume is not None
    other = next(host for host in stage.cloud.drivers["block_storage"].hosts() if host != volume.host)
    name = f"there-{volume_id}"
    specs = {"volume_backend_name": f"{other.partition('@')[0]}-files"}
    _post(stage, "types", {"volume_type": {"name": name, "extra_specs": specs}})
    return _do("os-retype", {"new_type": name, "migration_policy": "on-demand"})(stage, volume_id)


def _upload(stage: Stage, volume_id: str) -> str:
    arguments = {"image_name": "copy", "disk_format": "qcow2"}
    return _do("os-volume_upload_image", arguments)(stage, volume_id)


def _reimage(stage: Stage, volume_id: str) -> str:
    return _do("os-reimage", {"image_id": stage.servers.image_id})(stage, volume_id)


def _manage(stage: Stage, file: str) -> str:
    host = stage.cloud.drivers["block_storage"].hosts()[0]
    stage.cloud.drivers["block_storage"].create(host, file, 1)
    body = {"volume": {"host": host, "ref": {"source-name": file}}}
    made: str = _post(stage, "manageable_volumes", body)["volume"]["id"]
    return made


def _file(stage: Stage) -> str:
    """Of a name that is nobody's, and that the stage does not take for something left over."""
    return "volume-old"


# -- snapshots: what they work on is their volume ----------------------------------------------------------------------


def _snap(stage: Stage, volume_id: str) -> str:
    _post(stage, "snapshots", {"snapshot": {"volume_id": volume_id}})
    return volume_id


def _snapped(stage: Stage) -> str:
    volume_id = _snap(stage, _made(stage))
    stage.run()
    return volume_id


def _snapshots(stage: Stage, volume_id: str) -> list[Snapshot]:
    with stage.cloud.db.read() as tx:
        return tx.select(Snapshot, volume_id=volume_id)


def _has_snapshots(count: int) -> Callable[[Stage, str], bool]:
    def done(stage: Stage, volume_id: str) -> bool:
        volume, found = _row(stage, volume_id), _snapshots(stage, volume_id)
        if volume is None or volume.host is None or volume.status != "available":
            return False
        held = {one.volume_id: one.snapshots for one in stage.cloud.drivers["block_storage"].stored(volume.host)}
        states = {one.status for one in found}
        return len(found) == count and states <= {"available"} and held[volume_id] == sorted(one.id for one in found)

    return done


def _unsnap(stage: Stage, volume_id: str) -> str:
    for one in _snapshots(stage, volume_id):
        stage.client.delete(f"{VOLUME}/snapshots/{one.id}").ok(202)
    return volume_id


def _revert(stage: Stage, volume_id: str) -> str:
    return _do("revert", {"snapshot_id": _snapshots(stage, volume_id)[0].id})(stage, volume_id)


# -- backups -----------------------------------------------------------------------------------------------------------


def _back_up(stage: Stage, volume_id: str) -> str:
    made: str = _post(stage, "backups", {"backup": {"volume_id": volume_id}})["backup"]["id"]
    return made


def _backed_up(stage: Stage) -> str:
    backup_id = _back_up(stage, _made(stage))
    stage.run()
    assert _is_backup(stage, backup_id)
    return backup_id


def _is_backup(stage: Stage, backup_id: str) -> bool:
    with stage.cloud.db.read() as tx:
        backup = tx.find(Backup, id=backup_id)
    there = backup is not None and backup.status == "available" and backup_data.exists(stage.cloud, backup_id)
    return there and backup is not None and _is("available")(stage, backup.volume_id)


def _drop_backup(stage: Stage, backup_id: str) -> str:
    OF_BACKUP.delete(stage, backup_id).ok(202)
    return backup_id


def _no_backup(stage: Stage, backup_id: str) -> bool:
    return not OF_BACKUP.exists(stage, backup_id)


def _restore(stage: Stage, backup_id: str) -> str:
    """Its backup goes with the volume's test: nobody else looks for it."""
    _post(stage, f"backups/{backup_id}/restore", {"restore": {}})
    return backup_id


# -- groups ------------------------------------------------------------------------------------------------------------


def _group(stage: Stage) -> str:
    with stage.cloud.db.read() as tx:
        kinds = tx.connection.execute("SELECT id FROM volume_group_types").fetchall()
    kind = kinds[0][0] if kinds else _post(stage, "group_types", {"group_type": {"name": "any"}})["group_type"]["id"]
    default = stage.client.get(f"{VOLUME}/types/default").ok()["volume_type"]["id"]
    made: str = _post(stage, "groups", {"group": {"group_type": kind, "volume_types": [default]}})["group"]["id"]
    return made


def _full_group(stage: Stage) -> str:
    group_id = _group(stage)
    stage.run()
    _make(stage, "", group_id=group_id)
    stage.run()
    return group_id


def _copy_group(stage: Stage, group_id: str) -> str:
    body = {"create-from-src": {"source_group_id": group_id}}
    copy: str = _post(stage, "groups/action", body)["group"]["id"]
    OF_GROUP.delete(stage, group_id).ok(202)  # what it was copied from is of no interest afterwards
    return copy


def _status(kind: str, stage: Stage, thing_id: str) -> str | None:
    answer = stage.client.at(NEWEST, "volume").get(f"{VOLUME}/{kind}s/{thing_id}")
    return answer.ok()[kind]["status"] if answer.status == 200 else None


def _drop_group(stage: Stage, group_id: str) -> str:
    OF_GROUP.delete(stage, group_id).ok(202)
    return group_id


def _snap_group(stage: Stage, group_id: str) -> str:
    made: str = _post(stage, "group_snapshots", {"group_snapshot": {"group_id": group_id}})["group_snapshot"]["id"]
    return made


def _snapped_group(stage: Stage) -> str:
    made = _snap_group(stage, _full_group(stage))
    stage.run()
    return made


def _unsnap_group(stage: Stage, group_snapshot_id: str) -> str:
    OF_GROUP_SNAPSHOT.delete(stage, group_snapshot_id).ok(202)
    return group_snapshot_id


VOLUMES: dict[str, Any] = {"of": OF_VOLUME, "firm": True}
STORAGE = {
    "volume-create": Scenario(_nothing, _make, _is("available"), undoes=True, **VOLUMES),
    "volume-delete": Scenario(_made, _delete, _is_gone, of=OF_VOLUME),
    "volume-extend": Scenario(_made, _do("os-extend", {"new_size": 2}), _is("available", 2), **VOLUMES),
    "volume-migrate": Scenario(_made, _migrate, _is("available"), **VOLUMES),
    "volume-retype": Scenario(_made, _retype, _is("available"), **VOLUMES),
    "volume-upload": Scenario(_made, _upload, _is("available"), **VOLUMES),
    "volume-reimage": Scenario(_made, _reimage, _is("available"), **VOLUMES),
    "volume-revert": Scenario(_snapped, _revert, _has_snapshots(1), **VOLUMES),
    "volume-manage": Scenario(_file, _manage, _is("available"), **VOLUMES),
    "volume-unmanage": Scenario(_made, _do("os-unmanage"), _is_gone, of=OF_VOLUME),
    "snapshot-create": Scenario(_made, _snap, _has_snapshots(1), **VOLUMES),
    "snapshot-delete": Scenario(_snapped, _unsnap, _has_snapshots(0), **VOLUMES),
    "backup-create": Scenario(_made, _back_up, _is_backup, undoes=True, of=OF_BACKUP, firm=True),
    "backup-delete": Scenario(_backed_up, _drop_backup, _no_backup, of=OF_BACKUP),
    "backup-restore": Scenario(_backed_up, _restore, _is_backup, of=OF_BACKUP, firm=True),
    "volume-group-create": Scenario(
        _full_group, _copy_group, lambda stage, one: _status("group", stage, one) == "available", of=OF_GROUP, firm=True
    ),
    "volume-group-delete": Scenario(
        _full_group, _drop_group, lambda stage, one: _status("group", stage, one) is None, of=OF_GROUP
    ),
    "group-snapshot-create": Scenario(
        _full_group, _snap_group, lambda stage, one: _status("group_snapshot", stage, one) == "available",
        of=OF_GROUP_SNAPSHOT, firm=True,
    ),
    "group-snapshot-delete": Scenario(
        _snapped_group, _unsnap_group, lambda stage, one: _status("group_snapshot", stage, one) is None,
        of=OF_GROUP_SNAPSHOT,
    ),
}  # fmt: skip
