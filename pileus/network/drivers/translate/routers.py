"""Routers and floating IPs: logical routers, their routes and address translation. Pure."""

from collections.abc import Mapping, Sequence

from pileus.network import rows
from pileus.network.drivers.desired import Holder, Ref, Row, Value
from pileus.network.drivers.translate import names
from pileus.network.drivers.translate.limits import OUTER_QOS_PRIORITY, effective, rule_columns

OPTIONS = {"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true", "mac_binding_age_threshold": "0"}


Gateway = tuple[rows.Port, Sequence[rows.Subnet]]  # a way out, and the subnets it is on


def router_rows(router: rows.Router, gateways: Sequence[Gateway], inner_subnets: Sequence[rows.Subnet]) -> list[Row]:
    """The router with its default routes (one for each subnet of a gateway), extra routes and source NAT.

    Its interfaces are ports, and translated as such; `inner_subnets` are what lies behind them. Of several gateways only
    the first is the way out, unless the router is to use all.
    """
    ids = {"neutron:router_name": router.name}
    columns: dict[str, Value] = {
        "name": names.router_name(router.id),
        "enabled": router.admin_state_up,
        "options": OPTIONS,
    }
    made = [Row(table="Logical_Router", columns=columns, external_ids=ids)]
    for number, (port, subnets) in enumerate(gateways if router.enable_default_route_ecmp else gateways[:1]):
        for subnet in subnets:
            if subnet.gateway_ip:
                made += _default_route(router, port, subnet, subnet.gateway_ip, f":{port.id}" if number else "")
    made += [_route(router, route["destination"], route["nexthop"]) for route in router.routes]
    if router.enable_snat:
        for number, (port, _) in enumerate(gateways):
            way = port.id if len(gateways) > 1 else ""
            made += _source_nat(router, port, inner_subnets, way, f":{port.id}" if number else "")
    return made


def _default_route(router: rows.Router, port: rows.Port, subnet: rows.Subnet, nexthop: str, further: str) -> list[Row]:
    everything = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
    columns: dict[str, Value] = {"bfd": None, "output_port": None}
    if router.enable_default_route_ecmp:  # two ways may have the same next hop
        columns["output_port"] = names.router_port_name(port.id)
    if not router.enable_default_route_bfd:
        return [_route(router, everything, nexthop, f"default:{subnet.id}{further}", columns)]
    watch = Row(
        table="BFD",
        part=f"bfd:{subnet.id}{further}",
        columns={"logical_port": names.router_port_name(port.id), "dst_ip": nexthop},
    )
    columns["bfd"] = Ref("BFD", "router", router.id, watch.part)
    return [watch, _route(router, everything, nexthop, f"default:{subnet.id}{further}", columns)]


def _route(
    router: rows.Router, destination: str, nexthop: str, part: str = "", columns: Mapping[str, Value] | None = None
) -> Row:
    return Row(
        table="Logical_Router_Static_Route",
        part=part or f"route:{destination}>{nexthop}",
        columns={"ip_prefix": destination, "nexthop": nexthop, **(columns or {})},
        holders=(Holder(names.router(router.id), "static_routes"),),
    )


def _source_nat(
    router: rows.Router, gateway: rows.Port, inner_subnets: Sequence[rows.Subnet], way: str, further: str
) -> list[Row]:
    outside = next((ip.ip_address for ip in gateway.fixed_ips if ":" not in ip.ip_address), None)
    if outside is None:
        return []
    return [
        _nat(router.id, "snat", outside, subnet.cidr, f"snat:{subnet.id}{further}", way)
        for subnet in inner_subnets
        if subnet.ip_version == 4
    ]


def _nat(router_id: str, kind: str, external_ip: str, logical_ip: str, part: str = "", gateway_id: str = "") -> Row:
    """`gateway_id` says over which of several ways out."""
    way = Ref("Logical_Router_Port", "port", gateway_id) if gateway_id else None
    return Row(
        table="NAT",
        part=part,
        columns={"type": kind, "external_ip": external_ip, "logical_ip": logical_ip, "gateway_port": way},
        holders=(Holder(names.router(router_id), "nat"),),
    )


def floating_ip_rows(
    floating_ip: rows.FloatingIP,
    forwardings: Sequence[rows.PortForwarding] = (),
    gateways: Sequence[rows.Port] = (),
    limits: Sequence[rows.QosRule] = (),
) -> list[Row]:
    """Nothing until it, or a port of it, leads to a port behind a router.

    `gateways` are the router's ways out, `limits` the rules of the floating IP's quality of service.
    """
    if not floating_ip.router_id or not (forwardings or floating_ip.fixed_ip_address):
        return []
    way = next((port for port in gateways if port.network_id == floating_ip.floating_network_id), None)
    made = outer_limits(way, floating_ip.floating_ip_address, limits) if way else []
    if forwardings:
        return [*_forwarding(floating_ip, floating_ip.router_id, forwardings), *made]
    outer, inner = floating_ip.floating_ip_address, floating_ip.fixed_ip_address or ""
    chosen = way.id if way and len(gateways) > 1 else ""
    return [_nat(floating_ip.router_id, "dnat_and_snat", outer, inner, gateway_id=chosen), *made]


def outer_limits(gateway: rows.Port, address: str, limits: Sequence[rows.QosRule]) -> list[Row]:
    """Limits of what goes out and comes in under an address of a router, where it meets the external network."""
    made = []
    for rule in effective(limits):
        outward = rule.direction == "egress"
        version = "ip6" if ":" in address else "ip4"
        end = "inport" if outward else "outport"
        columns: dict[str, Value] = {
            "direction": "from-lport" if outward else "to-lport",
            "priority": OUTER_QOS_PRIORITY,
            "match": f'{end} == "{gateway.id}" && {version}.{"src" if outward else "dst"} == {address}',
            **rule_columns(rule),
        }
        holder = Holder(names.switch(gateway.network_id), "qos_rules")
        made.append(Row(table="QoS", part=f"{rule.id}:{address}", columns=columns, holders=(holder,)))
    return made


def _forwarding(floating_ip: rows.FloatingIP, router_id: str, forwardings: Sequence[rows.PortForwarding]) -> list[Row]:
    """A load balancer of the router for each protocol, with one backend behind each port."""
    vips: dict[str, dict[str, str]] = {}
    for row in forwardings:
        shift = 0 if row.internal_first == row.internal_last else 1
        for offset in range(row.external_last - row.external_first + 1):
            outer = f"{floating_ip.floating_ip_address}:{row.external_first + offset}"
            inner = f"{row.internal_ip_address}:{row.internal_first + offset * shift}"
            vips.setdefault(row.protocol, {})[outer] = inner
    return [
        Row(
            table="Load_Balancer",
            part=protocol,
            columns={"name": f"pf-floatingip-{floating_ip.id}-{protocol}", "protocol": protocol, "vips": pairs},
            holders=(Holder(names.router(router_id), "load_balancer"),),
        )
        for protocol, pairs in sorted(vips.items())
    ]
