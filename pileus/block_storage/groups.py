"""Groups of volumes and their snapshots: the verbs of the domain (Block Storage API, "Generic volume groups")."""

from typing import Any

import msgspec

from pileus.block_storage import quotas, snapshots, states, types, volumes, zones
from pileus.block_storage.sagas.groups import CREATE, CREATE_SNAPSHOT, DELETE, DELETE_SNAPSHOT
from pileus.block_storage.store import Group, GroupSnapshot, GroupType, Snapshot, Volume, VolumeType
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound

CONSISTENT = "consistent_group_snapshot_enabled"
STATES = ("creating", "available", "error", "error_deleting", "deleting", "deleted", "updating", "in-use")


def get_group(tx: Tx, group_id: str) -> Group:
    found = tx.find(Group, id=group_id)
    if found is None:
        raise NotFound(f"Group {group_id[:255]} could not be found.", kind="GroupNotFound")
    return found


def get_group_snapshot(tx: Tx, group_snapshot_id: str) -> GroupSnapshot:
    found = tx.find(GroupSnapshot, id=group_snapshot_id)
    if found is None:
        raise NotFound(f"GroupSnapshot {group_snapshot_id[:255]} could not be found.", kind="GroupSnapshotNotFound")
    return found


def volumes_of(tx: Tx, group_id: str) -> list[Volume]:
    return tx.select(Volume, order="created_at", group_id=group_id)


# -- types of groups ---------------------------------------------------------------------------------------------------


def get_group_type(tx: Tx, name_or_id: str) -> GroupType:
    found = tx.find(GroupType, id=name_or_id) or tx.find(GroupType, name=name_or_id)
    if found is None:
        raise NotFound(f"Group type {name_or_id[:255]} could not be found.", kind="GroupTypeNotFound")
    return found


def _check_name(tx: Tx, name: str, but: str = "") -> None:
    other = tx.find(GroupType, name=name)
    if other is not None and other.id != but:
        raise Conflict(f"Group Type {name} already exists.")


def create_group_type(tx: Tx, **values: Any) -> GroupType:
    """Raises Conflict for a name in use."""
    _check_name(tx, values["name"])
    row = GroupType(id=clock.new_id(), created_at=clock.now(), **values)
    tx.insert(row)
    return row


def update_group_type(tx: Tx, kind: GroupType, changes: dict[str, Any]) -> GroupType:
    """Raises Conflict for a name in use."""
    if "name" in changes:
        _check_name(tx, changes["name"], but=kind.id)
    tx.update(GroupType, kind.id, **changes, updated_at=clock.now())
    return get_group_type(tx, kind.id)


def delete_group_type(tx: Tx, kind: GroupType) -> None:
    """Raises BadRequest while there are groups of it."""
    if tx.count(Group, group_type_id=kind.id):
        raise BadRequest("Target group type is still in use.")
    tx.delete(GroupType, id=kind.id)


# -- groups ------------------------------------------------------------------------------------------------------------


def _new_row(ctx: Context, **values: Any) -> Group:
    return Group(
        id=clock.new_id(), project_id=ctx.project_id or "", user_id=ctx.user_id or "", status=states.CREATING,
        created_at=clock.now(), **values,
    )  # fmt: skip


def create_group(
    tx: Tx, ctx: Context, kind: GroupType, type_names: list[str], zone: str | None, **values: Any
) -> Group:
    """Raises BadRequest for what no backend can do, NotFound, OverQuota."""
    if kind.group_specs.get(CONSISTENT, "").strip().lower() == "<is> true":
        raise BadRequest(
            f"Invalid group type: no backend can take consistent snapshots of groups, as {kind.name} demands."
        )
    ids = [types.get_type(tx, ctx, name).id for name in type_names]
    quotas.spend(tx, ctx.project_id or "", groups=1)
    zone = zones.check_zone(tx, zone)
    row = _new_row(ctx, group_type_id=kind.id, volume_types=list(dict.fromkeys(ids)), availability_zone=zone, **values)
    tx.insert(row)
    saga.start(tx, CREATE, f"group/{row.id}", ctx)
    return row


def create_from_source(
    tx: Tx, ctx: Context, snapshot: GroupSnapshot | None, source: Group | None, **values: Any
) -> Group:
    """With a copy of each volume. Raises BadRequest, OverQuota."""
    original = source if source is not None else get_group(tx, snapshot.group_id if snapshot else "")
    status = snapshot.status if snapshot is not None else original.status
    if status != states.AVAILABLE:
        raise BadRequest(f"Invalid group: what it is made from is {status}, not available.")
    quotas.spend(tx, ctx.project_id or "", groups=1)
    row = _new_row(
        ctx, group_type_id=original.group_type_id, volume_types=original.volume_types,
        availability_zone=original.availability_zone, group_snapshot_id=snapshot.id if snapshot else None,
        source_group_id=source.id if source else None, **values,
    )  # fmt: skip
    tx.insert(row)
    ready = msgspec.structs.replace(row, status=states.AVAILABLE)  # it takes volumes while it is made
    for wanted in _copies(tx, snapshot, original):
        wanted.group = ready
        volumes.create_volume(tx, ctx, wanted)
    saga.start(tx, CREATE, f"group/{row.id}", ctx)
    return row


def _copies(tx: Tx, snapshot: GroupSnapshot | None, source: Group) -> list[volumes.Wanted]:
    if snapshot is None:
        return [
            volumes.Wanted(
                size=one.size, name=one.name, description=one.description, source=one, metadata=one.metadata,
                volume_type=tx.find(VolumeType, id=one.volume_type_id),
            )
            for one in volumes_of(tx, source.id)
        ]  # fmt: skip
    return [
        volumes.Wanted(
            size=one.volume_size, name=one.name, description=one.description, snapshot=one,
            volume_type=tx.find(VolumeType, id=one.volume_type_id),
        )
        for one in tx.select(Snapshot, order="created_at", group_snapshot_id=snapshot.id)
    ]  # fmt: skip


