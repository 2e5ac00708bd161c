"""Routers and floating IPs: logical routers, their routes and address translation. Pure."""

from collections.abc import Sequence

from pileus.network import rows
from pileus.network.drivers.desired import Holder, Row, Value
from pileus.network.drivers.translate import names

OPTIONS = {"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true", "mac_binding_age_threshold": "0"}


def router_rows(
    router: rows.Router,
    gateway: rows.Port | None,
    gateway_subnets: Sequence[rows.Subnet],
    inner_subnets: Sequence[rows.Subnet],
) -> list[Row]:
    """The router with its default routes (one for each of the gateway's subnets), extra routes and source NAT.

    Its interfaces are ports, and translated as such; `inner_subnets` are what lies behind them.
    """
    ids = {"neutron:router_name": router.name}
    columns: dict[str, Value] = {
        "name": names.router_name(router.id),
        "enabled": router.admin_state_up,
        "options": OPTIONS,
    }
    made = [Row(table="Logical_Router", columns=columns, external_ids=ids)]
    if gateway is not None:
        made += [_default_route(router, subnet) for subnet in gateway_subnets if subnet.gateway_ip]
    made += [_route(router, route["destination"], route["nexthop"]) for route in router.routes]
    if gateway is not None and router.enable_snat:
        made += _source_nat(router, gateway, inner_subnets)
    return made


def _default_route(router: rows.Router, subnet: rows.Subnet) -> Row:
    assert subnet.gateway_ip
    everything = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
    return _route(router, everything, subnet.gateway_ip, part=f"default:{subnet.id}")


def _route(router: rows.Router, destination: str, nexthop: str, part: str = "") -> Row:
    return Row(
        table="Logical_Router_Static_Route",
        part=part or f"route:{destination}>{nexthop}",
        columns={"ip_prefix": destination, "nexthop": nexthop},
        holders=(Holder(names.router(router.id), "static_routes"),),
    )


def _source_nat(router: rows.Router, gateway: rows.Port, inner_subnets: Sequence[rows.Subnet]) -> list[Row]:
    outside = next((ip.ip_address for ip in gateway.fixed_ips if ":" not in ip.ip_address), None)
    if outside is None:
        return []
    return [
        _nat(router.id, "snat", outside, subnet.cidr, part=f"snat:{subnet.id}")
        for subnet in inner_subnets
        if subnet.ip_version == 4
    ]


def _nat(router_id: str, kind: str, external_ip: str, logical_ip: str, part: str = "") -> Row:
    return Row(
        table="NAT",
        part=part,
        columns={"type": kind, "external_ip": external_ip, "logical_ip": logical_ip},
        holders=(Holder(names.router(router_id), "nat"),),
    )


def floating_ip_rows(floating_ip: rows.FloatingIP, forwardings: Sequence[rows.PortForwarding] = ()) -> list[Row]:
    """Nothing until it, or a port of it, leads to a port behind a router."""
    if forwardings and floating_ip.router_id:
        return _forwarding(floating_ip, floating_ip.router_id, forwardings)
    if not (floating_ip.router_id and floating_ip.fixed_ip_address):
        return []
    return [_nat(floating_ip.router_id, "dnat_and_snat", floating_ip.floating_ip_address, floating_ip.fixed_ip_address)]


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
