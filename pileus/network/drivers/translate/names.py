"""How our objects are called in the northbound database, and pointers to their rows."""

from pileus.network.drivers.desired import Holder, Key, Ref

DROP_GROUP = "neutron_pg_drop"
DROP_KEY: Key = ("cloud", "drop")


def switch_name(network_id: str) -> str:
    return f"neutron-{network_id}"


def router_name(router_id: str) -> str:
    return f"neutron-{router_id}"


def localnet_name(network_id: str) -> str:
    return f"provnet-{network_id}"


def router_port_name(port_id: str) -> str:
    return f"lrp-{port_id}"


def group_name(security_group_id: str) -> str:
    """Port groups are used inside match expressions, where a dash would be a minus."""
    return "pg_" + security_group_id.replace("-", "_")


def address_set_name(address_group_id: str, version: int) -> str:
    return f"ag_{address_group_id.replace('-', '_')}_ip{version}"


def switch(network_id: str) -> Ref:
    return Ref("Logical_Switch", "network", network_id)


def router(router_id: str) -> Ref:
    return Ref("Logical_Router", "router", router_id)


def group(security_group_id: str) -> Ref:
    return Ref("Port_Group", "security_group", security_group_id)


def drop_group() -> Ref:
    return Ref("Port_Group", *DROP_KEY)


def in_switch(network_id: str) -> Holder:
    return Holder(switch(network_id), "ports")


def member_of(group_ref: Ref) -> Holder:
    return Holder(group_ref, "ports")
