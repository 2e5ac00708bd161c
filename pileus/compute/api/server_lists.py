"""Which servers a list shows: filters, sort keys and pages from the query string."""

import re
from typing import Any

import sqlalchemy as sa

from pileus.compute import networks, states
from pileus.compute.store import Server, ServerTag
from pileus.core import clock, paging
from pileus.core.db import in_list
from pileus.core.errors import BadRequest, Forbidden
from pileus.core.microversions import Version
from pileus.core.paging import Sort, Where
from pileus.core.tables import columns
from pileus.core.wire import Request

MOST = 1000
_server, _tag = columns(Server), columns(ServerTag)
_QUANTIFIED_GROUP = re.compile(r"\)\s*[*+?{]|\\[1-9]|\(\?")  # what can make a regular expression take for ever

# filters everybody has: query name -> column compared for equality
PLAIN = {"reservation_id": "reservation_id", "image": "image_id", "flavor": "flavor_id"}
# further ones: administrators always, others since 2.83
FURTHER = {
    "key_name": "key_name", "user_id": "user_id", "vm_state": "vm_state", "task_state": "task_state",
    "availability_zone": "availability_zone", "created_at": "created_at", "launched_at": "launched_at",
    "terminated_at": "terminated_at",
}  # fmt: skip
# administrators' own
ADMINS = {
    "host": "host", "node": "host", "uuid": "id", "hostname": "hostname", "tenant_id": "project_id",
    "project_id": "project_id",
}  # fmt: skip
SORT_KEYS = {
    "display_name": "name", "name": "name", "created_at": "created_at", "updated_at": "updated_at", "uuid": "id",
    "id": "id", "image_ref": "image_id", "instance_type_id": "flavor_id", "key_name": "key_name", "vm_state": "vm_state",
    "task_state": "task_state", "power_state": "power_state", "host": "host", "node": "host", "project_id": "project_id",
    "tenant_id": "project_id", "user_id": "user_id", "launched_at": "launched_at", "hostname": "hostname",
    "availability_zone": "availability_zone", "launch_index": "launch_index", "config_drive": "config_drive",
    "root_device_name": "root_device_name", "access_ip_v4": "access_ip_v4", "access_ip_v6": "access_ip_v6",
    "display_description": "description", "locked": "locked", "memory_mb": "ram", "vcpus": "vcpus",
}  # fmt: skip
KNOWN = {
    *PLAIN, *FURTHER, *ADMINS, "name", "status", "ip", "ip6", "all_tenants", "changes-since", "changes-before", "tags",
    "tags-any", "not-tags", "not-tags-any", "deleted", "locked", "config_drive", "power_state", "progress", "limit",
    "marker", "sort_key", "sort_dir", "description", "display_description", "display_name", "launch_index",
    "root_device_name", "kernel_id", "ramdisk_id", "soft_deleted", "access_ip_v4", "access_ip_v6", "image_ref",
}  # fmt: skip
NOTHING = Where("id", "eq", "")

Clause = tuple[str, Any, dict[str, Any]]


def page(rq: Request, rule: str) -> paging.Page:
    """One page of servers that the caller may see and asked for. Raises BadRequest, Forbidden."""
    admin = rq.allows(f"{rule}:get_all_tenants")
    where = _scope(rq, rule, admin)
    clauses: list[Clause] = []
    where += _plain(rq, admin)
    for part in (_times, _flags):
        where += part(rq, admin)
    for narrow in (_status, _names, _tags, _addresses, _deleted):
        narrow(rq, admin, where, clauses)
    limit = rq.query.number("limit")
    return paging.page(
        rq, Server, where, _sorts(rq), limit=min(MOST if limit is None else limit, MOST),
        marker=rq.query.get("marker"), clauses=tuple(clauses),
    )  # fmt: skip


def _scope(rq: Request, rule: str, admin: bool) -> list[Where]:
    everybody = rq.query.get("all_tenants")
    if everybody is not None and rq.query.flag("all_tenants"):
        if not admin:
            raise Forbidden(f"Policy doesn't allow {rule}:get_all_tenants to be performed.", kind="PolicyNotAuthorized")
        return []
    return [Where("project_id", "eq", rq.ctx.project_id or "")]


def _plain(rq: Request, admin: bool) -> list[Where]:
    names = dict(PLAIN)
    if admin or rq.version >= Version(2, 83):
        names |= FURTHER
    if admin:
        names |= ADMINS
        if not rq.query.flag("all_tenants"):
            names.pop("tenant_id")
            names.pop("project_id")
    found = []
    for name, column in names.items():
        values = rq.query.all(name)
        if values and values[-1] != "":
            found.append(Where(column, "eq", values[-1].rstrip("/").rpartition("/")[2]))
    return found


def _times(rq: Request, admin: bool) -> list[Where]:
    found = []
    for name, operator in (("changes-since", "gte"), ("changes-before", "lte")):
        text = rq.query.get(name)
        if text is None or (name == "changes-before" and rq.version < Version(2, 66)):
            continue
        try:
            found.append(Where("updated_at", operator, clock.canonical(text)))
        except (ValueError, OverflowError):
            raise BadRequest(f"Invalid filter field: {name}. Value: {text[:100]}. It must be a time.") from None
    if len(found) == 2 and found[0].value > found[1].value:
        raise BadRequest("The value of changes-since must be less than or equal to changes-before.")
    return found


