"""Backends as operators see them: switched on and off, and what lies on each."""

from typing import Any

import sqlalchemy as sa

from pileus.block_storage.scheduler import VOLUME_BINARY
from pileus.block_storage.store import Snapshot, Volume, VolumeService
from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Fault, NotFound
from pileus.core.paging import like_escape
from pileus.core.tables import columns, shape

_ON_HOST = columns(Volume).host.like(sa.bindparam("host", type_=sa.Text()), escape="\\")
_VOLUMES = sql(
    sa.select(columns(Volume).project_id, sa.func.count(), sa.func.coalesce(sa.func.sum(columns(Volume).size), 0))
    .where(_ON_HOST)
    .group_by(columns(Volume).project_id)
)
_SNAPSHOTS = sql(
    sa.select(
        columns(Snapshot).project_id, sa.func.count(), sa.func.coalesce(sa.func.sum(columns(Snapshot).volume_size), 0)
    )
    .join(shape(Volume).table, columns(Volume).id == columns(Snapshot).volume_id)
    .where(_ON_HOST)
    .group_by(columns(Snapshot).project_id)
)


def get_backend(tx: Tx, host: str, otherwise: type[Fault] = BadRequest) -> VolumeService:
    """By its name, or its node's. Raises what the caller wants for one that is not there."""
    for row in tx.select(VolumeService, order="host", binary=VOLUME_BINARY):
        if host.partition("#")[0] in (row.host, row.host.partition("@")[0]):
            return row
    raise otherwise(f"Service cinder-volume on host {host[:255]} could not be found.")


def switch(tx: Tx, host: str, binary: str, disabled: bool, reason: str | None) -> None:
    """Raises NotFound."""
    found = tx.find(VolumeService, host=host, binary=binary)
    if found is None:
        raise NotFound(f"Service {binary[:255]} could not be found on host {host[:255]}.")
    tx.update(
        VolumeService, found.id, disabled=disabled, disabled_reason=reason if disabled else None, updated_at=clock.now()
    )


def freeze(tx: Tx, host: str, frozen: bool) -> None:
    """Raises BadRequest for a backend that is not there."""
    tx.update(VolumeService, get_backend(tx, host).id, frozen=frozen, updated_at=clock.now())


def usage(tx: Tx, host: str) -> list[dict[str, Any]]:
    """What lies on a host: all of it, then each project's. Raises NotFound."""
    if not any(host in (row.host, row.host.partition("@")[0]) for row in tx.select(VolumeService)):
        raise NotFound(f"Host {host[:255]} could not be found.")
    pattern = f"{like_escape(host)}{'#' if '@' in host else '@'}%"
    found: dict[str, list[int]] = {"(total)": [0, 0, 0, 0]}
    for place, statement in ((0, _VOLUMES), (2, _SNAPSHOTS)):
        for project_id, count, size in tx.all(statement, host=pattern):
            for name in ("(total)", project_id):
                numbers = found.setdefault(name, [0, 0, 0, 0])
                numbers[place] += int(count)
                numbers[place + 1] += int(size)
    return [
        {
            "project": project, "volume_count": str(numbers[0]), "total_volume_gb": str(numbers[1]),
            "snapshot_count": str(numbers[2]), "total_snapshot_gb": str(numbers[3]),
        }
        for project, numbers in found.items()
    ]  # fmt: skip
