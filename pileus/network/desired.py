"""What the engine should hold for some objects, or for all: our rows loaded in bulk, then translated."""

from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.core.tables import shape
from pileus.network import rows
from pileus.network.drivers.base import Chassis
from pileus.network.drivers.desired import Key, Row
from pileus.network.drivers.translate import names, networks, ports, routers, security_groups
from pileus.network.drivers.translate.networks import Naming
from pileus.network.service.gateways import in_order
from pileus.network.store.queries import by_id, select_in

TABLES: dict[str, type[rows.Standard]] = {
    "network": rows.Network,
    "subnet": rows.Subnet,
    "address_group": rows.AddressGroup,
    "security_group": rows.SecurityGroup,
    "router": rows.Router,
    "port": rows.Port,
    "floatingip": rows.FloatingIP,
}
Made = dict[Key, list[Row]]


def all_keys(tx: Tx) -> list[Key]:
    """Every object there is."""
    found = [names.DROP_KEY]
    for kind, struct in TABLES.items():
        statement = tx.db.cached(("ids", struct), lambda struct=struct: sa.select(shape(struct).table.c.id))  # type: ignore[misc]
        found += [(kind, row[0]) for row in tx.all(statement)]
    return found


def desired_rows(tx: Tx, keys: Iterable[Key], chassis: Collection[Chassis], naming: Naming) -> Made:
    """The rows of each of these objects; none for those that are gone. A fixed number of queries."""
    ids: dict[str, set[str]] = {}
    for kind, object_id in keys:
        ids.setdefault(kind, set()).add(object_id)
    made: Made = {(kind, object_id): [] for kind, members in ids.items() for object_id in members}
    if names.DROP_KEY in made:
        dropped = [log.id for log in _logs(tx) if log.event in ("DROP", "ALL")]
        made[names.DROP_KEY] = security_groups.drop_rows(min(dropped, default=""))
    found_ports = by_id(tx, rows.Port, ids.get("port", ()))
    found_subnets = by_id(tx, rows.Subnet, ids.get("subnet", ()))
    about = _About(tx, found_ports.values(), found_subnets.values(), ids.get("network", ()), naming)
    for network_id in ids.get("network", ()):
        if network := about.networks.get(network_id):
            made["network", network_id] = networks.network_rows(network)
    for subnet in found_subnets.values():
        made["subnet", subnet.id] = networks.subnet_rows(
            subnet, about.networks[subnet.network_id], about.metadata_ip(subnet), naming
        )
    for port in found_ports.values():
        made["port", port.id] = about.port_rows(port, chassis)
    made |= _floating_ips(tx, ids.get("floatingip", ()))
    for group in by_id(tx, rows.AddressGroup, ids.get("address_group", ())).values():
        made["address_group", group.id] = security_groups.address_group_rows(group)
    made |= _groups(tx, ids.get("security_group", ()))
    made |= _routers(tx, ids.get("router", ()))
    return made


class _About:
    """What ports and subnets are translated with: their networks, subnets and metadata addresses."""

    def __init__(
        self,
        tx: Tx,
        ports_: Collection[rows.Port],
        subnets: Collection[rows.Subnet],
        networks_: Iterable[str],
        naming: Naming,
    ) -> None:
        self.naming = naming
        wanted = {port.network_id for port in ports_} | {subnet.network_id for subnet in subnets} | set(networks_)
        self.networks = by_id(tx, rows.Network, wanted)
        self.subnets = by_id(tx, rows.Subnet, (ip.subnet_id for port in ports_ for ip in port.fixed_ips))
        special = [port for port in ports_ if port.extra_dhcp_opts]
        about = {subnet.network_id for subnet in subnets} | {port.network_id for port in special}
        distributed = select_in(tx, rows.Port, "network_id", about, device_owner=rows.DHCP_OWNER)
        policies = {port.qos_policy_id for port in ports_} | {found.qos_policy_id for found in self.networks.values()}
        self._limits = _limits(tx, policies)
        self._ways = _ways_out(tx, (port.device_id for port in ports_ if port.device_owner == rows.GATEWAY_OWNER))
        carried = [port.id for port in ports_ if port.device_owner == rows.SUBPORT_OWNER]
        self._carried = {row.port_id: row for row in select_in(tx, rows.SubPort, "port_id", carried)}
        self._trunks = by_id(tx, rows.Trunk, (row.trunk_id for row in self._carried.values()))
        self._metadata = {ip.subnet_id: ip.ip_address for port in distributed for ip in port.fixed_ips}

    def metadata_ip(self, subnet: rows.Subnet) -> str | None:
        return self._metadata.get(subnet.id)

    def port_rows(self, port: rows.Port, chassis: Collection[Chassis]) -> list[Row]:
        network = self.networks[port.network_id]
        hosts = gateway_hosts(network, chassis)
        options: Mapping[str, Mapping[str, str]] = {}
        parent = self._carried.get(port.id)
        ways = [way.id for way in self._ways.get(port.device_id, ())]
        if port.extra_dhcp_opts:
            subnets = [self.subnets[ip.subnet_id] for ip in port.fixed_ips]
            options = {s.id: networks.dhcp_options(s, network, self.metadata_ip(s), self.naming) for s in subnets}
        return ports.port_rows(
            port,
            network,
            self.subnets,
            hosts,
            options,
            self.naming.domain,
            self._limits.get(port.qos_policy_id or network.qos_policy_id or "", ()),
            parent,
            self._trunks[parent.trunk_id].port_id if parent else "",
            ways.index(port.id) if port.id in ways else 0,
        )


