"""What the network service is made of: one Struct a table.

Lists that belong to one row and are always read with it (a port's addresses and groups) are
kept in it as JSON, so a page of a list is one query; where the database must also search or
guard them there is a table beside it, written in the same transaction.
"""

from typing import Any

import msgspec

from pileus.core.tables import Key, table

DHCP_OWNER = "network:distributed"  # the port from which metadata is served on every host
INTERFACE_OWNER = "network:router_interface"
GATEWAY_OWNER = "network:router_gateway"
FLOATING_IP_OWNER = "network:floatingip"
SUBPORT_OWNER = "trunk:subport"
ROUTER_OWNERS = (INTERFACE_OWNER, GATEWAY_OWNER)
EVERYBODY = "*"
TUNNELLED = "geneve"


class Standard(msgspec.Struct):
    """What every resource of this API has."""

    id: Key
    project_id: str = ""
    name: str = ""
    description: str = ""
    revision_number: int = 0
    created_at: str = ""
    updated_at: str = ""
    tags: list[str] = []

    @property
    def tenant_id(self) -> str:
        """The older word, which clients still read."""
        return self.project_id


@table("networks", index=[("project_id",), ("network_type", "physical_network", "segmentation_id")])
class Network(Standard, dict=True):
    admin_state_up: bool = True
    status: str = "ACTIVE"
    mtu: int = 1442
    port_security_enabled: bool = True
    is_default: bool = False
    dns_domain: str = ""
    network_type: str = TUNNELLED
    physical_network: str | None = None
    segmentation_id: int | None = None
    availability_zone_hints: list[str] = []
    qos_policy_id: str | None = None
    external: bool = False
    shared: bool = False  # with everybody; with single projects through rbac policies


@table(
    "subnets", index=[("project_id",), ("network_id",), ("subnetpool_id",)], references={"network_id": "networks.id"}
)
class Subnet(Standard, dict=True):
    network_id: str = ""
    ip_version: int = 4
    cidr: str = ""
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


@table(
    "allocation_pools", index=[("subnet_id", "first")], references={"subnet_id": "subnets.id"}, cascade=["subnet_id"]
)
class AllocationPool(msgspec.Struct):
    """A range of a subnet, as offsets from its first address; `next` is where the search for a free one starts."""

    id: Key
    subnet_id: str
    first: int
    last: int
    next: int


class FixedIP(msgspec.Struct, frozen=True):
    subnet_id: str
    ip_address: str


@table(
    "ports",
    unique=[("network_id", "mac_address")],
    index=[("project_id",), ("device_id",), ("network_id", "device_owner"), ("host_id",)],
    references={"network_id": "networks.id"},
)
class Port(Standard, dict=True):
    network_id: str = ""
    admin_state_up: bool = True
    mac_address: str = ""
    device_id: str = ""
    device_owner: str = ""
    status: str = "DOWN"
    port_security_enabled: bool = True
    dns_name: str = ""
    dns_domain: str = ""
    host_id: str = ""
    vnic_type: str = "normal"
    profile: dict[str, Any] = {}
    allowed_address_pairs: list[dict[str, str]] = []
    extra_dhcp_opts: list[dict[str, Any]] = []
    qos_policy_id: str | None = None
    propagate_uplink_status: bool = True
    fixed_ips: list[FixedIP] = []
    security_groups: list[str] = []


@table(
    "ip_allocations",
    index=[("subnet_id", "position"), ("port_id",)],
    references={"subnet_id": "subnets.id", "port_id": "ports.id"},
    cascade=["port_id"],
)
class IPAllocation(msgspec.Struct):
    """One address in use. The key is what makes giving it out twice impossible."""

    subnet_id: Key
    ip_address: Key
    port_id: str
    position: int | None  # offset from the subnet's first address; none beyond what the database can count


@table(
    "port_security_groups",
    index=[("security_group_id",)],
    references={"port_id": "ports.id", "security_group_id": "security_groups.id"},
    cascade=["port_id"],
)
class PortSecurityGroup(msgspec.Struct):
    port_id: Key
    security_group_id: Key


@table("routers", index=[("project_id",), ("gateway_network_id",)])
class Router(Standard, dict=True):
    admin_state_up: bool = True
    status: str = "ACTIVE"
    gateway_network_id: str | None = None
    gateway_port_id: str | None = None
    enable_snat: bool = True
    routes: list[dict[str, str]] = []
    availability_zone_hints: list[str] = []
    enable_default_route_ecmp: bool = False
    enable_default_route_bfd: bool = False


@table(
    "floating_ips",
    index=[("project_id",), ("port_id",), ("router_id",), ("floating_network_id", "floating_ip_address")],
    unique=[("port_id", "fixed_ip_address", "floating_network_id")],
)
class FloatingIP(Standard, dict=True):
    floating_network_id: str = ""
    floating_ip_address: str = ""
    floating_port_id: str = ""
    port_id: str | None = None
    fixed_ip_address: str | None = None
    router_id: str | None = None
    status: str = "DOWN"
    dns_name: str = ""
    dns_domain: str = ""
    qos_policy_id: str | None = None


@table(
    "port_forwardings",
    index=[("floating_ip_id",), ("internal_port_id",)],
    references={"floating_ip_id": "floating_ips.id"},
    cascade=["floating_ip_id"],
)
class PortForwarding(Standard, dict=True):
    """Some ports of a floating IP lead to one address inside; others elsewhere."""

    floating_ip_id: str = ""
    protocol: str = "tcp"
    external_first: int = 0
    external_last: int = 0
    internal_port_id: str = ""
    internal_ip_address: str = ""
    internal_first: int = 0
    internal_last: int = 0


