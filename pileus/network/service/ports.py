"""Ports: an address each way, what may pass, and who uses it."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.network import rows
from pileus.network.service import fixed_ips, logs, qos, quotas, security_groups
from pileus.network.service.lookup import Viewer
from pileus.network.store import addresses, changes, queries

MAX_ADDRESS_PAIRS = 10
MAC_ATTEMPTS = 16
# Ports that end with what they serve, not on their own.
SERVED: dict[str, type[rows.Standard]] = {
    rows.INTERFACE_OWNER: rows.Router,
    rows.GATEWAY_OWNER: rows.Router,
    rows.FLOATING_IP_OWNER: rows.FloatingIP,
}


def create_port(tx: Tx, viewer: Viewer, project_id: str, network: rows.Network, **values: Any) -> rows.Port:
    """A port with its addresses. `fixed_ips` and `security_groups` absent or None: what is usual on the network.

    Raises OverQuota, BadRequest, Conflict (an address or MAC in use, no address left), NotFound (a security group).
    """
    if project_id:
        quotas.spend(tx, project_id, "port")
    port = rows.Port(id=clock.new_id(), project_id=project_id, network_id=network.id)
    wanted_ips = values.pop("fixed_ips", None)
    wanted_groups = values.pop("security_groups", None)
    secured = values.pop("port_security_enabled", None)
    port.port_security_enabled = network.port_security_enabled if secured is None else secured
    _fold_trusted(values, {})
    port.mac_address = _mac(tx, network.id, values.pop("mac_address", None))
    for name, value in values.items():
        setattr(port, name, _clean(name, value))
    port.extra_dhcp_opts = _merged_options([], port.extra_dhcp_opts)
    if trusted(port):
        port.port_security_enabled = False
    port.tags = list(dict.fromkeys(port.tags))
    qos.check_policy(tx, viewer, port.qos_policy_id)
    port.security_groups = _groups(tx, viewer, port, wanted_groups)
    _check_pairs(port)
    tx.insert(queries.stamped(port))
    taken = fixed_ips.allocate(tx, port, wanted_ips)
    if taken:
        port.fixed_ips = taken
        tx.update(rows.Port, port.id, fixed_ips=taken)
    tx.insert_many(rows.PortSecurityGroup(port.id, group) for group in port.security_groups)
    queries.tag_new(tx, port)
    _touch(tx, port)
    return port


def trusted(port: rows.Port) -> bool:
    return port.device_owner.startswith("network:")


def _fold_trusted(values: dict[str, Any], before: dict[str, Any]) -> None:
    trusted_vif = values.pop("trusted", None)
    if trusted_vif is not None:
        values["profile"] = {**values.get("profile", before), "trusted": trusted_vif}


def _clean(name: str, value: Any) -> Any:
    if value is None and name in ("host_id", "device_id", "device_owner"):
        return ""
    if value is None and name == "extra_dhcp_opts":
        return []
    return value


def _merged_options(before: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each option by name and version: a value replaces the one before, null takes it away, others stay."""
    merged = {(each["opt_name"], each["ip_version"]): each for each in [*before, *new]}
    return [each for each in merged.values() if each["opt_value"] is not None]


def _mac(tx: Tx, network_id: str, wanted: str | None) -> str:
    if wanted:
        if tx.find(rows.Port, network_id=network_id, mac_address=wanted) is not None:
            raise Conflict(
                f"Unable to complete operation for network {network_id}. The mac address {wanted} is in use.",
                kind="MacAddressInUse",
            )
        return wanted
    for _ in range(MAC_ATTEMPTS):
        mac = addresses.new_mac()
        if tx.find(rows.Port, network_id=network_id, mac_address=mac) is None:
            return mac
    raise Conflict("Unable to generate unique mac.", kind="MacAddressGenerationFailure")


