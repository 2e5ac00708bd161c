"""Block storage's quotas: what a project may have, counted from rows."""

from typing import Any

import sqlalchemy as sa

from pileus.block_storage.store import Backup, Group, Snapshot, Volume, VolumeType
from pileus.core import quota
from pileus.core.db import Tx, sql
from pileus.core.errors import OverQuota
from pileus.core.tables import columns

SERVICE = "block_storage"
CLASS = "class:default"  # where an operator's own defaults are kept, as if they were a project's
DEFAULTS = {
    "volumes": 10, "per_volume_gigabytes": -1, "snapshots": 10, "gigabytes": 1000, "backups": 10,
    "backup_gigabytes": 1000, "groups": 10,
}  # fmt: skip
OF_A_TYPE = ("volumes", "gigabytes", "snapshots")


def _used(struct: type, size: str, typed: bool) -> Any:
    """Count and gigabytes of what consumes quota, by volume type where there is one."""
    table = columns(struct)
    kind = table.volume_type_id if typed else sa.literal_column("''")
    each = table[size] + table.growing_by if "growing_by" in table else table[size]
    amount = sa.func.coalesce(sa.func.sum(each), 0)
    statement = sa.select(kind, sa.func.count(), amount).where(
        table.project_id == sa.bindparam("project", type_=sa.Text())
    )
    if "consumes_quota" in table:
        statement = statement.where(table.consumes_quota == sa.true())
    return statement.group_by(kind) if typed else statement


_VOLUMES = sql(_used(Volume, "size", True))
_SNAPSHOTS = sql(_used(Snapshot, "volume_size", True))
_BACKUPS = sql(_used(Backup, "size", False))


def names(tx: Tx) -> dict[str, int]:
    """Every resource with its built-in default: three more for each volume type."""
    found = dict(DEFAULTS)
    for kind in tx.select(VolumeType, order="name"):
        found |= {f"{resource}_{kind.name}": quota.UNLIMITED for resource in OF_A_TYPE}
    return found


def defaults(tx: Tx) -> dict[str, int]:
    return quota.limits(tx, SERVICE, CLASS, names(tx))


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    return quota.limits(tx, SERVICE, project_id, defaults(tx))


def in_use(tx: Tx, project_id: str) -> dict[str, int]:
    """What a project has of each resource. Gigabytes are volumes' and snapshots' together."""
    used = dict.fromkeys(names(tx), 0)
    kinds = {kind.id: kind.name for kind in tx.select(VolumeType)}
    for resource, statement in (("volumes", _VOLUMES), ("snapshots", _SNAPSHOTS)):
        for kind, count, size in tx.all(statement, project=project_id):
            used[resource] += int(count)
            used["gigabytes"] += int(size)
            if kind in kinds:
                used[f"{resource}_{kinds[kind]}"] += int(count)
                used[f"gigabytes_{kinds[kind]}"] += int(size)
    for _, count, size in tx.all(_BACKUPS, project=project_id):
        used["backups"], used["backup_gigabytes"] = int(count), int(size)
    used["groups"] = tx.count(Group, project_id=project_id)
    return used


def spend(tx: Tx, project_id: str, volume_type: VolumeType | None = None, **adding: int) -> None:
    """Before rows are added. Raises OverQuota, naming what there is too little of."""
    quota.hold(tx, SERVICE, project_id)
    allowed, used = limits(tx, project_id), in_use(tx, project_id)
    for resource, amount in adding.items():
        checked = [resource]
        if volume_type is not None and resource in OF_A_TYPE:
            checked.append(f"{resource}_{volume_type.name}")
        for name in checked:
            limit, have = allowed.get(name, quota.UNLIMITED), used.get(name, 0)
            if limit != quota.UNLIMITED and amount > 0 and have + amount > limit:
                raise OverQuota(
                    f"Quota exceeded for {name}: {amount} more would be too many, {have} of {limit} are used.",
                    kind="OverQuota",
                )


def check_size(tx: Tx, project_id: str, size: int) -> None:
    """How large one volume may be. Raises OverQuota."""
    limit = limits(tx, project_id)["per_volume_gigabytes"]
    if 0 <= limit < size:
        raise OverQuota(f"A volume of {size}G is larger than the {limit}G that one may have.", kind="OverQuota")
