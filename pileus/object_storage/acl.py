"""Containers' ACLs: parsed, checked, and asked. Groups and referrers in one line, as X-Container-Read has them."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pileus.core.context import Context
from pileus.core.errors import BadRequest

DEFAULT_DOMAIN = "default"


class Acl(NamedTuple):
    """Which hosts' pages may refer (`-host` may not), whether listings are among that, and who else may."""

    referrers: tuple[str, ...] = ()
    listings: bool = False
    groups: tuple[str, ...] = ()


def clean(header: str, value: str) -> str:
    """The same in the form it is kept in. Raises BadRequest."""
    found = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        if not item.startswith("."):
            found.append(item)
            continue
        kind, colon, host = (part.strip() for part in item.partition(":"))
        if kind in (".r", ".ref", ".referer", ".referrer") and colon:
            if header == "x-container-write":
                raise BadRequest(f"Referrers not allowed in write ACL: {item[:200]!r}")
            found.append(_referrer(item, host))
        elif kind == ".rlistings" and not colon:
            found.append(item)
        else:
            raise BadRequest(f"Unknown designator {kind[:200]!r} in ACL: {item[:200]!r}")
    return ",".join(found)


def _referrer(item: str, host: str) -> str:
    negated = host.startswith("-")
    host = host[1:].strip() if negated else host
    if host != "*" and host.startswith("*"):
        host = host[1:].strip()
    if not host or host == ".":
        raise BadRequest(f"No host/domain value after referrer designation in ACL: {item[:200]!r}")
    return f".r:{'-' if negated else ''}{host}"


def parse(text: str | None) -> Acl:
    referrers, groups, listings = [], [], False
    for item in filter(None, (part.strip() for part in (text or "").split(","))):
        if item.startswith(".r:"):
            referrers.append(item[3:])
        elif item == ".rlistings":
            listings = True
        else:
            groups.append(unquote(item))
    return Acl(tuple(referrers), listings, tuple(groups))


def refers(acl: Acl, referer: str | None) -> bool:
    """May a page of that address read? The last entry that says something of its host decides; `*` speaks of all."""
    host = "unknown"
    if referer:
        try:
            host = urlsplit(referer).hostname or "unknown"
        except ValueError:
            host = "unknown"
    allowed = False
    for item in acl.referrers:
        negated = item.startswith("-")
        named = item[1:] if negated else item
        if named == "*" or named == host or (named.startswith(".") and host.endswith(named)):
            allowed = not negated
    return allowed


def names(acl: Acl, ctx: Context, by_name: Callable[[], bool]) -> bool:
    """Does it name the caller: by project and user, or by role?

    Ids are good everywhere; names only where all domains are the default one, and `by_name`, of the account, is asked last.
    """
    if ctx.user_id is None:
        return False
    users, projects = {"*", ctx.user_id}, {"*", ctx.project_id}
    # names are unique within a domain only: elsewhere they could be anybody's
    if ctx.user_domain_id == DEFAULT_DOMAIN and ctx.project_domain_id == DEFAULT_DOMAIN:
        users.add(ctx.user_name or ctx.user_id)
        projects.add(ctx.project_name or ctx.project_id)
    for group in acl.groups:
        project, colon, user = group.partition(":")
        if colon and ctx.project_id is not None and project in projects and user in users:
            by_id = project in ("*", ctx.project_id) and user in ("*", ctx.user_id)
            if by_id or by_name():
                return True
        if not colon and group.lower() in ctx.roles:
            return True
    return False
