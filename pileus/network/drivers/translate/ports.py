"""Ports: logical switch ports, and for a router's ports the router's side too. Pure."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from msgspec import structs

from pileus.network import rows
from pileus.network.drivers.desired import Holder, Ref, Row, Value
from pileus.network.drivers.translate import names
from pileus.network.drivers.translate.limits import QOS_PRIORITY, effective, rule_columns
from pileus.network.drivers.translate.networks import NAMING, dhcp_needed
from pileus.network.drivers.translate.routers import outer_limits

MAX_GATEWAY_CHASSIS = 5
# Neutron's option names, as people write them in extra_dhcp_opts, to OVN's.
EXTRA_V4 = {
    "arp-timeout": "arp_cache_timeout", "bootfile-name": "bootfile_name", "classless-static-route":
    "classless_static_route", "default-ttl": "default_ttl", "dns-server": "dns_server", "domain-name": "domain_name",
    "ethernet-encap": "ethernet_encap", "ip-forward-enable": "ip_forward_enable", "lease-time": "lease_time",
    "log-server": "log_server", "lpr-server": "lpr_server", "ms-classless-static-route": "ms_classless_static_route",
    "mtu": "mtu", "netmask": "netmask", "nis-server": "nis_server", "ntp-server": "ntp_server", "path-prefix":
    "path_prefix", "policy-filter": "policy_filter", "router-discovery": "router_discovery", "router": "router",
    "router-solicitation": "router_solicitation", "server-ip-address": "tftp_server_address", "swap-server":
    "swap_server", "T1": "T1", "T2": "T2", "tcp-keepalive-interval": "tcp_keepalive_interval", "tcp-ttl": "tcp_ttl",
    "tftp-server": "tftp_server", "tftp-server-address": "tftp_server_address", "wpad": "wpad",
    "server_id": "server_id", "hostname": "hostname", "domain-search": "domain_search_list",
}  # fmt: skip
EXTRA_V6 = {
    "dns-server": "dns_server",
    "domain-search": "domain_search",
    "ia-addr": "ia_addr",
    "server-id": "server_id",
}
TEXT_OPTIONS = {"bootfile_name", "domain_name", "tftp_server", "path_prefix", "wpad", "hostname", "domain_search",
                "domain_search_list"}  # fmt: skip
RA_MODES = {"slaac": "slaac", "dhcpv6-stateful": "dhcpv6_stateful", "dhcpv6-stateless": "dhcpv6_stateless"}


def trusted(port: rows.Port) -> bool:
    """Ports of the network itself are not filtered."""
    return port.device_owner.startswith("network:")


def port_rows(
    port: rows.Port,
    network: rows.Network,
    subnets: Mapping[str, rows.Subnet],
    gateway_hosts: Sequence[str] = (),
    dhcp_options: Mapping[str, Mapping[str, str]] | None = None,
    domain: str = NAMING.domain,
    limits: Sequence[rows.QosRule] = (),
    parent: rows.SubPort | None = None,
    parent_id: str = "",
    turn: int = 0,
) -> list[Row]:
    """All rows of a port.

    `subnets` are those of its addresses; `gateway_hosts` those that may carry a router's way out, best first;
    `dhcp_options` the options of each of its subnets, asked for only when the port has options of its own; `limits`
    the rules of its quality of service; `parent` how it is reached through another port, whose id is `parent_id`;
    `turn` which of its router's gateways it is, so that each has another host.
    """
    if port.device_owner == rows.FLOATING_IP_OWNER:
        return []  # an address, nothing that is plugged in
    if port.device_owner in rows.ROUTER_OWNERS and port.device_id:
        made = [*_router_side(port, network, subnets, gateway_hosts, turn), _switch_side(port, network)]
        if port.device_owner == rows.GATEWAY_OWNER and port.qos_policy_id:
            made += [row for ip in port.fixed_ips for row in outer_limits(port, ip.ip_address, limits)]
        return made
    made = [*_plain(port, network, subnets, dhcp_options or {}), *_name(port, domain), *_qos(port, limits)]
    if parent is not None:
        columns = {**made[0].columns, "parent_name": parent_id, "tag": parent.segmentation_id}
        made[0] = structs.replace(made[0], columns=columns)
    return made


def _ids(port: rows.Port, network: rows.Network) -> dict[str, str]:
    ids = {
        "neutron:port_name": port.name,
        "neutron:device_id": port.device_id,
        "neutron:device_owner": port.device_owner,
        "neutron:network_name": names.switch_name(network.id),
    }
    return {key: value for key, value in ids.items() if value}


def _plain(
    port: rows.Port,
    network: rows.Network,
    subnets: Mapping[str, rows.Subnet],
    dhcp_options: Mapping[str, Mapping[str, str]],
) -> list[Row]:
    own_options, extras = _own_dhcp_options(port, subnets, dhcp_options)
    secured = port.port_security_enabled and not trusted(port)
    allowed = _port_security(port) if secured else frozenset[str]()
    columns: dict[str, Value] = {
        "name": port.id,
        "type": "localport" if port.device_owner == rows.DHCP_OWNER else "",
        "addresses": _addresses(port, secured),
        "port_security": allowed,
        "enabled": port.admin_state_up,
        "options": _options(port),
        "dhcpv4_options": None,
        "dhcpv6_options": None,
        "parent_name": None,
        "tag": None,
        **own_options,
    }
    groups = [names.drop_group(), *map(names.group, sorted(set(port.security_groups)))] if secured else []
    holders: tuple[Holder, ...] = (names.in_switch(network.id), *map(names.member_of, groups))
    row = Row(table="Logical_Switch_Port", columns=columns, external_ids=_ids(port, network), holders=holders)
    return [row, *extras]


def _name(port: rows.Port, domain: str) -> list[Row]:
    """The port's name, answered on its network by OVN itself."""
    addresses = " ".join(ip.ip_address for ip in port.fixed_ips)
    if not port.dns_name or not addresses or trusted(port):
        return []
    name = port.dns_name.lower().rstrip(".")
    short = name.removesuffix(f".{domain}")
    records = {short: addresses, f"{short}.{domain}": addresses}
    holder = Holder(names.switch(port.network_id), "dns_records")
    return [Row(table="DNS", columns={"records": records}, holders=(holder,))]