def update_group(tx: Tx, group: Group, add: list[str], remove: list[str], changes: dict[str, Any]) -> None:
    """Raises BadRequest for volumes that cannot come or go."""
    if group.status != states.AVAILABLE:
        raise BadRequest(f"Invalid group: Group {group.id} must be available, but is {group.status}.")
    inside = {one.id: one for one in volumes_of(tx, group.id)}
    if both := set(add) & set(remove):
        raise BadRequest(f"Invalid volume: {', '.join(sorted(both))[:255]} cannot both come and go.")
    for volume_id in remove:
        if volume_id not in inside:
            raise BadRequest(f"Invalid volume: Cannot remove volume {volume_id[:255]}: it is not in group {group.id}.")
        if inside[volume_id].status not in (states.AVAILABLE, states.IN_USE, states.ERROR, states.ERROR_DELETING):
            raise BadRequest(f"Invalid volume: Cannot remove volume {volume_id}: it is {inside[volume_id].status}.")
        volumes.change(tx, volume_id, group_id=None)
    for volume_id in add:
        _join(tx, group, volume_id)
    tx.update(Group, group.id, **changes, updated_at=clock.now())


def _join(tx: Tx, group: Group, volume_id: str) -> None:
    found = tx.find(Volume, id=volume_id, project_id=group.project_id)
    if found is None:
        raise BadRequest(f"Invalid volume: Cannot add volume {volume_id[:255]} to group {group.id}: it is not there.")
    if found.group_id is not None:
        raise BadRequest(f"Invalid volume: Cannot add volume {volume_id}: it is in group {found.group_id}.")
    if found.volume_type_id not in group.volume_types:
        raise BadRequest(f"Invalid volume: Cannot add volume {volume_id}: its type is none of the group's.")
    if found.status not in (states.AVAILABLE, states.IN_USE):
        raise BadRequest(f"Invalid volume: Cannot add volume {volume_id}: it is {found.status}.")
    volumes.change(tx, volume_id, group_id=group.id)


def delete_group(tx: Tx, ctx: Context, group: Group, with_volumes: bool) -> None:
    """Raises BadRequest for one with volumes, unless they are to go with it."""
    if group.status == states.DELETING and saga.unfinished(tx, f"group/{group.id}"):
        return
    if group.status not in (states.AVAILABLE, states.ERROR, states.ERROR_DELETING, states.IN_USE):
        raise BadRequest(f"Invalid group: Group {group.id} must be available or error, but is {group.status}.")
    if tx.count(GroupSnapshot, group_id=group.id):
        raise BadRequest(f"Invalid group: Group {group.id} has snapshots: delete them first.")
    inside = volumes_of(tx, group.id)
    if inside and not with_volumes:
        raise BadRequest(
            f"Invalid group: Group {group.id} still contains volumes: delete them with it, or take them out."
        )
    for one in inside:
        volumes.delete_volume(tx, ctx, one, in_group=True)
    change(tx, group.id, status=states.DELETING)
    saga.start(tx, DELETE, f"group/{group.id}", ctx)


def change(tx: Tx, group_id: str, **values: Any) -> None:
    tx.update(Group, group_id, **values, updated_at=clock.now())


# -- their snapshots ---------------------------------------------------------------------------------------------------


def create_group_snapshot(tx: Tx, ctx: Context, group: Group, **values: Any) -> GroupSnapshot:
    """A snapshot of each volume. Raises BadRequest for a group that is empty or busy, OverQuota."""
    if group.status != states.AVAILABLE:
        raise BadRequest(f"Invalid group: Group {group.id} must be available, but is {group.status}.")
    inside = volumes_of(tx, group.id)
    if not inside:
        raise BadRequest(f"Invalid group: Group {group.id} is empty: there is nothing to take a snapshot of.")
    row = GroupSnapshot(
        id=clock.new_id(), project_id=group.project_id, user_id=ctx.user_id or "", group_id=group.id,
        group_type_id=group.group_type_id, status=states.CREATING, created_at=clock.now(), **values,
    )  # fmt: skip
    tx.insert(row)
    for one in inside:
        snapshots.create_snapshot(
            tx, ctx, one, in_use=True, group_snapshot_id=row.id, name=row.name, description=row.description
        )
    saga.start(tx, CREATE_SNAPSHOT, f"group_snapshot/{row.id}", ctx)
    return row


def delete_group_snapshot(tx: Tx, ctx: Context, found: GroupSnapshot) -> None:
    """Raises BadRequest for one that is busy, or that a group is being made from."""
    if found.status == states.DELETING and saga.unfinished(tx, f"group_snapshot/{found.id}"):
        return
    if found.status not in (states.AVAILABLE, states.ERROR, states.ERROR_DELETING):
        raise BadRequest(f"Invalid group snapshot: {found.id} must be available or error, but is {found.status}.")
    if tx.count(Group, group_snapshot_id=found.id, status=states.CREATING):
        raise BadRequest(f"Invalid group snapshot: a group is being made from {found.id}.")
    for one in tx.select(Snapshot, group_snapshot_id=found.id):
        snapshots.start_delete(tx, ctx, one)
    tx.update(GroupSnapshot, found.id, status=states.DELETING)
    saga.start(tx, DELETE_SNAPSHOT, f"group_snapshot/{found.id}", ctx)
