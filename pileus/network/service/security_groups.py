"""Security groups: each project has one from the start, and its rules say what may pass."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Duplicate
from pileus.network import rows
from pileus.network.drivers.translate.security_groups import WITH_PORTS, protocol_number
from pileus.network.service import logs, quotas
from pileus.network.service.address_groups import check_group
from pileus.network.service.lookup import Viewer, get_own, get_shareable
from pileus.network.store import changes, queries

DEFAULT = "default"
ICMP = {1: 4, 58: 6}  # protocol number: IP version
REMOTES = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
SAID = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", *REMOTES)
PARENT = "PARENT"  # in the template: the group that the rule will be in
IPV6_ONLY = (41, 43, 44, 58, 59, 60)


def default_group(tx: Tx, project_id: str) -> rows.SecurityGroup:
    """The project's first group, made when somebody first asks."""
    found = tx.find(rows.DefaultSecurityGroup, project_id=project_id)
    if found is not None:
        return tx.get(rows.SecurityGroup, id=found.security_group_id)
    try:
        with tx.savepoint():
            group = _insert(tx, project_id, _template(tx, True), DEFAULT, "Default security group", True, True)
            tx.insert(rows.DefaultSecurityGroup(project_id, group.id))
    except Duplicate:  # another request was faster
        return default_group(tx, project_id)
    return group


def _template(tx: Tx, for_default: bool) -> list[rows.DefaultRule]:
    wanted = "used_in_default_sg" if for_default else "used_in_non_default_sg"
    return tx.select(rows.DefaultRule, order="created_at", removed=False, **{wanted: True})


def _insert(
    tx: Tx,
    project_id: str,
    template: list[rows.DefaultRule],
    name: str,
    description: str,
    stateful: bool,
    is_default: bool = False,
) -> rows.SecurityGroup:
    group = rows.SecurityGroup(
        id=clock.new_id(),
        project_id=project_id,
        name=name,
        description=description,
        stateful=stateful,
        is_default=is_default,
    )
    tx.insert(queries.stamped(group))
    for first in template:
        said = {name: getattr(first, name) for name in SAID}
        remote = group.id if first.remote_group_id == PARENT else first.remote_group_id
        _insert_rule(tx, group, **{**said, "remote_group_id": remote})
    changes.touch(tx, "security_group", group.id)
    return group


def _insert_rule(tx: Tx, group: rows.SecurityGroup, **values: Any) -> rows.SecurityGroupRule:
    rule = rows.SecurityGroupRule(id=clock.new_id(), project_id=group.project_id, security_group_id=group.id)
    for name, value in values.items():
        setattr(rule, name, value)
    tx.insert(queries.stamped(rule))
    return rule


def create_group(
    tx: Tx, project_id: str, name: str = "", description: str = "", stateful: bool = True
) -> rows.SecurityGroup:
    """With the rules that new groups begin with. Raises OverQuota, Conflict for a second default group."""
    default_group(tx, project_id)
    if name.lower() == DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    quotas.spend(tx, project_id, "security_group")
    template = _template(tx, False)
    quotas.spend(tx, project_id, "security_group_rule", len(template))
    return _insert(tx, project_id, template, name, description, stateful)


def update_group(tx: Tx, group: rows.SecurityGroup, **values: Any) -> rows.SecurityGroup:
    """Raises Conflict."""
    if group.is_default and values.get("name", group.name) != group.name:
        raise Conflict("Updating default security group not allowed.", kind="SecurityGroupCannotUpdateDefault")
    if not group.is_default and str(values.get("name", "")).lower() == DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    if values.get("stateful", group.stateful) != group.stateful and _used(tx, group):
        raise Conflict(f"Security Group {group.id} in use.", kind="SecurityGroupInUse")
    queries.save(tx, group, **values)
    changes.touch(tx, "security_group", group.id)
    return group


def choose_groups(tx: Tx, viewer: Viewer, ids: list[str]) -> None:
    """Raises NotFound for a group the viewer may not use, Conflict when tracked and untracked ones would be mixed."""
    found = [get_shareable(tx, viewer, rows.SecurityGroup, group) for group in ids]
    if len({group.stateful for group in found}) > 1:
        raise Conflict("Cannot apply both stateful and stateless security groups on the same port at the same time.",
                       kind="SecurityGroupConflict")  # fmt: skip


def _used(tx: Tx, group: rows.SecurityGroup) -> bool:
    return tx.find(rows.PortSecurityGroup, security_group_id=group.id) is not None


def delete_group(tx: Tx, group: rows.SecurityGroup, admin: bool = False) -> None:
    """Raises Conflict while ports use it, and for a default group."""
    if _used(tx, group):
        raise Conflict(f"Security Group {group.id} in use.", kind="SecurityGroupInUse")
    if group.is_default and not admin:
        raise Conflict(
            "Insufficient rights for removing default security group.", kind="SecurityGroupCannotRemoveDefault"
        )
    referring = {rule.security_group_id for rule in tx.select(rows.SecurityGroupRule, remote_group_id=group.id)}
    tx.delete(rows.DefaultRule, remote_group_id=group.id)
    logs.forget(tx, resource_id=group.id)
    queries.drop_row(tx, group)  # rules that name it go with it
    changes.touch(tx, "security_group", group.id, *sorted(referring - {group.id}))