def _qos(port: rows.Port, limits: Sequence[rows.QosRule]) -> list[Row]:
    """Limits and marks of the port's traffic, as seen by its guest: what leaves it is egress."""
    if trusted(port):
        return []
    made = []
    for rule in effective(limits):
        outward = rule.direction == "egress"
        columns: dict[str, Value] = {
            "direction": "from-lport" if outward else "to-lport",
            "priority": QOS_PRIORITY,
            "match": f'{"inport" if outward else "outport"} == "{port.id}"',
        }
        columns |= rule_columns(rule)
        made.append(Row(table="QoS", part=rule.id, columns=columns, holders=(
            Holder(names.switch(port.network_id), "qos_rules"),)))  # fmt: skip
    return made


def _options(port: rows.Port) -> dict[str, str]:
    options: dict[str, str] = {}
    if port.host_id and port.device_owner != rows.DHCP_OWNER:
        options["requested-chassis"] = port.host_id
    return options


def _addresses(port: rows.Port, secured: bool) -> frozenset[str]:
    addresses = {" ".join([port.mac_address, *(ip.ip_address for ip in port.fixed_ips)])}
    other_macs = any((pair.get("mac_address") or port.mac_address) != port.mac_address
                     for pair in port.allowed_address_pairs)  # fmt: skip
    if (not secured and not trusted(port)) or other_macs:
        addresses.add("unknown")  # frames to addresses that are nobody's come here too
    return frozenset(addresses)


def _port_security(port: rows.Port) -> frozenset[str]:
    own = [port.mac_address, *(ip.ip_address for ip in port.fixed_ips)]
    others: dict[str, list[str]] = {}
    for pair in port.allowed_address_pairs:
        mac = pair.get("mac_address") or port.mac_address
        if mac == port.mac_address:
            own.append(pair["ip_address"])
        else:
            others.setdefault(mac, []).append(pair["ip_address"])
    return frozenset({" ".join(dict.fromkeys(own)), *(" ".join([mac, *ips]) for mac, ips in others.items())})


def _own_dhcp_options(
    port: rows.Port, subnets: Mapping[str, rows.Subnet], dhcp_options: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Value], list[Row]]:
    """The references to DHCP options, and rows of the port's own where it asks for something special."""
    columns: dict[str, Value] = {}
    own: list[Row] = []
    if trusted(port):
        return columns, own
    disabled = {int(opt.get("ip_version") or 4) for opt in port.extra_dhcp_opts
                if opt["opt_name"] == "dhcp_disabled" and str(opt["opt_value"]).lower() == "true"}  # fmt: skip
    for version in (4, 6):
        subnet = next((found for ip in port.fixed_ips if (found := subnets.get(ip.subnet_id))
                       and found.ip_version == version and dhcp_needed(found)), None)  # fmt: skip
        if subnet is None or version in disabled:
            continue
        column = f"dhcpv{version}_options"
        if special := _extra_options(port, version):
            part = f"dhcpv{version}"
            options = {**dhcp_options.get(subnet.id, {}), **special}
            own.append(Row(table="DHCP_Options", part=part, columns={"cidr": subnet.cidr, "options": options}))
            columns[column] = Ref("DHCP_Options", "port", port.id, part)
        else:
            columns[column] = Ref("DHCP_Options", "subnet", subnet.id)
    return columns, own


