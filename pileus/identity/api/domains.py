"""Domains (Identity API v3, "Domains")."""

from typing import Any

from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity import projects
from pileus.identity.api.base import Target, api, creating, in_scope, listing, one, updating
from pileus.identity.resources import DOMAIN
from pileus.identity.store import Project


def domain(rq: Request, domain_id: str) -> Target[Project]:
    found = projects.get_domain(rq.tx, domain_id)
    return Target(found, domain=found)


@api.get("/v3/domains", policy="identity:list_domains", on=in_scope)
def list_domains(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List domains."""
    where = [Where("is_domain", "eq", True)]
    if rq.ctx.domain_id:
        where.append(Where("id", "eq", rq.ctx.domain_id))
    return listing(rq, DOMAIN, Project, where)


@api.post("/v3/domains", policy="identity:create_domain", status=201)
def create_domain(rq: Request) -> dict[str, Any]:
    """Create a domain."""
    return one(rq, DOMAIN, projects.create_domain(rq.tx, creating(rq, DOMAIN)))


@api.get("/v3/domains/{domain_id}", policy="identity:get_domain", on=domain)
def show_domain(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Show a domain."""
    return one(rq, DOMAIN, found.row)


@api.patch("/v3/domains/{domain_id}", policy="identity:update_domain", on=domain)
def update_domain(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Change a domain; disabling it voids the tokens of its users and of its projects."""
    return one(rq, DOMAIN, projects.update_project(rq.tx, found.row, updating(rq, DOMAIN, found.row, ())))


@api.delete("/v3/domains/{domain_id}", policy="identity:delete_domain", on=domain)
def delete_domain(rq: Request, found: Target[Project]) -> None:
    """Delete a disabled domain with all that is in it."""
    projects.delete_domain(rq.tx, found.row)