def _groups(tx: Tx, viewer: Viewer, port: rows.Port, wanted: list[str] | None) -> list[str]:
    if wanted is None:
        if not port.port_security_enabled or trusted(port) or not port.project_id:
            return []
        return [security_groups.default_group(tx, port.project_id).id]
    if wanted and not port.port_security_enabled:
        raise BadRequest(
            "Port security must be enabled and port must have an IP address in order to use security groups.",
            kind="PortSecurityAndIPRequiredForSecurityGroups",
        )
    security_groups.choose_groups(tx, viewer, wanted)
    return wanted


def _check_pairs(port: rows.Port) -> None:
    pairs = port.allowed_address_pairs
    if pairs and not port.port_security_enabled:
        raise Conflict(
            "Port Security must be enabled in order to have allowed address pairs on a port.",
            kind="AddressPairAndPortSecurityRequired",
        )
    if len(pairs) > MAX_ADDRESS_PAIRS:
        raise BadRequest(
            f"The number of allowed address pair exceeds the maximum {MAX_ADDRESS_PAIRS}.",
            kind="AllowedAddressPairExhausted",
        )
    seen = set()
    for pair in pairs:
        pair.setdefault("mac_address", port.mac_address)
        named = (pair["mac_address"], pair["ip_address"])
        if named in seen:
            raise BadRequest(
                f"Request contains duplicate address pair: mac_address {named[0]} ip_address {named[1]}.",
                kind="DuplicateAddressPairInRequest",
            )
        seen.add(named)


def _touch(tx: Tx, port: rows.Port) -> None:
    """The port, and what is told where it is: DHCP names the metadata port's address, routers their interfaces'."""
    changes.touch(tx, "port", port.id)
    if port.device_owner == rows.DHCP_OWNER:
        changes.touch(tx, "subnet", *(ip.subnet_id for ip in port.fixed_ips))
    elif port.device_owner in rows.ROUTER_OWNERS:
        changes.touch(tx, "router", port.device_id)


def update_port(tx: Tx, viewer: Viewer, port: rows.Port, **values: Any) -> rows.Port:
    """Raises BadRequest, Conflict, NotFound as `create_port` does."""
    before = port.fixed_ips
    values = {name: _clean(name, value) for name, value in values.items()}
    qos.check_change(tx, viewer, port.qos_policy_id, values)
    _fold_trusted(values, port.profile)
    if "mac_address" in values and values["mac_address"] != port.mac_address:
        if port.host_id and port.device_owner.startswith("compute:"):
            raise Conflict(
                f"Unable to complete operation on port {port.id}, port is already bound, port type: ovs, "
                f"old_mac {port.mac_address}, new_mac {values['mac_address']}.",
                kind="PortBound",
            )
        values["mac_address"] = _mac(tx, port.network_id, values["mac_address"])
    if "extra_dhcp_opts" in values:
        values["extra_dhcp_opts"] = _merged_options(port.extra_dhcp_opts, values["extra_dhcp_opts"])
    wanted_groups = values.pop("security_groups", port.security_groups)
    wanted_ips = values.pop("fixed_ips", None)
    for name, value in values.items():
        setattr(port, name, value)
    _check_security(port, wanted_groups or [], "port_security_enabled" in values)
    _check_pairs(port)
    if wanted_groups is not None and wanted_groups != port.security_groups:
        values["security_groups"] = _regroup(tx, viewer, port, wanted_groups)
    elif wanted_groups is None and port.security_groups:
        values["security_groups"] = _regroup(tx, viewer, port, [])
    if wanted_ips is not None:
        values["fixed_ips"] = fixed_ips.replace(tx, port, wanted_ips)
        _drop_floating(tx, port, {ip.ip_address for ip in before} - {ip.ip_address for ip in values["fixed_ips"]})
    if not port.host_id and port.status == "ACTIVE" and not trusted(port):
        values["status"] = "DOWN"
    queries.save(tx, port, **values)
    if "host_id" in values:
        follow_parent(tx, port)
    _touch(tx, port)
    return port


