"""What must stay true of block storage: its backends are known, and known to answer; old messages go."""

from typing import Any

import sqlalchemy as sa

from pileus.block_storage.drivers.base import Volumes, node_of
from pileus.block_storage.store import Message, VolumeService
from pileus.block_storage.zones import DEFAULT
from pileus.core import clock, log
from pileus.core.db import sql
from pileus.core.errors import EngineError, EngineUnavailable
from pileus.core.reconcile import Task
from pileus.core.tables import columns, shape

_log = log.logger("pileus.block_storage")
EVERY = 10.0
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


TASKS = [Task("volume-backends", look, EVERY)]
