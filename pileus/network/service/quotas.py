"""How much of each resource a project may have; used amounts are counted from rows."""

import weakref
from typing import Any

from pileus.core import quota
from pileus.core.db import Database, Tx
from pileus.core.errors import OverQuota
from pileus.network import rows

SERVICE = "network"
DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
    "address_group": -1,
    "trunk": -1,
}
COUNTED: dict[str, type[Any]] = {
    "network": rows.Network,
    "subnet": rows.Subnet,
    "subnetpool": rows.SubnetPool,
    "port": rows.Port,
    "router": rows.Router,
    "floatingip": rows.FloatingIP,
    "security_group": rows.SecurityGroup,
    "security_group_rule": rows.SecurityGroupRule,
    "rbac_policy": rows.RbacPolicy,
    "address_group": rows.AddressGroup,
    "trunk": rows.Trunk,
}


_own: "weakref.WeakKeyDictionary[Database, dict[str, int]]" = weakref.WeakKeyDictionary()


def set_defaults(db: Database, wanted: dict[str, int]) -> None:
    """What a cloud's settings say instead. Raises ValueError for what there is not."""
    for resource, limit in wanted.items():
        if resource not in DEFAULTS or limit < quota.UNLIMITED:
            raise ValueError(
                f"network_quotas.{resource}: {limit}: it must be -1 or more, for one of {', '.join(DEFAULTS)}"
            )
    _own[db] = {**DEFAULTS, **wanted}


def defaults(tx: Tx) -> dict[str, int]:
    return _own.get(tx.db, DEFAULTS)


def spend(tx: Tx, project_id: str, resource: str, amount: int = 1) -> None:
    """Raises OverQuota when the project may not have `amount` more."""
    allowed = quota.limit(tx, SERVICE, project_id, resource, defaults(tx)[resource])
    if allowed == quota.UNLIMITED:
        return  # nothing to count: a create costs the same however much there is
    quota.hold(tx, SERVICE, project_id)
    used = tx.count(COUNTED[resource], project_id=project_id)
    if used + amount > allowed:
        raise OverQuota(f"Quota exceeded for resources: ['{resource}'].", kind="OverQuota")


def usage(tx: Tx, project_id: str) -> dict[str, dict[str, int]]:
    limits = quota.limits(tx, SERVICE, project_id, defaults(tx))
    return {
        resource: {"limit": limits[resource], "used": tx.count(COUNTED[resource], project_id=project_id), "reserved": 0}
        for resource in DEFAULTS
    }
