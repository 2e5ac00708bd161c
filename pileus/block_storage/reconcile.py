"""What must stay true of block storage: its backends are known, and known to answer; what is left over goes."""

from typing import Any

import sqlalchemy as sa

from pileus.block_storage import backup_data, compare, states
from pileus.block_storage.drivers.base import Volumes, node_of
from pileus.block_storage.store import Message, Volume, VolumeService
from pileus.block_storage.zones import DEFAULT
from pileus.core import clock, log, saga
from pileus.core.db import sql
from pileus.core.errors import EngineError, EngineUnavailable
from pileus.core.reconcile import Difference, Task
from pileus.core.tables import columns, shape

_log = log.logger("pileus.block_storage")
EVERY = 10.0
REPAIR_EVERY = 60.0
_OLD = sql(sa.delete(shape(Message).table).where(columns(Message).expires_at < sa.bindparam("now", type_=sa.Text())))


def look(cloud: Any) -> None:
    """Ask every backend for its room; those that answer are up."""
    driver: Volumes = cloud.drivers["block_storage"]
    hosts = driver.hosts()
    for host in hosts:
        try:
            stats = driver.stats(host)
        except (EngineUnavailable, EngineError) as error:
            _log.info("a backend does not answer", extra={"host": host, "why": str(error)})
            continue
        _report(cloud, "cinder-volume", host.partition("#")[0], total_gb=stats.total_gb, free_gb=stats.free_gb)
    for binary in ("cinder-scheduler", "cinder-backup"):
        if hosts:
            _report(cloud, binary, node_of(hosts[0]))
    with cloud.db.write() as tx:
        tx.execute(_OLD, now=clock.now())


def _report(cloud: Any, binary: str, host: str, **stats: int) -> None:
    now = clock.now()
    with cloud.db.write() as tx:
        found = tx.find(VolumeService, binary=binary, host=host)
        if found is None:
            found = VolumeService(clock.new_id(), binary, host, DEFAULT, created_at=now)
            tx.insert(found)
        tx.update(VolumeService, found.id, seen_at=now, **stats)


# -- rows against hosts ------------------------------------------------------------------------------------------------


def repair(cloud: Any) -> None:
    """What can be put right without losing anybody's bytes; the rest is for `pileus fsck` to tell."""
    for difference in differences(cloud):
        try:
            _repair(cloud, difference)
        except (EngineUnavailable, EngineError) as error:
            _log.info("a difference stays for now", extra={"what": difference.what, "why": str(error)})


def _repair(cloud: Any, difference: Difference) -> None:
    driver: Volumes = cloud.drivers["block_storage"]
    host, id = difference.where, difference.id
    if difference.kind == compare.ELSEWHERE:
        with cloud.db.read() as tx:
            volume = tx.find(Volume, id=id)
            alone = volume is None or volume.host in (None, host) or saga.unfinished(tx, f"volume/{id}")
        if not alone:
            driver.remove(host, id)
    elif difference.kind == compare.EXPORT:
        driver.disconnect(host, id, "*")
    elif difference.kind == compare.BACKUP and id.endswith(backup_data.HALF):
        backup_data.remove(cloud, id.removesuffix(backup_data.HALF))
    elif difference.kind == compare.STUCK:
        with cloud.db.write() as tx:
            volume = tx.find(Volume, id=id)
            if volume is not None and volume.status in states.BUSY and not saga.unfinished(tx, f"volume/{id}"):
                status = states.ERROR_DELETING if volume.status == states.DELETING else states.ERROR
                tx.update(Volume, id, status=status, previous_status=None, updated_at=clock.now())


differences = compare.differences
TASKS = [Task("volume-backends", look, EVERY), Task("volumes", repair, REPAIR_EVERY)]