@table("address_groups", index=[("project_id",)])
class AddressGroup(Standard, dict=True):
    """Networks that rules of security groups name together."""

    addresses: list[str] = []
    shared: bool = False


@table("security_groups", index=[("project_id",)])
class SecurityGroup(Standard, dict=True):
    stateful: bool = True
    is_default: bool = False


@table("default_security_groups", references={"security_group_id": "security_groups.id"}, cascade=["security_group_id"])
class DefaultSecurityGroup(msgspec.Struct):
    """Each project has one, however many requests find at once that it is missing."""

    project_id: Key
    security_group_id: str


@table(
    "security_group_rules",
    index=[("project_id",), ("security_group_id",), ("remote_group_id",), ("remote_address_group_id",)],
    references={"security_group_id": "security_groups.id", "remote_group_id": "security_groups.id"},
    cascade=["security_group_id", "remote_group_id"],
)
class SecurityGroupRule(Standard, dict=True):
    security_group_id: str = ""
    direction: str = "ingress"
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


@table("default_security_group_rules")
class DefaultRule(Standard, dict=True):
    """What new security groups begin with. `removed` remembers that one of the usual rules was taken away."""

    direction: str = "ingress"
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    used_in_default_sg: bool = False
    used_in_non_default_sg: bool = True
    removed: bool = False


@table("network_logs", index=[("resource_id",), ("target_id",)])
class Log(Standard, dict=True):
    """What of a security group, or of all, is logged."""

    resource_type: str = "security_group"
    resource_id: str | None = None
    target_id: str | None = None
    event: str = "ALL"
    enabled: bool = True


@table("network_segment_ranges", index=[("project_id",)])
class SegmentRange(Standard, dict=True):
    """Numbers of segments that networks of one project, or of all, are given."""

    is_default: bool = False
    shared: bool = True
    network_type: str = "vlan"
    physical_network: str | None = None
    minimum: int = 0
    maximum: int = 0


@table(
    "auto_allocated_topologies",
    references={"network_id": "networks.id", "router_id": "routers.id"},
    cascade=["network_id", "router_id"],
)
class AutoAllocated(msgspec.Struct):
    """The network and router that were made for a project which had asked for any."""

    project_id: Key
    network_id: str
    router_id: str


@table("network_rbacs", unique=[("object_id", "action", "target_tenant")], index=[("project_id",), ("target_tenant",)])
class RbacPolicy(msgspec.Struct):
    """An object of one project opened to another, or to everybody."""

    id: Key
    project_id: str
    object_type: str
    object_id: str
    action: str
    target_tenant: str

    @property
    def tenant_id(self) -> str:
        return self.project_id


@table("address_scopes", index=[("project_id",)])
class AddressScope(Standard, dict=True):
    ip_version: int = 4
    shared: bool = False


@table(
    "subnetpools", index=[("project_id",), ("address_scope_id",)], references={"address_scope_id": "address_scopes.id"}
)
class SubnetPool(Standard, dict=True):
    ip_version: int = 4
    prefixes: list[str] = []
    default_prefixlen: int = 0
    min_prefixlen: int = 0
    max_prefixlen: int = 0
    default_quota: int | None = None
    address_scope_id: str | None = None
    is_default: bool = False
    shared: bool = False


@table("qos_policies", index=[("project_id",)])
class QosPolicy(Standard, dict=True):
    shared: bool = False
    is_default: bool = False


@table(
    "qos_rules", index=[("qos_policy_id",)], references={"qos_policy_id": "qos_policies.id"}, cascade=["qos_policy_id"]
)
class QosRule(msgspec.Struct):
    """A limit or a mark; which fields count depends on its kind."""

    id: Key
    qos_policy_id: str
    kind: str
    direction: str = "egress"
    max_kbps: int = 0
    max_burst_kbps: int = 0
    dscp_mark: int = 0


@table("trunks", index=[("project_id",)], unique=[("port_id",)], references={"port_id": "ports.id"})
class Trunk(Standard, dict=True):
    port_id: str = ""
    admin_state_up: bool = True
    status: str = "DOWN"


@table(
    "sub_ports",
    unique=[("trunk_id", "segmentation_type", "segmentation_id")],
    references={"trunk_id": "trunks.id", "port_id": "ports.id"},
    cascade=["trunk_id"],
)
class SubPort(msgspec.Struct):
    """A port that is reached through another, under a VLAN of its own."""

    port_id: Key
    trunk_id: str
    segmentation_type: str
    segmentation_id: int


@table("network_agents")
class AgentNote(msgspec.Struct):
    """What an operator wrote about an agent; agents themselves are seen in the engine."""

    id: Key
    description: str = ""
    admin_state_up: bool = True


@table("network_tags", index=[("tag",)])
class Tag(msgspec.Struct):
    """A tag of any resource; the row itself lists them too, in order."""

    resource_id: Key
    tag: Key


@table("network_changes", index=[("kind", "object_id"), ("created_at",)])
class Change(msgspec.Struct):
    """An object whose rows in the engine may be out of date. Written with the change itself, removed once applied."""

    id: Key
    kind: str
    object_id: str
    created_at: str
