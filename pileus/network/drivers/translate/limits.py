"""What a rule of quality of service is in the engine. Pure."""

from collections.abc import Sequence

from pileus.network import rows
from pileus.network.drivers.desired import Value

QOS_PRIORITY = 2002
OUTER_QOS_PRIORITY = 2003  # of floating IPs and gateways


def rule_columns(rule: rows.QosRule) -> dict[str, Value]:
    if rule.kind == "dscp_marking":
        return {"action": {"dscp": rule.dscp_mark}}
    burst = rule.max_burst_kbps or max(1, rule.max_kbps * 8 // 10)  # the engine takes no 0
    return {"bandwidth": {"rate": rule.max_kbps, "burst": burst}}


def effective(rules: Sequence[rows.QosRule]) -> list[rows.QosRule]:
    """Those that limit or mark anything: a rate of 0 is no limit."""
    return [rule for rule in rules if rule.kind != "bandwidth_limit" or rule.max_kbps]
