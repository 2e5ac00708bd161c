"""What new security groups begin with: a template that administrators may change."""

import uuid
from typing import Any

from pileus.core import clock
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Conflict, Duplicate, NotFound
from pileus.network import rows
from pileus.network.service import security_groups
from pileus.network.service.lookup import Viewer
from pileus.network.service.security_groups import PARENT
from pileus.network.store import queries

_OUT = {"direction": "egress", "description": "Legacy default SG rule for egress traffic", "used_in_default_sg": True}
_IN = {"direction": "ingress", "description": "Legacy default SG rule for ingress traffic", "used_in_default_sg": True,
       "used_in_non_default_sg": False, "remote_group_id": PARENT}  # fmt: skip
USUAL: list[dict[str, Any]] = [{**kind, "ethertype": version} for kind in (_OUT, _IN) for version in ("IPv4", "IPv6")]


def ensure_usual_rules(db: Database) -> None:
    """Once in a cloud's life: later its administrators decide."""
    with db.read() as tx:
        if tx.count(rows.DefaultRule):
            return
    try:
        with db.write() as tx:
            tx.insert_many(queries.stamped(_usual(number, values)) for number, values in enumerate(USUAL))
    except Duplicate:  # another controller was faster
        return


def _usual(number: int, values: dict[str, Any]) -> rows.DefaultRule:
    return rows.DefaultRule(id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"default security group rule {number}")), **values)


def get_rule(tx: Tx, id: str) -> rows.DefaultRule:
    found = tx.find(rows.DefaultRule, id=id, removed=False)
    if found is None:
        raise NotFound(f"Default security group rule {id[:60]} does not exist", kind="DefaultSecurityGroupRuleNotFound")
    return found


def create_rule(tx: Tx, viewer: Viewer, **values: Any) -> rows.DefaultRule:
    """Raises BadRequest, NotFound (an address group or group), Conflict (such a rule exists)."""
    remote = values.get("remote_group_id")
    if remote and remote != PARENT and tx.find(rows.SecurityGroup, id=remote) is None:
        raise NotFound(f"Security group {remote} does not exist", kind="SecurityGroupNotFound")
    if not values["used_in_default_sg"] and not values["used_in_non_default_sg"]:
        raise BadRequest(
            "Invalid input for used_in_non_default_sg: a rule must be for default groups or for others.",
            kind="InvalidInput",
        )
    security_groups.check_rule(tx, viewer, values)
    for other in tx.select(rows.DefaultRule, removed=False):
        both = (other.used_in_default_sg and values["used_in_default_sg"]) or (
            other.used_in_non_default_sg and values["used_in_non_default_sg"]
        )
        if both and security_groups.says(other) == security_groups.says_values(values):
            raise Conflict(f"Default security group rule already exists. Rule id is {other.id}.",
                           kind="DefaultSecurityGroupRuleExists")  # fmt: skip
    rule = queries.stamped(rows.DefaultRule(id=clock.new_id(), **values))
    tx.insert(rule)
    return rule


def delete_rule(tx: Tx, rule: rows.DefaultRule) -> None:
    """The usual ones leave a mark, so that they do not come back."""
    if rule.id in {_usual(number, values).id for number, values in enumerate(USUAL)}:
        queries.save(tx, rule, removed=True)
    else:
        queries.drop_row(tx, rule)
