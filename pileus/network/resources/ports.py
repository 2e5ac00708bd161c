"""Ports."""

import ipaddress
from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Address, Boolean, Field, Items, Mac, Object, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.networks import DOMAIN
from pileus.network.resources.standard import EVERYWHERE, GIVEN, Prefix, Uuids, Version, standard

DNS_NAME = r"|[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?\.?"


class AddressOrPrefix(Prefix):
    """Kept as written: an address stays one, it does not become a /32."""

    def convert(self, value: Any) -> Any:
        network = ipaddress.ip_network(super().convert(value))
        return str(network) if isinstance(value, str) and "/" in value else str(network.network_address)


class AddressPairs(Items):
    def __init__(self, name: str, **options: Any):
        member = Object(name, [AddressOrPrefix("ip_address", create=REQUIRED), Mac("mac_address")])
        super().__init__(name, of=member, unique=True, **options)

    def check(self, value: Any) -> Any:
        return [] if value is None else super().check(value)


class Profile(Object):
    """What a host is told besides; null clears it."""

    def check(self, value: Any) -> Any:
        return {} if value is None else super().check(value)


OPTION = Object(
    "extra_dhcp_opts",
    [
        Text("opt_name", min=1, create=REQUIRED),
        Text("opt_value", null=True, create=REQUIRED),
        Version("ip_version", default=4, create=OPTIONAL),
    ],
)
FIXED_IP = Object("fixed_ips", [Uuid("subnet_id"), Address("ip_address")])
BOUND: dict[str, Any] = {"hidden": True}


VNIC_TYPES = ("normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "vdpa",
              "accelerator-direct", "accelerator-direct-physical", "remote-managed")  # fmt: skip


class DeviceId(Text):
    def check(self, value: Any) -> Any:
        return "" if value is None else super().check(value)


def vif_type(row: Any) -> str:
    if row.host_id:
        return "ovs"
    return "unbound"


def vif_details(row: Any) -> dict[str, Any]:
    return {"port_filter": True, "connectivity": "l2", "bridge_name": "br-int"} if row.host_id else {}


def trusted(row: Any) -> bool | None:
    """Whether a virtual function may change its address: kept where hosts look for it."""
    found: bool | None = row.profile.get("trusted")
    return found


def dns_assignment(row: Any) -> list[dict[str, str]]:
    """What the cloud's own name service answers; its domain comes with the row."""
    found = []
    for ip in row.fixed_ips:
        name = row.dns_name or "host-" + ip.ip_address.replace(".", "-").replace(":", "-")
        fqdn = name if name.endswith(".") else f"{name}.{getattr(row, 'zone', 'openstacklocal')}."
        found.append({"ip_address": ip.ip_address, "hostname": name, "fqdn": fqdn})
    return found


def _fields() -> list[Field]:
    return [
        *standard(),
        Uuid("network_id", create=REQUIRED, **EVERYWHERE),
        Boolean("admin_state_up", default=True, **GIVEN),
        Mac("mac_address", null=True, **GIVEN),
        Text("status", **EVERYWHERE),
        DeviceId("device_id", default="", null=True, **GIVEN),
        DeviceId("device_owner", default="", null=True, **GIVEN),
        Items("fixed_ips", of=FIXED_IP, null=True, create=OPTIONAL, update=True),
        Uuids("security_groups", null=True, create=OPTIONAL, update=True),
        AddressPairs("allowed_address_pairs", create=OPTIONAL, update=True, default=list),
        Items("extra_dhcp_opts", of=OPTION, null=True, create=OPTIONAL, update=True, default=list),
        Boolean("port_security_enabled", create=OPTIONAL, update=True, **EVERYWHERE),
        Text("binding:host_id", source="host_id", null=True, **GIVEN, **BOUND),
        Text("binding:vnic_type", source="vnic_type", default="normal", choices=VNIC_TYPES, **GIVEN),
        Profile("binding:profile", source="profile", open=True, create=OPTIONAL, update=True, **BOUND),
        Text("binding:vif_type", show=vif_type, **BOUND),
        Object("binding:vif_details", open=True, show=vif_details, **BOUND),
        Boolean("trusted", null=True, create=OPTIONAL, update=True, rule=True, hidden=True, show=trusted),
        Text("dns_name", default="", pattern=DNS_NAME, **GIVEN),
        Text("dns_domain", default="", pattern=DOMAIN, **GIVEN),
        Items("dns_assignment", of=Object(""), show=dns_assignment),
        Uuid("qos_policy_id", null=True, default=None, **GIVEN),
        Object("trunk_details", open=True, show=lambda row: getattr(row, "trunk_details", None)),
        Text("qos_network_policy_id", show=lambda row: None),
        Text("resource_request", show=lambda row: None, hidden=True),
        Text("ip_allocation", show=lambda row: "immediate" if row.fixed_ips else "none"),
        Boolean("propagate_uplink_status", default=True, **GIVEN),
    ]


port = Resource("port", _fields())
# What a body may hold at creation: tags of a port may be given there.
port.fields["tags"].create = OPTIONAL
