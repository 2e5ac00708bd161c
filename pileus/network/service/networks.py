"""Networks: what of them is provider business, what of them is shared, and how they end."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import qos, quotas, segments
from pileus.network.service.lookup import Viewer
from pileus.network.service.sharing import EXTERNAL, SHARED, refuse_closing
from pileus.network.store import changes, queries

TUNNEL_TYPES = ("geneve", "vxlan")
PHYSICAL_TYPES = ("flat", "vlan")
ZONE = "nova"
UNDERLAY_MTU = 1500
SMALLEST_MTU = {4: 68, 6: 1280}
GENEVE_OVERHEAD = 58  # over IPv4, with OVN's options


def invalid(message: str) -> BadRequest:
    return BadRequest(f"Invalid input for operation: {message}", kind="InvalidInput")


def check_zones(hints: list[str]) -> None:
    """Raises NotFound."""
    for zone in hints:
        if zone != ZONE:
            raise NotFound(f"AvailabilityZone {zone[:60]} could not be found.", kind="AvailabilityZoneNotFound")


def largest_mtu(network_type: str) -> int:
    return UNDERLAY_MTU if network_type in PHYSICAL_TYPES else UNDERLAY_MTU - GENEVE_OVERHEAD


def create_network(tx: Tx, viewer: Viewer, project_id: str, **values: Any) -> rows.Network:
    """Raises OverQuota, BadRequest for provider attributes that do not fit, Conflict for a segment in use."""
    quotas.spend(tx, project_id, "network")
    network = rows.Network(id=clock.new_id(), project_id=project_id)
    _place(tx, network, values.pop("network_type", None), values.pop("physical_network", None),
           values.pop("segmentation_id", None))  # fmt: skip
    network.mtu = _mtu(network.network_type, values.pop("mtu", None))
    for name, value in values.items():
        setattr(network, name, value)
    check_zones(network.availability_zone_hints)
    qos.check_policy(tx, viewer, network.qos_policy_id)
    network.qos_policy_id = network.qos_policy_id or qos.default_policy(tx, project_id)
    _check_default(tx, network)
    tx.insert(queries.stamped(network))
    if network.shared:
        _open(tx, network, SHARED)
    if network.external:
        _open(tx, network, EXTERNAL)
    changes.touch(tx, "network", network.id)
    return network


def _place(tx: Tx, network: rows.Network, kind: str | None, physnet: str | None, segment: int | None) -> None:
    """Where the network lies: in tunnels, or on a physical network."""
    if kind is None:
        if physnet is not None or segment is not None:
            raise invalid("provider:network_type required for provider:physical_network and provider:segmentation_id.")
        kind = segments.tunnels_of(tx, network.project_id)
    if kind not in TUNNEL_TYPES + PHYSICAL_TYPES:
        raise invalid(
            f"Unknown provider:network_type '{kind[:50]}'; there are {', '.join(TUNNEL_TYPES + PHYSICAL_TYPES)}."
        )
    if kind in PHYSICAL_TYPES and not physnet:
        raise invalid(f"physical_network required for {kind} provider network.")
    if kind in TUNNEL_TYPES and physnet:
        raise invalid(f"provider:physical_network specified for {kind} network.")
    if kind == "flat" and segment is not None:
        raise invalid("provider:segmentation_id specified for flat network.")
    if kind == "flat":
        if tx.find(rows.Network, network_type="flat", physical_network=physnet) is not None:
            raise Conflict(
                f"Unable to create the flat network. Physical network {physnet} is in use.", kind="FlatNetworkInUse"
            )
    else:
        segment = _numbered(tx, network.project_id, kind, physnet, segment)
    network.network_type, network.physical_network, network.segmentation_id = kind, physnet, segment


def _numbered(tx: Tx, project_id: str, kind: str, physnet: str | None, segment: int | None) -> int:
    """The number that is asked for, or one of the project's ranges."""
    if segment is None:
        return segments.choose(tx, project_id, kind, physnet)
    low, high = segments.all_numbers(kind)
    if not low <= segment <= high:
        raise invalid(f"segmentation_id out of range ({low} through {high}).")
    if segments.is_taken(tx, kind, physnet, segment):
        if kind == "vlan":
            why = f"The VLAN {segment} on physical network {physnet} is in use."
            raise Conflict(f"Unable to create the network. {why}", kind="VlanIdInUse")
        raise Conflict(f"Unable to create the network. The tunnel ID {segment} is in use.", kind="TunnelIdInUse")
    return segment


