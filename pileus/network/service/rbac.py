"""RBAC policies: an object of one project opened to another, or to everybody (`*`)."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import Conflict, NotFound
from pileus.network import rows
from pileus.network.service import quotas
from pileus.network.service.lookup import Viewer, get_network, get_shareable
from pileus.network.service.networks import invalid
from pileus.network.service.sharing import EXTERNAL, refuse_closing
from pileus.network.store import changes, queries

STRUCTS: dict[str, type[rows.Standard]] = {
    "network": rows.Network,
    "security_group": rows.SecurityGroup,
    "subnetpool": rows.SubnetPool,
    "address_scope": rows.AddressScope,
    "address_group": rows.AddressGroup,
    "qos_policy": rows.QosPolicy,
}


def get_policy(tx: Tx, viewer: Viewer, id: str) -> rows.RbacPolicy:
    """Own; the owner of the object made it."""
    found = tx.find(rows.RbacPolicy, id=id)
    if found is None or not (viewer.admin or found.project_id == viewer.project_id):
        raise NotFound(f"RBAC policy of type network with ID {id} not found", kind="RbacPolicyNotFound")
    return found


def create_policy(
    tx: Tx, viewer: Viewer, project_id: str, object_type: str, object_id: str, action: str, target_tenant: str
) -> rows.RbacPolicy:
    """Raises NotFound (the object), BadRequest, Conflict (it exists), OverQuota."""
    if action == EXTERNAL and object_type != "network":
        raise invalid(f"Action {action} is not valid for object type {object_type}.")
    if object_type == "network":
        found: rows.Standard = get_network(tx, viewer, object_id)
    else:
        found = get_shareable(tx, viewer, STRUCTS[object_type], object_id)
    if found.project_id != viewer.project_id and not viewer.admin:
        raise invalid(f"Only the owner of {object_type} {object_id} may open it to others.")
    _check_scope(tx, found, target_tenant)
    quotas.spend(tx, project_id, "rbac_policy")
    if tx.find(rows.RbacPolicy, object_id=object_id, action=action, target_tenant=target_tenant):
        raise Conflict(f"An RBAC policy already exists with those values: {action} of {object_id} to {target_tenant}.",
                       kind="DuplicateRbacPolicy")  # fmt: skip
    policy = rows.RbacPolicy(clock.new_id(), project_id, object_type, object_id, action, target_tenant)
    tx.insert(policy)
    _reflect(tx, policy)
    return policy


def _check_scope(tx: Tx, found: rows.Standard, target: str) -> None:
    """A pool is of use only to who may use its address scope."""
    if isinstance(found, rows.SubnetPool) and found.address_scope_id:
        scope = tx.get(rows.AddressScope, id=found.address_scope_id)
        if not (scope.shared or scope.project_id == target or queries.is_open_to(tx, scope.id, target)):
            raise invalid(f"Subnet pool {found.id} belongs to address scope {scope.id}, which {target} may not use.")


def _reflect(tx: Tx, policy: rows.RbacPolicy) -> None:
    """The object's own flags say what its policies add up to."""
    struct = STRUCTS[policy.object_type]
    found: Any = tx.find(struct, id=policy.object_id)
    if found is None:
        return
    if policy.action == EXTERNAL:
        external = tx.find(rows.RbacPolicy, object_id=found.id, action=policy.action) is not None
        queries.save(tx, found, external=external)
        changes.touch(tx, "network", found.id)
    elif hasattr(found, "shared"):
        open_to_all = tx.find(rows.RbacPolicy, object_id=found.id, action=policy.action, target_tenant=rows.EVERYBODY)
        queries.save(tx, found, shared=open_to_all is not None)


def update_policy(tx: Tx, policy: rows.RbacPolicy, target_tenant: str) -> rows.RbacPolicy:
    """Raises Conflict while the old target uses what it was given."""
    if target_tenant != policy.target_tenant:
        _refuse_in_use(tx, policy, target_tenant)
        tx.update(rows.RbacPolicy, policy.id, target_tenant=target_tenant)
        policy.target_tenant = target_tenant
        _reflect(tx, policy)
    return policy


def delete_policy(tx: Tx, policy: rows.RbacPolicy) -> None:
    """Raises Conflict while the target uses what it was given."""
    _refuse_in_use(tx, policy)
    tx.delete(rows.RbacPolicy, id=policy.id)
    _reflect(tx, policy)


def _refuse_in_use(tx: Tx, policy: rows.RbacPolicy, instead: str = "") -> None:
    found = tx.find(STRUCTS[policy.object_type], id=policy.object_id)
    if found is None:
        return
    why = ""
    if isinstance(found, rows.Network) and found.is_default and policy.action == EXTERNAL:
        why = "It is the default external network."
    else:
        try:
            refuse_closing(tx, policy.object_type, found, policy.action, policy.target_tenant, instead)
        except Conflict as error:
            why = error.message
    if why:
        raise Conflict(f"RBAC policy on object {found.id} cannot be removed because other objects depend on it. "
                       f"Details: {why}", kind="RbacPolicyInUse")  # fmt: skip
