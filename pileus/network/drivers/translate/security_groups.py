"""Security groups: port groups and the access rules on them. Pure.

Every filtered port is also in one group that drops what no rule allows, so a new port is
closed before its first rule, and a group without rules needs nothing special.
"""

import ipaddress
from collections.abc import Sequence

from pileus.network import rows
from pileus.network.drivers.desired import Holder, Ref, Row, Value
from pileus.network.drivers.translate import names

DROP = 1001
ALLOW = 1002
LOG_METER, LOG_RATE, LOG_BURST = "acl_log_meter", 100, 25  # packets a second, in each log

# IANA numbers of the protocol names which the API takes
PROTOCOLS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "igmp": 2, "ip": 0, "ipip": 4,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}  # fmt: skip
WITH_PORTS = {6: "tcp", 17: "udp", 132: "sctp"}


def drop_rows(log: str = "") -> list[Row]:
    """The group of all filtered ports: closed, but for what a guest needs to get its address.

    `log` names the log in which what is dropped is told of.
    """
    group = names.drop_group()
    pg = names.DROP_GROUP
    rules = [
        ("drop-in", "to-lport", DROP, f"outport == @{pg} && ip", "drop"),
        ("drop-out", "from-lport", DROP, f"inport == @{pg} && ip", "drop"),
        ("dhcp4", "from-lport", ALLOW, f"inport == @{pg} && ip4 && udp.src == 68 && udp.dst == 67", "allow"),
        ("dhcp6", "from-lport", ALLOW, f"inport == @{pg} && ip6 && udp.src == 546 && udp.dst == 547", "allow"),
    ]
    return [
        Row(table="Port_Group", columns={"name": pg}),
        *(
            _acl(group, part, direction, priority, match, action, log if action == "drop" else "")
            for part, direction, priority, match, action in rules
        ),
        *_log_meter(),
    ]


def _log_meter() -> list[Row]:
    """No guest floods a host's log."""
    meter = Ref("Meter", *names.DROP_KEY, "log")
    columns: dict[str, Value] = {"name": LOG_METER, "unit": "pktps", "fair": True}
    band: dict[str, Value] = {"action": "drop", "rate": LOG_RATE, "burst_size": LOG_BURST}
    return [
        Row(table="Meter", part="log", columns=columns),
        Row(table="Meter_Band", part="log", columns=band, holders=(Holder(meter, "bands"),)),
    ]


def group_rows(group: rows.SecurityGroup, rules: Sequence[rows.SecurityGroupRule], log: str = "") -> list[Row]:
    """`log` names the log in which what passes is told of."""
    action = "allow-related" if group.stateful else "allow-stateless"
    ids = {"neutron:security_group_name": group.name}
    made = [Row(table="Port_Group", columns={"name": names.group_name(group.id)}, external_ids=ids)]
    for rule in rules:
        direction = "to-lport" if rule.direction == "ingress" else "from-lport"
        made.append(_acl(names.group(group.id), rule.id, direction, ALLOW, match_of(rule), action, log))
    return made


def address_group_rows(group: rows.AddressGroup) -> list[Row]:
    """A set of addresses for each version of IP: rules are written for one of them."""
    return [
        Row(
            table="Address_Set",
            part=f"ip{version}",
            columns={
                "name": names.address_set_name(group.id, version),
                "addresses": frozenset(a for a in group.addresses if (":" in a) == (version == 6)),
            },
            external_ids={"neutron:address_group_name": group.name},
        )
        for version in (4, 6)
    ]


def _acl(group: Ref, part: str, direction: str, priority: int, match: str, action: str, log: str) -> Row:
    columns: dict[str, Value] = {
        "direction": direction,
        "priority": priority,
        "match": match,
        "action": action,
        "log": bool(log),
        "name": f"neutron-{log}" if log else None,
        "severity": "info" if log else None,
        "meter": LOG_METER if log else None,
    }
    return Row(table="ACL", part=part, columns=columns, holders=(Holder(group, "acls"),))


def match_of(rule: rows.SecurityGroupRule) -> str:
    """The rule as an expression of OVN's logical flows."""
    inward = rule.direction == "ingress"
    version = "ip4" if rule.ethertype == "IPv4" else "ip6"
    far_end = f"{version}.{'src' if inward else 'dst'}"
    parts = [f"{'outport' if inward else 'inport'} == @{names.group_name(rule.security_group_id)}", version]
    if rule.remote_address_group_id:
        parts.append(f"{far_end} == ${names.address_set_name(rule.remote_address_group_id, int(version[2]))}")
    elif rule.remote_group_id:
        parts.append(f"{far_end} == ${names.group_name(rule.remote_group_id)}_{version}")
    elif rule.remote_ip_prefix and not _everything(rule.remote_ip_prefix):
        parts.append(f"{far_end} == {ipaddress.ip_network(rule.remote_ip_prefix, strict=False)}")
    return " && ".join(parts + _protocol(rule, version))


def _everything(prefix: str) -> bool:
    return ipaddress.ip_network(prefix, strict=False).prefixlen == 0


def protocol_number(protocol: str | None) -> int | None:
    """None where any protocol is meant."""
    if protocol is None or protocol.lower() in ("any", "ip", "0"):
        return None
    return PROTOCOLS[protocol.lower()] if protocol.lower() in PROTOCOLS else int(protocol)


def _protocol(rule: rows.SecurityGroupRule, version: str) -> list[str]:
    number = protocol_number(rule.protocol)
    if number is None:
        return []
    low, high = rule.port_range_min, rule.port_range_max
    if number in (1, 58):
        # "icmp" on an IPv6 rule means ICMP of that version, as users write it
        name = "icmp4" if version == "ip4" else "icmp6"
        return [name, *([f"{name}.type == {low}"] if low is not None else []),
                *([f"{name}.code == {high}"] if high is not None and low is not None else [])]  # fmt: skip
    if number not in WITH_PORTS:
        return [f"ip.proto == {number}"]
    name = WITH_PORTS[number]
    if low is None or high is None or (low, high) == (1, 65535):
        return [name]
    if low == high:
        return [name, f"{name}.dst == {low}"]
    return [name, f"{name}.dst >= {low}", f"{name}.dst <= {high}"]
