"""Networks, subnets, subnet pools and address scopes."""

import ipaddress
from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Address, Boolean, Cidr, Field, Integer, Items, Object, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, GIVEN, ONCE, Listed, Version, routes, standard

DOMAIN = r"|([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+"
ADMINS: dict[str, Any] = {"create": OPTIONAL, **EVERYWHERE, "rule": True, "hidden": True}

network = Resource(
    "network",
    [
        *standard(),
        Boolean("admin_state_up", default=True, **GIVEN),
        Text("status", **EVERYWHERE),
        Boolean("shared", default=False, create=OPTIONAL, update=True, rule=True, sort=True),
        Boolean("router:external", source="external", default=False, rule=True, **GIVEN),
        Boolean("is_default", default=False, rule=True, **GIVEN),
        Boolean("port_security_enabled", default=True, **GIVEN),
        Integer("mtu", min=0, max=65535, null=True, **GIVEN),
        Text("provider:network_type", source="network_type", null=True, **ADMINS),
        Text("provider:physical_network", source="physical_network", null=True, **ADMINS),
        Integer("provider:segmentation_id", source="segmentation_id", null=True, min=0, max=2**24 - 1, **ADMINS),
        Text("dns_domain", default="", pattern=DOMAIN, **GIVEN),
        Items("availability_zone_hints", of=Text("availability_zone_hints"), create=OPTIONAL, default=list),
        Items("availability_zones", of=Text(""), show=lambda row: ["nova"]),
        Items("subnets", of=Text(""), show=lambda row: getattr(row, "subnet_ids", [])),
        Text("ipv4_address_scope", show=lambda row: getattr(row, "scopes", {}).get(4)),
        Text("ipv6_address_scope", show=lambda row: getattr(row, "scopes", {}).get(6)),
        Uuid("qos_policy_id", null=True, default=None, **GIVEN),
    ],
)


class Pools(Items):
    """Allocation pools: ranges of addresses, first and last included."""

    def __init__(self, name: str, **options: Any):
        member = Object(name, [Address("start", create=REQUIRED), Address("end", create=REQUIRED)])
        super().__init__(name, of=member, **options)

    def convert(self, value: Any) -> Any:
        pools = super().convert(value)
        for pool in pools:
            first, last = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
            if first.version != last.version or int(first) > int(last):
                self.refuse(value, f"The pool {first} - {last} does not go upwards.")
        return pools


RA_MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")

subnet = Resource(
    "subnet",
    [
        *standard(),
        Uuid("network_id", create=REQUIRED, **EVERYWHERE),
        Version("ip_version", create=OPTIONAL, **EVERYWHERE),
        Cidr("cidr", null=True, create=OPTIONAL, **EVERYWHERE),
        Integer("prefixlen", create=OPTIONAL, min=0, max=128, show=lambda row: None),
        Address("gateway_ip", null=True, **GIVEN),
        Boolean("enable_dhcp", default=True, **GIVEN),
        Listed(
            "dns_nameservers", of=Address("dns_nameservers"), unique=True, create=OPTIONAL, update=True, default=list
        ),
        routes("host_routes", create=OPTIONAL, update=True, default=list),
        Pools("allocation_pools", create=OPTIONAL, update=True),
        Text("ipv6_ra_mode", null=True, choices=RA_MODES, default=None, **ONCE),
        Text("ipv6_address_mode", null=True, choices=RA_MODES, default=None, **ONCE),
        Listed("service_types", of=Text("service_types", min=1), create=OPTIONAL, update=True, default=list),
        Text("subnetpool_id", null=True, default=None, max=36, **ONCE),
        Boolean("use_default_subnetpool", create=OPTIONAL, default=False),
        Boolean("dns_publish_fixed_ip", default=False, **GIVEN),
        Text("segment_id", show=lambda row: None),
        Boolean("router:external", show=lambda row: bool(getattr(row, "external", False))),
    ],
)
for hidden in ("prefixlen", "use_default_subnetpool"):  # said at creation, never shown
    subnet.fields[hidden].secret = True

address_scope = Resource(
    "address_scope",
    [
        *standard(),
        Version("ip_version", create=REQUIRED, **EVERYWHERE),
        Boolean("shared", default=False, rule=True, **GIVEN),
    ],
)


def _length(name: str) -> Field:
    return Integer(name, min=0, max=128, null=True, **GIVEN)


def _text_length(row: Any, name: str) -> str:
    return str(getattr(row, name))


subnetpool = Resource(
    "subnetpool",
    [
        *standard(),
        Items("prefixes", of=Cidr("prefixes"), create=REQUIRED, update=True),
        _length("default_prefixlen"),
        _length("min_prefixlen"),
        _length("max_prefixlen"),
        Integer("default_quota", min=0, null=True, default=None, **GIVEN),
        Integer("ip_version", **EVERYWHERE),
        Uuid("address_scope_id", null=True, default=None, **GIVEN),
        Boolean("is_default", default=False, rule=True, **GIVEN),
        Boolean("shared", default=False, rule=True, **ONCE),
    ],
)
for name in ("default_prefixlen", "min_prefixlen", "max_prefixlen"):  # this API shows them as text
    subnetpool.fields[name].show = lambda row, name=name: _text_length(row, name)