def create_rule(tx: Tx, viewer: Viewer, project_id: str, **values: Any) -> rows.SecurityGroupRule:
    """Raises NotFound (a group), BadRequest, Conflict (the rule exists), OverQuota."""
    group = get_own(tx, viewer, rows.SecurityGroup, values.pop("security_group_id"))
    quotas.spend(tx, project_id, "security_group_rule")
    if values.get("remote_group_id"):
        get_shareable(tx, viewer, rows.SecurityGroup, values["remote_group_id"])
    check_rule(tx, viewer, values)
    for other in tx.select(rows.SecurityGroupRule, security_group_id=group.id):
        if says(other) == says_values(values):
            raise Conflict(
                f"Security group rule already exists. Rule id is {other.id}.", kind="SecurityGroupRuleExists"
            )
    rule = _insert_rule(tx, group, project_id=project_id, **values)
    queries.bump(tx, rows.SecurityGroup, group.id)
    rule.in_default = group.is_default  # type: ignore[attr-defined]
    changes.touch(tx, "security_group", group.id)
    return rule


def check_rule(tx: Tx, viewer: Viewer, values: dict[str, Any]) -> None:
    """What a rule may say, whatever its group. Raises BadRequest, NotFound (an address group)."""
    if sum(bool(values.get(name)) for name in REMOTES) > 1:
        raise BadRequest(
            f"Only one of {', '.join(REMOTES)} may be provided.", kind="SecurityGroupMultipleRemoteEntites"
        )
    check_group(tx, viewer, values.get("remote_address_group_id"))
    if values.get("protocol") == "any":
        values["protocol"] = None
    _check_protocol(values)
    _check_prefix(values)


def says(rule: rows.SecurityGroupRule | rows.DefaultRule) -> tuple[Any, ...]:
    return says_values({name: getattr(rule, name) for name in SAID})


def says_values(values: dict[str, Any]) -> tuple[Any, ...]:
    return _meaning(*(values.get(name) for name in SAID))


def _meaning(
    direction: Any, ethertype: Any, protocol: Any, low: Any, high: Any, prefix: Any, group: Any, addresses: Any
) -> tuple[Any, ...]:
    """Two rules that mean the same are the same, however they are spelled."""
    net = ipaddress.ip_network(prefix, strict=False) if prefix else None
    far_end = net if net is not None and net.prefixlen else None
    return direction, ethertype, protocol_number(protocol), low, high, far_end, group, addresses


def _check_protocol(values: dict[str, Any]) -> None:
    protocol, low, high = values.get("protocol"), values.get("port_range_min"), values.get("port_range_max")
    number = protocol_number(protocol)
    if number is None:
        if low is not None or high is not None:
            raise BadRequest(
                "Must also specify protocol if port range is given by port_range_min and port_range_max.",
                kind="SecurityGroupProtocolRequiredWithPorts",
            )
        return
    if number in IPV6_ONLY and values.get("ethertype") == "IPv4":
        raise BadRequest(
            f"Invalid ethertype IPv4 for protocol {protocol}.", kind="SecurityGroupEthertypeConflictWithProtocol"
        )
    if number in ICMP:
        _check_icmp(low, high)
    elif low is None and high is None:
        return
    elif number in WITH_PORTS or number in (33, 136):
        if low is None or high is None or low > high:
            raise BadRequest(
                f"For {protocol}, port_range_min must be <= port_range_max, and both are needed.",
                kind="SecurityGroupInvalidPortRange",
            )
        for port in (low, high):
            if not 1 <= port <= 65535:
                raise BadRequest(f"Invalid value for port {port}.", kind="SecurityGroupInvalidPortValue")
    else:
        raise BadRequest(
            f"Invalid protocol {protocol} for port range, only supported for TCP, UDP, UDPLITE, SCTP and DCCP.",
            kind="SecurityGroupInvalidProtocolForPort",
        )


def _check_icmp(kind: int | None, code: int | None) -> None:
    for name, value in (("ICMP type (port-range-min)", kind), ("ICMP code (port-range-max)", code)):
        if value is not None and not 0 <= value <= 255:
            raise BadRequest(
                f"Invalid value for {name} {value}. It must be 0 to 255.", kind="SecurityGroupInvalidIcmpValue"
            )
    if kind is None and code is not None:
        raise BadRequest(
            f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing.",
            kind="SecurityGroupMissingIcmpType",
        )


def _check_prefix(values: dict[str, Any]) -> None:
    prefix = values.get("remote_ip_prefix")
    if prefix and f"IPv{ipaddress.ip_network(prefix, strict=False).version}" != values.get("ethertype"):
        raise BadRequest(
            f"Conflicting value ethertype {values.get('ethertype')} for remote_ip_prefix {prefix}.",
            kind="SecurityGroupRuleParameterConflict",
        )


def delete_rule(tx: Tx, rule: rows.SecurityGroupRule) -> None:
    queries.drop_row(tx, rule)
    queries.bump(tx, rows.SecurityGroup, rule.security_group_id)
    changes.touch(tx, "security_group", rule.security_group_id)