def follow_parent(tx: Tx, port: rows.Port) -> None:
    """Ports that are reached through this one are where it is."""
    trunk = tx.find(rows.Trunk, port_id=port.id)
    for member in tx.select(rows.SubPort, trunk_id=trunk.id) if trunk else []:
        sub_port = tx.get(rows.Port, id=member.port_id)
        queries.save(tx, sub_port, host_id=port.host_id)
        changes.touch(tx, "port", sub_port.id)


def _check_security(port: rows.Port, groups: list[str], changed: bool) -> None:
    if port.port_security_enabled or not groups:
        return
    if changed:
        raise Conflict("Port has security group associated. Cannot disable port security or IP address until "
                       "security group is removed.", kind="PortSecurityPortHasSecurityGroup")  # fmt: skip
    raise BadRequest(
        "Port security must be enabled and port must have an IP address in order to use security groups.",
        kind="PortSecurityAndIPRequiredForSecurityGroups",
    )


def _regroup(tx: Tx, viewer: Viewer, port: rows.Port, wanted: list[str]) -> list[str]:
    new = [group for group in wanted if group not in port.security_groups]
    if new:
        kept = [group for group in wanted if group in port.security_groups]
        security_groups.choose_groups(tx, viewer._replace(admin=True), [*kept, *new])
        security_groups.choose_groups(tx, viewer, new)
    tx.delete(rows.PortSecurityGroup, port_id=port.id)
    tx.insert_many(rows.PortSecurityGroup(port.id, group) for group in wanted)
    return wanted


def _drop_floating(tx: Tx, port: rows.Port, gone: set[str]) -> None:
    """Floating IPs and forwardings of addresses that the port has no more lead nowhere."""
    for forwarding in tx.select(rows.PortForwarding, internal_port_id=port.id):
        if forwarding.internal_ip_address in gone:
            delete_forwarding(tx, forwarding)
    for floating_ip in tx.select(rows.FloatingIP, port_id=port.id):
        if floating_ip.fixed_ip_address in gone:
            unlink_floating_ip(tx, floating_ip)


def delete_forwarding(tx: Tx, row: rows.PortForwarding) -> None:
    """The floating IP's last one gives its router free."""
    queries.drop_row(tx, row)
    floating_ip = tx.get(rows.FloatingIP, id=row.floating_ip_id)
    if tx.find(rows.PortForwarding, floating_ip_id=floating_ip.id) is None:
        queries.save(tx, floating_ip, router_id=None, status="DOWN")
    changes.touch(tx, "floatingip", floating_ip.id)


def unlink_floating_ip(tx: Tx, floating_ip: rows.FloatingIP) -> None:
    queries.save(tx, floating_ip, port_id=None, fixed_ip_address=None, router_id=None, status="DOWN")
    changes.touch(tx, "floatingip", floating_ip.id)


def _refuse_trunk(tx: Tx, port: rows.Port) -> None:
    trunk = tx.find(rows.Trunk, port_id=port.id)
    if trunk is not None:
        raise Conflict(
            f"Port {port.id} is currently a parent port for trunk {trunk.id}.", kind="PortInUseAsTrunkParent"
        )
    sub_port = tx.find(rows.SubPort, port_id=port.id)
    if sub_port is not None:
        raise Conflict(
            f"Port {port.id} is currently a subport for trunk {sub_port.trunk_id}.", kind="PortInUseAsSubPort"
        )


def delete_port(tx: Tx, port: rows.Port, checked: bool = True) -> None:
    """Raises Conflict for a port that serves a router or floating IP, unless not `checked`."""
    if checked and (served := SERVED.get(port.device_owner)) and tx.find(served, id=port.device_id):
        raise Conflict(
            f"Port {port.id} cannot be deleted directly via the port API: has device owner {port.device_owner}.",
            kind="ServicePortInUse",
        )
    if checked:
        _refuse_trunk(tx, port)
    _drop_floating(tx, port, {ip.ip_address for ip in port.fixed_ips})
    logs.forget(tx, target_id=port.id)
    _touch(tx, port)
    queries.drop_row(tx, port)


def contains(subnet: rows.Subnet, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(subnet.cidr)
