"""Routers and floating IPs."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Address, Boolean, Items, Object, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.networks import DOMAIN
from pileus.network.resources.port_forwardings import detail
from pileus.network.resources.ports import DNS_NAME
from pileus.network.resources.standard import EVERYWHERE, GIVEN, routes, standard

MAX_GATEWAYS = 10
GATEWAY = [
    Uuid("network_id", create=REQUIRED),
    Boolean("enable_snat"),
    Items("external_fixed_ips", of=Object("external_fixed_ips", [Uuid("subnet_id"), Address("ip_address")])),
    Uuid("qos_policy_id", null=True),
]


class Gateway(Object):
    """null and {} both take the gateway away."""

    def convert(self, value: Any) -> Any:
        return None if value == {} else super().convert(value)


def gateway_views(row: Any) -> list[dict[str, Any]]:
    return [
        {
            "network_id": port.network_id,
            "enable_snat": row.enable_snat,
            "external_fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips],
            "qos_policy_id": port.qos_policy_id,
        }
        for port in getattr(row, "gateways", [])
    ]


def gateway_view(row: Any) -> dict[str, Any] | None:
    return next(iter(gateway_views(row)), None)


GATEWAYS = Items("external_gateways", of=Object("external_gateways", GATEWAY), max=MAX_GATEWAYS)


router = Resource(
    "router",
    [
        *standard(),
        Boolean("admin_state_up", default=True, **GIVEN),
        Text("status", **EVERYWHERE),
        Gateway("external_gateway_info", GATEWAY, null=True, create=OPTIONAL, update=True, show=gateway_view),
        Items("external_gateways", of=Object(""), show=gateway_views),
        Boolean("enable_default_route_ecmp", default=False, rule=True, create=OPTIONAL, update=True),
        Boolean("enable_default_route_bfd", default=False, rule=True, create=OPTIONAL, update=True),
        routes("routes", null=True, update=True),
        Boolean("distributed", show=lambda row: False, hidden=True),
        Boolean("ha", create=OPTIONAL, update=True, rule=True, show=lambda row: True, hidden=True),
        Items("availability_zone_hints", of=Text("availability_zone_hints"), create=OPTIONAL, default=list),
        Items("availability_zones", of=Text(""), show=lambda row: ["nova"]),
        Text("flavor_id", show=lambda row: None),
        Text("service_type_id", show=lambda row: None),
    ],
)

floatingip = Resource(
    "floatingip",
    [
        *standard(named=False),
        Uuid("floating_network_id", create=REQUIRED, **EVERYWHERE),
        Address("floating_ip_address", null=True, create=OPTIONAL, rule=True, default=None, **EVERYWHERE),
        Uuid("subnet_id", null=True, create=OPTIONAL, secret=True),
        Uuid("port_id", null=True, **GIVEN),
        Address("fixed_ip_address", null=True, **GIVEN),
        Uuid("router_id", null=True, create=OPTIONAL, **EVERYWHERE),
        Text("status", **EVERYWHERE),
        Text("dns_name", default="", pattern=DNS_NAME, create=OPTIONAL, **EVERYWHERE),
        Text("dns_domain", default="", pattern=DOMAIN, create=OPTIONAL, **EVERYWHERE),
        Uuid("qos_policy_id", null=True, default=None, **GIVEN),
        Object("port_details", open=True, show=lambda row: getattr(row, "port_details", None)),
        Items(
            "port_forwardings",
            of=Object(""),
            show=lambda row: [detail(each) for each in getattr(row, "forwardings", [])],
        ),
    ],
)
