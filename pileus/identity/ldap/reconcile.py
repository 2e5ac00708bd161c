"""What must stay true: the rows of a domain with a directory say what it says, and at most a minute late."""

from functools import partial
from typing import Any

import sqlalchemy as sa

from pileus.core import log
from pileus.core.db import Tx, sql
from pileus.core.errors import Fault
from pileus.core.tables import columns
from pileus.identity.federation.shadow import settle
from pileus.identity.ldap import mirror
from pileus.identity.ldap.entries import nested
from pileus.identity.ldap.store import Entry
from pileus.identity.store import DomainOption

_log = log.logger("pileus.identity")
_BATCH = 100  # things done in one transaction: others wait for it
_CONFIGURED = sql(sa.select(columns(DomainOption).domain_id).distinct())
_MIRRORED = sql(sa.select(columns(Entry).domain_id).distinct())


def follow_directories(cloud: Any) -> None:
    """A directory that does not answer leaves its domain as it was, and holds up no other."""
    connections = cloud.drivers["identity"]
    with cloud.db.read() as tx:
        domains = {row[0] for statement in (_CONFIGURED, _MIRRORED) for row in tx.all(statement)}
    for domain_id in sorted(domains):
        try:
            _follow(cloud, connections, domain_id)
        except Fault as error:
            _log.warning(
                "a domain's directory is not followed",
                extra={"domain": domain_id, "why": error.message, "detail": error.detail},
            )


def _follow(cloud: Any, connections: Any, domain_id: str) -> None:
    with cloud.db.read() as tx:
        options, directory = connections.options(tx, domain_id), connections.directory(tx, domain_id)
        mirrored = tx.find(Entry, domain_id=domain_id) is not None
    if directory is None:
        if mirrored:
            with cloud.db.write() as tx:
                mirror.let_go(tx, domain_id)
        return
    people, circles = directory.people(), directory.circles()
    if options.group_ad_nesting:
        circles = nested(circles)
    with cloud.db.read() as tx:
        jobs = mirror.differences(tx, domain_id, people, circles, options.group_members_are_ids)
    for start in range(0, len(jobs), _BATCH):
        settle(cloud.db, partial(_do, jobs[start : start + _BATCH]))


def _do(jobs: list[mirror.Job], tx: Tx) -> None:
    for job in jobs:
        job(tx)
