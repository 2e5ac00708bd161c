"""Quality of service: policies, of which a port has its own or its network's, and their rules."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.network import rows
from pileus.network.service.lookup import Viewer, get_shareable
from pileus.network.service.sharing import SHARED, refuse_closing
from pileus.network.store import changes, queries


def check_policy(tx: Tx, viewer: Viewer, policy_id: str | None) -> None:
    """Raises NotFound for a policy that the viewer may not use."""
    if policy_id:
        get_shareable(tx, viewer, rows.QosPolicy, policy_id)


def check_change(tx: Tx, viewer: Viewer, held: str | None, values: dict[str, Any]) -> None:
    """For an update of what holds a policy. Raises NotFound as above, Forbidden where the held one is not the viewer's."""
    if held and values.get("qos_policy_id", held) != held:
        try:
            check_policy(tx, viewer, held)
        except NotFound:
            raise Forbidden(
                f"The QoS policy {held} was put here by others and can be taken away by them only.",
                kind="PolicyRemoveAuthorizationError",
            ) from None
    check_policy(tx, viewer, values.get("qos_policy_id"))


def default_policy(tx: Tx, project_id: str) -> str | None:
    """What networks of a project get that name none."""
    found = tx.find(rows.QosPolicy, project_id=project_id, is_default=True)
    return found.id if found else None


def create_policy(tx: Tx, project_id: str, **values: Any) -> rows.QosPolicy:
    policy = rows.QosPolicy(id=clock.new_id(), project_id=project_id, **values)
    _check_default(tx, policy)
    tx.insert(queries.stamped(policy))
    _reflect(tx, policy, policy.shared)
    return policy


def _check_default(tx: Tx, policy: rows.QosPolicy) -> None:
    if policy.is_default:
        other = tx.find(rows.QosPolicy, project_id=policy.project_id, is_default=True)
        if other is not None and other.id != policy.id:
            raise Conflict(
                f"A default QoS policy exists for project {policy.project_id}: {other.id}.",
                kind="QoSPolicyDefaultAlreadyExists",
            )


def _reflect(tx: Tx, policy: rows.QosPolicy, shared: bool) -> None:
    """Sharing with everybody is an RBAC policy too."""
    known = {"object_id": policy.id, "action": SHARED, "target_tenant": rows.EVERYBODY}
    if not shared:
        tx.delete(rows.RbacPolicy, **known)
    elif not tx.find(rows.RbacPolicy, **known):
        tx.insert(rows.RbacPolicy(clock.new_id(), policy.project_id, "qos_policy", policy.id, SHARED, rows.EVERYBODY))


def update_policy(tx: Tx, policy: rows.QosPolicy, **values: Any) -> rows.QosPolicy:
    """Raises Conflict while others use what would be closed to them."""
    stored = tx.get(rows.QosPolicy, id=policy.id)
    if "shared" in values:
        if stored.shared and not values["shared"]:
            refuse_closing(tx, "qos_policy", stored, SHARED, rows.EVERYBODY)
        _reflect(tx, stored, values["shared"])
    for name, value in values.items():
        setattr(stored, name, value)
    _check_default(tx, stored)
    return queries.save(tx, stored, **values)


def delete_policy(tx: Tx, policy: rows.QosPolicy) -> None:
    """Raises Conflict while it is in use."""
    for struct, word in ((rows.Port, "port"), (rows.Network, "network"), (rows.FloatingIP, "floating IP")):
        user = tx.find(struct, qos_policy_id=policy.id)
        if user is not None:
            raise Conflict(f"QoS Policy {policy.id} is used by {word} {user.id}.", kind="QosPolicyInUse")
    queries.drop_row(tx, policy)


def rules_of(tx: Tx, policies: list[rows.QosPolicy]) -> dict[str, list[rows.QosRule]]:
    """Rules by policy."""
    found: dict[str, list[rows.QosRule]] = {policy.id: [] for policy in policies}
    for rule in queries.select_in(tx, rows.QosRule, "qos_policy_id", found):
        found[rule.qos_policy_id].append(rule)
    return found


def get_rule(tx: Tx, policy_id: str, kind: str, id: str) -> rows.QosRule:
    """Raises NotFound."""
    found = tx.find(rows.QosRule, id=id, kind=kind)
    if found is None or (policy_id and found.qos_policy_id != policy_id):
        raise NotFound(f"QoS rule {id} for policy {policy_id} could not be found.", kind="QosRuleNotFound")
    return found


def create_rule(tx: Tx, policy: rows.QosPolicy, kind: str, **values: Any) -> rows.QosRule:
    """One of each kind and direction. Raises Conflict, BadRequest."""
    rule = rows.QosRule(id=clock.new_id(), qos_policy_id=policy.id, kind=kind, **values)
    _check(tx, rule)
    tx.insert(rule)
    _changed(tx, policy.id)
    return rule


def _check(tx: Tx, rule: rows.QosRule) -> None:
    if rule.kind == "bandwidth_limit" and not rule.max_kbps and rule.max_burst_kbps:
        raise BadRequest("Invalid input for max_kbps: a burst needs a limit.", kind="InvalidInput")
    for other in tx.select(rows.QosRule, qos_policy_id=rule.qos_policy_id, kind=rule.kind, direction=rule.direction):
        if other.id != rule.id:
            raise Conflict(
                f"Rule {rule.kind} conflicts with rule {other.id} which already exists in QoS Policy {rule.qos_policy_id}.",
                kind="QoSRulesConflict",
            )


def update_rule(tx: Tx, rule: rows.QosRule, **values: Any) -> rows.QosRule:
    for name, value in values.items():
        setattr(rule, name, value)
    _check(tx, rule)
    tx.update(rows.QosRule, rule.id, **values)
    _changed(tx, rule.qos_policy_id)
    return rule


def delete_rule(tx: Tx, rule: rows.QosRule) -> None:
    tx.delete(rows.QosRule, id=rule.id)
    _changed(tx, rule.qos_policy_id)


def _changed(tx: Tx, policy_id: str) -> None:
    """All ports that the policy is for."""
    queries.bump(tx, rows.QosPolicy, policy_id)
    changes.touch(tx, "port", *(port.id for port in tx.select(rows.Port, qos_policy_id=policy_id)))
    changes.touch(tx, "floatingip", *(each.id for each in tx.select(rows.FloatingIP, qos_policy_id=policy_id)))
    for network in tx.select(rows.Network, qos_policy_id=policy_id):
        changes.touch(tx, "port", *(port.id for port in tx.select(rows.Port, network_id=network.id)))