def _mtu(network_type: str, wanted: int | None) -> int:
    largest = largest_mtu(network_type)
    if not wanted:
        return largest
    if wanted > largest:
        raise invalid(f"Requested MTU is too big, maximum is {largest}.")
    return wanted


def check_mtu(mtu: int, version: int) -> None:
    """Raises Conflict for a network on which hosts could not even speak this version of IP (RFC 791, RFC 8200)."""
    smallest = SMALLEST_MTU[version]
    if mtu < smallest:
        raise Conflict(
            f"Requested MTU of {mtu} is below the minimum of {smallest} for IPv{version} subnets.",
            kind="NetworkMTUSubnetConflict",
        )


def _check_default(tx: Tx, network: rows.Network) -> None:
    if network.is_default:
        other = tx.find(rows.Network, is_default=True)
        if other is not None and other.id != network.id:
            raise Conflict(
                f"A default external network already exists: {other.id}.", kind="DefaultExternalNetworkExists"
            )


def _open(tx: Tx, network: rows.Network, action: str) -> None:
    if not tx.find(rows.RbacPolicy, object_id=network.id, action=action, target_tenant=rows.EVERYBODY):
        tx.insert(rows.RbacPolicy(clock.new_id(), network.project_id, "network", network.id, action, rows.EVERYBODY))


def _close(tx: Tx, network: rows.Network, action: str) -> None:
    tx.delete(rows.RbacPolicy, object_id=network.id, action=action, target_tenant=rows.EVERYBODY)


def update_network(tx: Tx, viewer: Viewer, network: rows.Network, **values: Any) -> rows.Network:
    """Raises Conflict where what would change is relied on."""
    stored = tx.get(rows.Network, id=network.id)  # `shared` of the argument is as its viewer sees it
    if "mtu" in values:
        values["mtu"] = _mtu(stored.network_type, values["mtu"])
        for subnet in tx.select(rows.Subnet, network_id=stored.id):
            check_mtu(values["mtu"], subnet.ip_version)
    qos.check_change(tx, viewer, stored.qos_policy_id, values)
    if values.get("shared") is False and stored.shared:
        refuse_closing(tx, "network", stored, SHARED, rows.EVERYBODY)
        _close(tx, stored, SHARED)
    elif values.get("shared"):
        _open(tx, stored, SHARED)
    if values.get("external") is False and stored.external:
        if tx.find(rows.Port, network_id=stored.id, device_owner=rows.GATEWAY_OWNER) or tx.find(
            rows.FloatingIP, floating_network_id=stored.id
        ):
            raise Conflict(
                f"External network {stored.id} cannot become internal, since it has existing gateway ports.",
                kind="ExternalNetworkInUse",
            )
        _close(tx, stored, EXTERNAL)
    elif values.get("external"):
        _open(tx, stored, EXTERNAL)
    queries.save(tx, stored, **values)
    _check_default(tx, stored)
    changes.touch(tx, "network", stored.id)
    if "mtu" in values:
        _touch_inhabitants(tx, stored.id)
    if "qos_policy_id" in values:
        changes.touch(tx, "port", *(port.id for port in tx.select(rows.Port, network_id=stored.id)))
    return stored


def _touch_inhabitants(tx: Tx, network_id: str) -> None:
    """What tells guests the MTU: DHCP, and router advertisements."""
    changes.touch(tx, "subnet", *(subnet.id for subnet in tx.select(rows.Subnet, network_id=network_id)))
    interfaces = tx.select(rows.Port, network_id=network_id, device_owner=rows.INTERFACE_OWNER)
    changes.touch(tx, "port", *(port.id for port in interfaces))


def delete_network(tx: Tx, network: rows.Network) -> None:
    """With its subnets, its own ports and floating IPs that lead nowhere. Raises Conflict while there are others."""
    for floating_ip in tx.select(rows.FloatingIP, floating_network_id=network.id, port_id=None):
        queries.drop_row(tx, floating_ip)
        tx.delete(rows.Port, id=floating_ip.floating_port_id)
        changes.touch(tx, "floatingip", floating_ip.id)
    if queries.has_foreign_ports(tx, network.id):
        raise Conflict(
            f"Unable to complete operation on network {network.id}. "
            "There are one or more ports still in use on the network.",
            kind="NetworkInUse",
        )
    for port in tx.select(rows.Port, network_id=network.id):
        tx.delete(rows.Port, id=port.id)
        changes.touch(tx, "port", port.id)
    for subnet in tx.select(rows.Subnet, network_id=network.id):
        queries.drop_row(tx, subnet)
        changes.touch(tx, "subnet", subnet.id)
    queries.drop_row(tx, network)
    changes.touch(tx, "network", network.id)