def _flags(rq: Request, admin: bool) -> list[Where]:
    found = []
    if rq.version >= Version(2, 73) and (locked := rq.query.flag("locked")) is not None:
        found.append(Where("locked", "eq", locked))
    if admin or rq.version >= Version(2, 83):
        if (drive := rq.query.flag("config_drive")) is not None:
            found.append(Where("config_drive", "eq", drive))
        power = rq.query.get("power_state")
        if power is not None:
            number = states.POWER.get(power.lower()) if not power.isdigit() else int(power[:9])
            found.append(NOTHING if number is None else Where("power_state", "eq", number))
    return found


# -- what is not an equality -------------------------------------------------------------------------------------------


def _status(rq: Request, admin: bool, where: list[Where], clauses: list[Clause]) -> None:
    """A status is a vm_state with some task, or without one that would show otherwise."""
    wanted = rq.query.all("status")
    if not wanted:
        return
    pairs = sorted({pair for status in wanted for pair in states.states_of(status)}, key=str)
    if not pairs:
        if any(status.upper() == "DELETED" for status in wanted) and not admin:
            raise Forbidden("Only administrators may list deleted instances")
        where.append(NOTHING)
        return
    task = sa.func.coalesce(_server.task_state, "")
    alternatives = []
    for vm_state, task_state in pairs:
        same = _server.vm_state == sa.literal_column(f"'{vm_state}'")
        if task_state is None:
            others = [task != sa.literal_column(f"'{other}'") for other in states.STATUS[vm_state][1]]
            alternatives.append(sa.and_(same, *others))
        else:
            alternatives.append(sa.and_(same, task == sa.literal_column(f"'{task_state}'")))
    clauses.append((f"status {pairs}", sa.or_(*alternatives), {}))


def _names(rq: Request, admin: bool, where: list[Where], clauses: list[Clause]) -> None:
    """`name` is a regular expression: plain text becomes LIKE, what is not is matched here on the names in sight."""
    text = rq.query.get("name") or rq.query.get("display_name")
    if not text:
        return
    if not re.search(r"[\\.^$*+?{}\[\]|()]", text):
        where.append(Where("name", "like", f"%{paging.like_escape(text)}%"))
        return
    if len(text) > 255 or _QUANTIFIED_GROUP.search(text) or len(re.findall(r"[*+{]", text)) > 6:
        raise BadRequest("Invalid input for query parameter name. This regular expression is too costly.")
    try:
        matches = re.compile(text).search
    except (re.error, OverflowError, RecursionError):
        raise BadRequest(f"Invalid input for query parameter name. Value: {text}. It is not an expression.") from None
    project = next((condition.value for condition in where if condition.column == "project_id"), None)
    statement = rq.tx.db.cached(
        ("server names", project is None),
        lambda: sa.select(_server.id, _server.name).where(
            sa.true() if project is None else _server.project_id == sa.bindparam("project", type_=sa.Text())
        ),
    )
    given = {} if project is None else {"project": project}
    where.append(Where("id", "in", [row[0] for row in rq.tx.all(statement, **given) if matches(row[1])]))


def _tags(rq: Request, admin: bool, where: list[Where], clauses: list[Clause]) -> None:
    if rq.version < Version(2, 26):
        return
    for name, every, inverted in (
        ("tags", True, False), ("tags-any", False, False), ("not-tags", True, True), ("not-tags-any", False, True),
    ):  # fmt: skip
        wanted = sorted({tag for tag in (rq.query.get(name) or "").split(",") if tag})
        if not wanted:
            continue
        key = name.replace("-", "_")
        tagged = sa.select(sa.func.count()).where(_tag.server_id == _server.id, in_list(_tag.tag, key))
        least = sa.bindparam(f"{key}_count", type_=sa.Integer())
        clause = tagged.scalar_subquery() >= least
        clauses.append(
            (key, sa.not_(clause) if inverted else clause, {key: wanted, f"{key}_count": len(wanted) if every else 1})
        )


def _addresses(rq: Request, admin: bool, where: list[Where], clauses: list[Clause]) -> None:
    for name in ("ip", "ip6"):
        if text := rq.query.get(name):
            where.append(Where("id", "in", networks.servers_with_address(rq.tx, text[:64])))


def _deleted(rq: Request, admin: bool, where: list[Where], clauses: list[Clause]) -> None:
    """Nothing remains of deleted servers; who may not ask for them has the wish ignored."""
    if admin and rq.query.get("deleted") is not None and rq.query.flag("deleted"):
        where.append(NOTHING)


def _sorts(rq: Request) -> list[Sort]:
    keys, directions = rq.query.all("sort_key"), rq.query.all("sort_dir")
    if not keys:
        return [Sort("created_at", True), Sort("id", True)]
    found = []
    for position, key in enumerate(keys):
        if key not in SORT_KEYS:
            raise BadRequest(f"Invalid input for query parameter sort_key. Value: {key[:100]}. It cannot be sorted by.")
        direction = directions[min(position, len(directions) - 1)] if directions else "desc"
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid input for query parameter sort_dir. Value: {direction[:100]}. Use asc or desc.")
        found.append(Sort(SORT_KEYS[key], direction == "desc"))
    return found
