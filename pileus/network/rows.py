"""What the network service is made of: one Struct a table, as the rest of the service sees it."""

from datetime import datetime
from typing import Any

import msgspec

DHCP_OWNER = "network:distributed"  # the port from which metadata is served on every host
INTERFACE_OWNER = "network:router_interface"
GATEWAY_OWNER = "network:router_gateway"
FLOATING_IP_OWNER = "network:floatingip"
ROUTER_OWNERS = (INTERFACE_OWNER, GATEWAY_OWNER)


class Standard(msgspec.Struct, kw_only=True):
    """What every resource of this API has."""

    id: str
    project_id: str
    description: str = ""
    revision_number: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Network(Standard, kw_only=True):
    name: str = ""
    admin_state_up: bool = True
    mtu: int = 1442
    port_security_enabled: bool = True
    external: bool = False
    is_default: bool = False
    dns_domain: str = ""
    network_type: str = "geneve"
    physical_network: str | None = None
    segmentation_id: int | None = None
    availability_zone_hints: list[str] = []
    qos_policy_id: str | None = None


class Subnet(Standard, kw_only=True):
    network_id: str
    name: str = ""
    ip_version: int = 4
    cidr: str
    gateway_ip: str | None = None
    enable_dhcp: bool = True
    dns_nameservers: list[str] = []
    host_routes: list[dict[str, str]] = []
    allocation_pools: list[dict[str, str]] = []
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    service_types: list[str] = []
    subnetpool_id: str | None = None
    dns_publish_fixed_ip: bool = False


class FixedIP(msgspec.Struct, frozen=True, kw_only=True):
    subnet_id: str
    ip_address: str


class Port(Standard, kw_only=True):
    network_id: str
    name: str = ""
    admin_state_up: bool = True
    mac_address: str
    device_id: str = ""
    device_owner: str = ""
    status: str = "DOWN"
    port_security_enabled: bool = True
    dns_name: str = ""
    host_id: str = ""
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}
    allowed_address_pairs: list[dict[str, str]] = []
    extra_dhcp_opts: list[dict[str, Any]] = []
    qos_policy_id: str | None = None
    fixed_ips: list[FixedIP] = []
    security_groups: list[str] = []


class Router(Standard, kw_only=True):
    name: str = ""
    admin_state_up: bool = True
    gateway_network_id: str | None = None
    gateway_port_id: str | None = None
    enable_snat: bool = True
    routes: list[dict[str, str]] = []
    availability_zone_hints: list[str] = []


class FloatingIP(Standard, kw_only=True):
    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str
    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None
    status: str = "DOWN"
    dns_name: str = ""
    dns_domain: str = ""


class SecurityGroup(Standard, kw_only=True):
    name: str = ""
    stateful: bool = True
    is_default: bool = False


class SecurityGroupRule(Standard, kw_only=True):
    security_group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