def gateway_hosts(network: rows.Network, chassis: Collection[Chassis]) -> list[str]:
    """Where a router's way out to this network can be: where the physical network is, or anywhere in a tunnel."""
    physnet = network.physical_network
    return [host.name for host in chassis if physnet is None or physnet in host.physnets]


def _groups(tx: Tx, ids: Iterable[str]) -> Made:
    found = by_id(tx, rows.SecurityGroup, ids)
    members: dict[str, list[rows.SecurityGroupRule]] = {group: [] for group in found}
    for rule in select_in(tx, rows.SecurityGroupRule, "security_group_id", found):
        members[rule.security_group_id].append(rule)
    passed = [log for log in _logs(tx) if log.event in ("ACCEPT", "ALL")] if found else []
    targets = by_id(tx, rows.Port, (log.target_id for log in passed if log.target_id))

    def log_of(group: rows.SecurityGroup) -> str:
        """The one that tells of this group; of several the same each time."""
        of = [
            log.id
            for log in passed
            if log.resource_id in (None, group.id)
            and (log.target_id is None or group.id in getattr(targets.get(log.target_id), "security_groups", ()))
        ]
        return min(of, default="")

    return {
        ("security_group", group.id): security_groups.group_rows(group, members[group.id], log_of(group))
        for group in found.values()
    }


def _logs(tx: Tx) -> list[rows.Log]:
    return tx.select(rows.Log, enabled=True)


def _floating_ips(tx: Tx, ids: Iterable[str]) -> Made:
    found = by_id(tx, rows.FloatingIP, ids)
    leading: dict[str, list[rows.PortForwarding]] = {}
    for row in select_in(tx, rows.PortForwarding, "floating_ip_id", found):
        leading.setdefault(row.floating_ip_id, []).append(row)
    ways = _ways_out(tx, (row.router_id for row in found.values() if row.router_id))
    limits = _limits(tx, (row.qos_policy_id for row in found.values()))
    return {
        ("floatingip", id): routers.floating_ip_rows(
            row, leading.get(id, ()), ways.get(row.router_id or "", ()), limits.get(row.qos_policy_id or "", ())
        )
        for id, row in found.items()
    }


def _ways_out(tx: Tx, router_ids: Iterable[str]) -> dict[str, list[rows.Port]]:
    """Routers' gateways, the first one first."""
    found = by_id(tx, rows.Router, router_ids)
    ways: dict[str, list[rows.Port]] = {id: [] for id in found}
    for port in select_in(tx, rows.Port, "device_id", found, device_owner=rows.GATEWAY_OWNER):
        ways[port.device_id].append(port)
    return {id: in_order(found[id], ports_) for id, ports_ in ways.items()}


def _limits(tx: Tx, policy_ids: Iterable[str | None]) -> dict[str, list[rows.QosRule]]:
    """Rules by policy."""
    found: dict[str, list[rows.QosRule]] = {}
    for rule in select_in(tx, rows.QosRule, "qos_policy_id", [one for one in policy_ids if one]):
        found.setdefault(rule.qos_policy_id, []).append(rule)
    return found


def _routers(tx: Tx, ids: Iterable[str]) -> Made:
    found = by_id(tx, rows.Router, ids)
    plugged: dict[str, list[rows.Port]] = {router: [] for router in found}
    for port in select_in(tx, rows.Port, "device_id", found):
        if port.device_owner in rows.ROUTER_OWNERS:
            plugged[port.device_id].append(port)
    subnets = by_id(
        tx, rows.Subnet, (ip.subnet_id for members in plugged.values() for p in members for ip in p.fixed_ips)
    )
    made: Made = {}
    for router in found.values():
        out = in_order(router, [port for port in plugged[router.id] if port.device_owner == rows.GATEWAY_OWNER])
        inner = [port for port in plugged[router.id] if port.device_owner == rows.INTERFACE_OWNER]
        ways = [(port, [subnets[ip.subnet_id] for ip in port.fixed_ips]) for port in out]
        inside = [subnets[ip.subnet_id] for port in inner for ip in port.fixed_ips]
        made["router", router.id] = routers.router_rows(router, ways, inside)
    return made
