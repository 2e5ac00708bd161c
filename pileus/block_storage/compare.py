"""Rows against what hosts have: volumes, their snapshots, exports, backups' data. Seen by reconcile and by `pileus fsck`."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from pileus.block_storage import backup_data, states
from pileus.block_storage.drivers.base import Stored, Volumes, node_of
from pileus.block_storage.store import Attachment, Backup, Snapshot, Volume
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import EngineUnavailable
from pileus.core.reconcile import Difference
from pileus.core.saga import SagaRow

LEFT_OVER, ELSEWHERE, MISSING, SNAPSHOT, EXPORT = (
    "volume left-over",
    "volume elsewhere",
    "volume missing",
    "snapshot",
    "export",
)
STUCK, BACKUP = "volume stuck", "backup"
PATIENCE = (
    600.0  # seconds after which a state in which nothing goes on is taken for stuck: administrators set some, too
)
WITH_BYTES = frozenset({
    states.AVAILABLE, states.IN_USE, states.RESERVED, states.ATTACHING, states.DETACHING, states.AWAITING_TRANSFER,
})  # fmt: skip


class Rows(msgspec.Struct):
    """What the database says, read after the hosts were asked: what has ended since is then not missed."""

    volumes: dict[str, Volume]
    snapshots: dict[str, Snapshot]
    backups: dict[str, Backup]
    users: dict[str, set[str]]  # by volume: nodes with servers that have it
    busy: set[str]  # resources with an unfinished saga: in flight, so no difference


def read(tx: Tx) -> Rows:
    users: dict[str, set[str]] = {}
    for one in tx.select(Attachment):
        if one.attached_host:
            users.setdefault(one.volume_id, set()).add(one.attached_host)
    running = [*tx.select(SagaRow, state="running"), *tx.select(SagaRow, state="undoing")]
    return Rows(
        volumes={one.id: one for one in tx.select(Volume)},
        snapshots={one.id: one for one in tx.select(Snapshot)},
        backups={one.id: one for one in tx.select(Backup)},
        users=users,
        busy={row.resource for row in running},
    )


def differences(cloud: Any) -> list[Difference]:
    driver: Volumes = cloud.drivers["block_storage"]
    held: dict[str, list[Stored]] = {}
    for host in driver.hosts():
        try:
            held[host] = driver.stored(host)
        except EngineUnavailable:
            continue  # a host that does not answer has no difference
    keys = backup_data.keys(cloud)
    with cloud.db.read() as tx:
        rows = read(tx)
    found = [difference for host, stored in held.items() for difference in on_host(host, stored, rows)]
    return [*found, *_of_rows(rows), *_of_backups(keys, rows)]


def on_host(host: str, stored: list[Stored], rows: Rows) -> Iterator[Difference]:
    """Files that nobody manages have names that are no ids, and are nobody's business here."""
    there = {one.volume_id: one for one in stored}
    for one in stored:
        volume = rows.volumes.get(one.volume_id)
        if f"volume/{one.volume_id}" in rows.busy or not _is_id(one.volume_id):
            continue
        if volume is None:
            yield Difference(host, LEFT_OVER, one.volume_id, "a volume is here that no row tells of")
        elif volume.host != host:
            yield Difference(
                host, ELSEWHERE, one.volume_id, f"a volume is here that lies on {volume.host or 'no host'}"
            )
        elif one.exported and not rows.users.get(volume.id, set()) - {node_of(host)}:
            yield Difference(host, EXPORT, volume.id, "a volume is exported that no server on another host has")
    for volume in rows.volumes.values():
        if volume.host != host or volume.status not in WITH_BYTES or f"volume/{volume.id}" in rows.busy:
            continue
        if volume.id not in there:
            yield Difference(host, MISSING, volume.id, "the volume's bytes are not here")
    have = {snapshot_id for one in stored for snapshot_id in one.snapshots}
    for snapshot in rows.snapshots.values():
        owner = rows.volumes.get(snapshot.volume_id)
        settled = snapshot.status == states.AVAILABLE and f"volume/{snapshot.volume_id}" not in rows.busy
        if owner is not None and owner.host == host and owner.id in there and settled and snapshot.id not in have:
            yield Difference(host, SNAPSHOT, snapshot.id, "the snapshot's bytes are not here")


def _is_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _of_rows(rows: Rows) -> Iterator[Difference]:
    """What says that something is being done to it, when nothing is."""
    since = clock.after(-PATIENCE)
    backing_up = {backup.volume_id for backup in rows.backups.values() if f"backup/{backup.id}" in rows.busy}
    for volume in rows.volumes.values():
        idle = f"volume/{volume.id}" not in rows.busy and volume.id not in backing_up
        if volume.status in states.BUSY and idle and (volume.updated_at or volume.created_at) < since:
            yield Difference("database", STUCK, volume.id, f"it is {volume.status}, and nothing goes on")


def _of_backups(keys: set[str], rows: Rows) -> Iterator[Difference]:
    known = {backup.service_metadata for backup in rows.backups.values()}
    for key in sorted(keys):
        name = key.removesuffix(backup_data.HALF)
        if name != key and f"backup/{name}" not in rows.busy:
            yield Difference("backups", BACKUP, key, "half a backup, that nobody makes")
        elif name == key and key not in known and f"backup/{key}" not in rows.busy:
            yield Difference(
                "backups", BACKUP, key, "a backup's data that no row tells of: import its record, or delete it"
            )
    for backup in rows.backups.values():
        if backup.status == states.AVAILABLE and backup.service_metadata not in keys:
            yield Difference("backups", BACKUP, backup.id, "the backup's data is missing")
