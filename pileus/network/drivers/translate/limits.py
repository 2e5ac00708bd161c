"""What a rule of quality of service is in the engine. Pure."""

from pileus.network import rows
from pileus.network.drivers.desired import Value

QOS_PRIORITY = 2002
OUTER_QOS_PRIORITY = 2003  # of floating IPs and gateways


def rule_columns(rule: rows.QosRule) -> dict[str, Value]:
    if rule.kind == "dscp_marking":
        return {"action": {"dscp": rule.dscp_mark}}
    burst = rule.max_burst_kbps or rule.max_kbps * 8 // 10
    return {"bandwidth": {"rate": rule.max_kbps, "burst": burst}}
