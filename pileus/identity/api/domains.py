"""Domains (Identity API v3, "Domains")."""

from typing import Any

from pileus.core.db import Tx
from pileus.core.fields import Text
from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity import projects
from pileus.identity.api.base import Target, api, in_scope, listing
from pileus.identity.api.plain import plain
from pileus.identity.resources import DOMAIN
from pileus.identity.store import Project

_CHOSEN = Text("explicit_domain_id", pattern=r"[0-9a-f]{32}")  # so that clouds can have a domain under the same id


def _create(tx: Tx, given: dict[str, Any]) -> Project:
    chosen = given.get("extra", {}).pop(_CHOSEN.name, None)
    return projects.create_domain(tx, given, None if chosen is None else _CHOSEN.check(chosen))


plain(
    DOMAIN,
    Project,
    get=projects.get_domain,
    create=_create,
    update=projects.update_project,
    delete=projects.delete_domain,
    but=["list"],
    told=["update", "delete"],
)


@api.get("/v3/domains", policy="identity:list_domains", on=in_scope)
def list_domains(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List domains."""
    where = [Where("is_domain", "eq", True)]
    if rq.ctx.domain_id:
        where.append(Where("id", "eq", rq.ctx.domain_id))
    return listing(rq, DOMAIN, Project, where)