def _extra_options(port: rows.Port, version: int) -> dict[str, str]:
    known = EXTRA_V4 if version == 4 else EXTRA_V6
    special = {}
    for option in port.extra_dhcp_opts:
        name = known.get(option["opt_name"])
        value = option.get("opt_value")
        if name is None or value is None or int(option.get("ip_version") or 4) != version:
            continue
        special[name] = _quoted(value) if name in TEXT_OPTIONS else value
    return special


def _quoted(value: str) -> str:
    return '"' + re.sub(r'["\\]', "", value) + '"'


def _switch_side(port: rows.Port, network: rows.Network) -> Row:
    """What the switch has where a router is plugged in."""
    options = {"router-port": names.router_port_name(port.id)}
    if port.device_owner == rows.GATEWAY_OWNER:
        options.update({"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"})
    columns: dict[str, Value] = {
        "name": port.id,
        "type": "router",
        "addresses": frozenset({"router"}),
        "port_security": frozenset(),
        "enabled": port.admin_state_up,
        "options": options,
        "dhcpv4_options": None,
        "dhcpv6_options": None,
    }
    return Row(table="Logical_Switch_Port", columns=columns, external_ids=_ids(port, network),
               holders=(names.in_switch(network.id),))  # fmt: skip


def _router_side(
    port: rows.Port, network: rows.Network, subnets: Mapping[str, rows.Subnet], gateway_hosts: Sequence[str], turn: int
) -> list[Row]:
    gateway = port.device_owner == rows.GATEWAY_OWNER
    options: dict[str, str] = {}
    if not gateway and network.network_type in ("vlan", "flat"):
        options["reside-on-redirect-chassis"] = "true"  # its address must not be answered on every host at once
    columns: dict[str, Value] = {
        "name": names.router_port_name(port.id),
        "mac": port.mac_address,
        "networks": frozenset(_with_prefix(ip, subnets) for ip in port.fixed_ips),
        "ipv6_ra_configs": {} if gateway else _ra_configs(port, network, subnets),
        "options": options,
    }
    holder = Holder(names.router(port.device_id), "ports")
    row = Row(table="Logical_Router_Port", columns=columns, external_ids=_ids(port, network), holders=(holder,))
    chosen = rank_gateway_hosts(port.device_id, gateway_hosts) if gateway else []
    start = turn % len(chosen) if chosen else 0
    chosen = chosen[start:] + chosen[:start]
    return [row, *(_gateway_chassis(port, host, len(chosen) - index) for index, host in enumerate(chosen))]


def _with_prefix(ip: rows.FixedIP, subnets: Mapping[str, rows.Subnet]) -> str:
    subnet = subnets.get(ip.subnet_id)
    length = subnet.cidr.partition("/")[2] if subnet else str(ipaddress.ip_address(ip.ip_address).max_prefixlen)
    return f"{ip.ip_address}/{length}"


def _gateway_chassis(port: rows.Port, host: str, priority: int) -> Row:
    router_port = Ref("Logical_Router_Port", "port", port.id)
    return Row(
        table="Gateway_Chassis",
        part=host,
        columns={"name": f"{names.router_port_name(port.id)}_{host}", "chassis_name": host, "priority": priority},
        holders=(Holder(router_port, "gateway_chassis"),),
    )


def rank_gateway_hosts(router_id: str, hosts: Sequence[str]) -> list[str]:
    """Spreads routers over hosts so that a host that comes or goes moves only its own share (rendezvous hashing)."""

    def weight(host: str) -> bytes:
        return blake2b(f"{router_id}/{host}".encode(), digest_size=8).digest()

    return sorted(set(hosts), key=weight, reverse=True)[:MAX_GATEWAY_CHASSIS]


def _ra_configs(port: rows.Port, network: rows.Network, subnets: Mapping[str, rows.Subnet]) -> dict[str, str]:
    """Router advertisements, if a subnet behind this port wants them from us."""
    for ip in port.fixed_ips:
        subnet = subnets.get(ip.subnet_id)
        if subnet and subnet.ip_version == 6 and subnet.ipv6_ra_mode in RA_MODES:
            configs = {
                "address_mode": RA_MODES[subnet.ipv6_ra_mode],
                "send_periodic": "true",
                "mtu": str(network.mtu),
            }
            if servers := [server for server in subnet.dns_nameservers if ":" in server]:
                configs["rdnss"] = servers[0]
            return configs
    return {}
