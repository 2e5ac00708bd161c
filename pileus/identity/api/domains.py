"""Domains (Identity API v3, "Domains")."""

from typing import Any

from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity import projects
from pileus.identity.api.base import Target, api, in_scope, listing
from pileus.identity.api.plain import plain
from pileus.identity.resources import DOMAIN
from pileus.identity.store import Project

plain(
    DOMAIN,
    Project,
    get=projects.get_domain,
    create=projects.create_domain,
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
