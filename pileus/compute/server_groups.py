"""Server groups and other wishes of a server to be near to or far from others."""

from typing import Any

import msgspec

from pileus.compute import quotas
from pileus.compute.scheduler import Need
from pileus.compute.store import Server, ServerGroup, ServerGroupMember
from pileus.core import clock, quota
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")


def get_group(tx: Tx, group_id: str) -> ServerGroup:
    """Raises NotFound."""
    found = tx.find(ServerGroup, id=group_id)
    if found is None:
        raise NotFound(f"Instance group {group_id} could not be found.", kind="InstanceGroupNotFound")
    return found


def create_group(tx: Tx, ctx: Context, name: str, policy: str, rules: dict[str, Any]) -> ServerGroup:
    """Raises OverQuota."""
    project_id = ctx.project_id or ""
    quota.hold(tx, quotas.SERVICE, project_id)
    allowed = quotas.limits(tx, project_id)["server_groups"]
    quota.check("server_groups", allowed, tx.count(ServerGroup, project_id=project_id), 1)
    row = ServerGroup(clock.new_id(), project_id, ctx.user_id or "", name, policy, rules, clock.now())
    tx.insert(row)
    return row


def members(tx: Tx, group_id: str) -> list[str]:
    return [row.server_id for row in tx.select(ServerGroupMember, order="server_id", group_id=group_id)]


def join(tx: Tx, ctx: Context, server: Server, hints: dict[str, Any]) -> None:
    """Put a new server into the group that its hints name. Raises BadRequest, OverQuota."""
    group_id = _named(hints.get("group"))
    if group_id is None:
        return
    group = tx.find(ServerGroup, id=group_id)
    if group is None or (group.project_id != ctx.project_id and "admin" not in ctx.roles):
        raise BadRequest(f"Instance group {group_id[:255]} could not be found.", kind="InstanceGroupNotFound")
    quota.hold(tx, quotas.SERVICE, group.project_id)
    allowed = quotas.limits(tx, group.project_id)["server_group_members"]
    quota.check("server_group_members", allowed, tx.count(ServerGroupMember, group_id=group.id), 1)
    tx.insert(ServerGroupMember(server.id, group.id))


def _named(hint: Any) -> str | None:
    """A hint's value, also as a list of one."""
    if isinstance(hint, list) and len(hint) == 1:
        hint = hint[0]
    if hint is None or isinstance(hint, str):
        return hint
    raise BadRequest("Invalid input for field/attribute scheduler_hints. group must be the id of a server group.")


def group_of(tx: Tx, server_id: str) -> ServerGroup | None:
    member = tx.find(ServerGroupMember, server_id=server_id)
    return tx.find(ServerGroup, id=member.group_id) if member else None


def narrowed(tx: Tx, server: Server, need: Need) -> Need:
    """The need with the hosts that the server's group and hints leave."""
    wanted = msgspec.structs.replace(need, avoid=list(need.avoid))
    hints = server.scheduler_hints
    for name in ("different_host", "same_host"):
        if others := _servers(hints.get(name)):
            found = _hosts(tx, others)
            wanted.grouped = f"not as {name} asks"
            if name == "different_host":
                wanted.avoid += found
            else:
                wanted.only = found
    group = group_of(tx, server.id)
    if group is not None:
        _apply(wanted, group, _hosts(tx, [id for id in members(tx, group.id) if id != server.id]))
    return wanted


def _apply(wanted: Need, group: ServerGroup, found: list[str]) -> None:
    most = int(group.rules.get("max_server_per_host", 1))
    full = sorted({host for host in found if found.count(host) >= most})
    if group.policy == "anti-affinity":
        wanted.avoid += full
        wanted.grouped = f"server group {group.name} has a server there"
    elif group.policy == "affinity" and found:
        wanted.only = [host for host in found if wanted.only is None or host in wanted.only]
        wanted.grouped = f"server group {group.name} is elsewhere"
    elif group.policy == "soft-affinity":
        wanted.near = found
    elif group.policy == "soft-anti-affinity":
        wanted.far = found


def _servers(hint: Any) -> list[str]:
    found = hint if isinstance(hint, list) else [hint]
    return [id for id in found if isinstance(id, str)]


def _hosts(tx: Tx, server_ids: list[str]) -> list[str]:
    found = [tx.find(Server, id=server_id) for server_id in server_ids]
    return sorted(server.host for server in found if server is not None and server.host)
