"""Who relies on what was opened to them, so that it is not closed under their feet."""

from pileus.core.db import Tx
from pileus.core.errors import Conflict
from pileus.network import rows
from pileus.network.store import queries

SHARED, EXTERNAL = "access_as_shared", "access_as_external"


def _users(tx: Tx, object_type: str, object_id: str, action: str) -> set[str]:
    """Projects that use an object."""
    if object_type == "security_group":
        members = tx.select(rows.PortSecurityGroup, security_group_id=object_id)
        return {port.project_id for port in queries.by_id(tx, rows.Port, (m.port_id for m in members)).values()}
    if object_type == "subnetpool":
        return {subnet.project_id for subnet in tx.select(rows.Subnet, subnetpool_id=object_id)}
    if object_type == "address_scope":
        return {pool.project_id for pool in tx.select(rows.SubnetPool, address_scope_id=object_id)}
    if object_type == "address_group":
        return {rule.project_id for rule in tx.select(rows.SecurityGroupRule, remote_address_group_id=object_id)}
    if object_type == "qos_policy":
        users = [*tx.select(rows.Port, qos_policy_id=object_id), *tx.select(rows.Network, qos_policy_id=object_id)]
        return {row.project_id for row in users}
    if action == EXTERNAL:
        routers = tx.select(rows.Router, gateway_network_id=object_id)
        floating_ips = tx.select(rows.FloatingIP, floating_network_id=object_id)
        return {row.project_id for row in [*routers, *floating_ips]}
    return {
        port.project_id
        for port in tx.select(rows.Port, network_id=object_id)
        if not port.device_owner.startswith("network:") or port.device_owner == rows.INTERFACE_OWNER
    }


def refuse_closing(tx: Tx, object_type: str, found: rows.Standard, action: str, target: str, instead: str = "") -> None:
    """Raises Conflict when a project would lose what it uses, once `target` has no access (and `instead` has).

    What is shared is not moved to another while it is used; only a way out may be narrowed to those who use it.
    """
    opened = {policy.target_tenant for policy in tx.select(rows.RbacPolicy, object_id=found.id, action=action)}
    opened.discard(target)
    if action == EXTERNAL:
        opened.add(instead)
    if rows.EVERYBODY in opened:
        return
    losing = _users(tx, object_type, found.id, action) - opened - {""}
    if object_type == "network":  # of the rest, what its owner uses is not closed either
        losing.discard(found.project_id)
    if target != rows.EVERYBODY:
        losing &= {target}
    if losing:
        raise Conflict(
            f"Unable to reconfigure sharing settings for {object_type} {found.id}. Multiple tenants are using it.",
            kind="InvalidSharedSetting",
        )
