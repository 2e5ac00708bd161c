"""Compute's quotas: what a project may have, counted from rows."""

from typing import NamedTuple

import sqlalchemy as sa

from pileus.compute.store import KeyPair, Server
from pileus.core import quota
from pileus.core.db import Tx, sql
from pileus.core.tables import columns

SERVICE = "compute"
CLASS = "class:default"  # where an operator's own defaults are kept, as if they were a project's
DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 50 * 1024,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "injected_files": 5,
    "injected_file_content_bytes": 10 * 1024,
    "injected_file_path_bytes": 255,
}
_server = columns(Server)
_USED = sql(
    sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(_server.vcpus), 0), sa.func.coalesce(sa.func.sum(_server.ram), 0)
    ).where(_server.project_id == sa.bindparam("project", type_=sa.Text()))
)


class Usage(NamedTuple):
    instances: int
    cores: int
    ram: int


def defaults(tx: Tx) -> dict[str, int]:
    return quota.limits(tx, SERVICE, CLASS, DEFAULTS)


def class_limits(tx: Tx) -> dict[str, int]:
    """As `defaults`, with what an operator wrote of resources that other services count."""
    own = {row.resource: row.hard_limit for row in tx.select(quota.QuotaRow, service=SERVICE, project_id=CLASS)}
    return DEFAULTS | own


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    return quota.limits(tx, SERVICE, project_id, defaults(tx))


def usage(tx: Tx, project_id: str) -> Usage:
    found = tx.one(_USED, project=project_id)
    return Usage(*(int(value) for value in found)) if found else Usage(0, 0, 0)


def in_use(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Every resource's use; key pairs are a user's, not a project's."""
    used = usage(tx, project_id)._asdict()
    if user_id:
        used["key_pairs"] = tx.count(KeyPair, user_id=user_id)
    return {name: used.get(name, 0) for name in DEFAULTS}


def spend(tx: Tx, project_id: str, least: int, most: int, vcpus: int, ram: int) -> int:
    """How many servers, between least and most, still fit. Raises OverQuota, saying of what there is too little."""
    quota.hold(tx, SERVICE, project_id)
    allowed, used = limits(tx, project_id), usage(tx, project_id)
    for name, have, each in (
        ("instances", used.instances, 1), ("cores", used.cores, vcpus), ("ram", used.ram, ram),
    ):  # fmt: skip
        quota.check(name, allowed[name], have, each * least)
        if allowed[name] != quota.UNLIMITED and each:
            most = min(most, (allowed[name] - have) // each)
    return max(least, most)


def check_growth(tx: Tx, project_id: str, vcpus: int, ram: int) -> None:
    """For a server that gets larger. Raises OverQuota."""
    quota.hold(tx, SERVICE, project_id)
    allowed, used = limits(tx, project_id), usage(tx, project_id)
    quota.check("cores", allowed["cores"], used.cores, vcpus)
    quota.check("ram", allowed["ram"], used.ram, ram)


def check_files(tx: Tx, project_id: str, files: list[dict[str, str]]) -> None:
    """What a guest is to find as files when it starts: contents are counted as they were sent. Raises OverQuota."""
    if not files:
        return
    allowed = limits(tx, project_id)
    quota.check("injected_files", allowed["injected_files"], 0, len(files))
    for name, member in (("injected_file_path_bytes", "path"), ("injected_file_content_bytes", "contents")):
        quota.check(name, allowed[name], 0, max(len(file[member].encode()) for file in files))


def check_metadata(tx: Tx, project_id: str, count: int) -> None:
    """Raises OverQuota."""
    quota.check("metadata_items", limits(tx, project_id)["metadata_items"], 0, count)
