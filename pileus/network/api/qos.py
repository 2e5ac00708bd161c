"""QoS policies and rules (Networking API, "Quality of Service")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.errors import NotFound
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, flag_clause, mark_shared, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.api.pools import visible
from pileus.network.resources.qos import DIRECTIONS, DSCP_MARKS, RULES, rule_view
from pileus.network.resources.qos import policy as POLICY
from pileus.network.service import lookup, qos
from pileus.network.store import queries

_policy = columns(rows.QosPolicy)
PARAMETERS = {
    "bandwidth_limit": [
        {"parameter_name": "max_kbps", "parameter_type": "range", "parameter_values": {"start": 0, "end": 2**31 - 1}},
        {"parameter_name": "max_burst_kbps", "parameter_type": "range", "parameter_values": {"start": 0, "end": 2**31 - 1}},
        {"parameter_name": "direction", "parameter_type": "choices", "parameter_values": list(DIRECTIONS)},
    ],
    "dscp_marking": [
        {"parameter_name": "dscp_mark", "parameter_type": "choices", "parameter_values": list(DSCP_MARKS)}
    ],
}  # fmt: skip


def policy(rq: Request, id: str) -> rows.QosPolicy:
    return constrained(rq, lookup.get_shareable(rq.tx, viewer(rq), rows.QosPolicy, id))


def dress(rq: Request, found: list[rows.QosPolicy]) -> None:
    mark_shared(rq, found)
    rules = qos.rules_of(rq.tx, found)
    for row in found:
        row.rules = rules[row.id]  # type: ignore[attr-defined]


def clauses(rq: Request) -> list[Clause]:
    opened = _policy.id.in_(queries.opened_to("qos_policy"))
    shared = flag_clause(rq, "shared", sa.or_(_policy.shared, opened), {"viewer": rq.ctx.project_id or ""})
    return [*visible(rq, rows.QosPolicy, "qos_policy"), *shared]


plain(
    POLICY,
    rows.QosPolicy,
    "/qos/policies",
    on=policy,
    make=lambda rq, values: qos.create_policy(rq.tx, owner(rq, values), **values),
    change=lambda rq, found, values: qos.update_policy(rq.tx, found, **values),
    delete=lambda rq, found: qos.delete_policy(rq.tx, found),
    clauses=clauses,
    dress=dress,
    also=["shared"],
    noun="QoS policy",
)


@api.get("/qos/rule-types", policy="get_rule_type", tx="")
def list_rule_types(rq: Request) -> dict[str, Any]:
    """List the kinds of rules that the network can hold to."""
    only = rq.query.all("type")
    return {"rule_types": [{"type": kind} for kind in RULES if not only or kind in only]}


@api.get("/qos/rule-types/{kind}", policy="get_rule_type", tx="")
def show_rule_type(rq: Request) -> dict[str, Any]:
    """Show what a kind of rule takes."""
    rq.authorize("get_rule_type:drivers")
    kind = rq.params["kind"]
    if kind not in RULES:
        raise NotFound(f"QoS rule type {kind[:60]} could not be found.", kind="QosRuleTypeNotFound")
    return {"rule_type": {"type": kind, "drivers": [{"name": "ovn", "supported_parameters": PARAMETERS[kind]}]}}


def _view(rq: Request, kind: str, rule: rows.QosRule) -> dict[str, Any]:
    body = rule_view(rule)
    del body["type"], body["qos_policy_id"]
    return body


def _routes(kind: str) -> None:
    """The routes of one kind of rule."""
    resource = RULES[kind]
    many, word = f"/qos/policies/{{id}}/{kind}_rules", f"policy_{kind}_rule"

    def on_rule(rq: Request, id: str, rule_id: str) -> rows.QosPolicy:
        return policy(rq, id)

    @api.get(many, policy=f"get_{word}", on=policy)
    def list_rules(rq: Request, found: rows.QosPolicy) -> dict[str, Any]:
        """List the rules of a kind of a QoS policy."""
        rules = [rule for rule in qos.rules_of(rq.tx, [found])[found.id] if rule.kind == kind]
        shown = [_view(rq, kind, rule) for rule in rules]
        names = [name for name in rq.query.names() if name in resource.fields]
        return {resource.plural: [r for r in shown if all(str(r[n]) in rq.query.all(n) for n in names)]}

    @api.post(many, policy=f"create_{word}", on=policy, status=201)
    def create_rule(rq: Request, found: rows.QosPolicy) -> dict[str, Any]:
        """Add a rule to a QoS policy."""
        values = resource.parse_create(rq)
        return {resource.name: _view(rq, kind, qos.create_rule(rq.tx, found, kind, **values))}

    @api.get(many + "/{rule_id}", policy=f"get_{word}", on=on_rule)
    def show_rule(rq: Request, found: rows.QosPolicy) -> dict[str, Any]:
        """Show a rule of a QoS policy."""
        return {resource.name: _view(rq, kind, qos.get_rule(rq.tx, found.id, kind, rq.params["rule_id"]))}

    @api.put(many + "/{rule_id}", policy=f"update_{word}", on=on_rule)
    def update_rule(rq: Request, found: rows.QosPolicy) -> dict[str, Any]:
        """Change a rule of a QoS policy."""
        rule = qos.get_rule(rq.tx, found.id, kind, rq.params["rule_id"])
        return {resource.name: _view(rq, kind, qos.update_rule(rq.tx, rule, **resource.parse_update(rq)))}

    @api.delete(many + "/{rule_id}", policy=f"delete_{word}", on=on_rule)
    def delete_rule(rq: Request, found: rows.QosPolicy) -> None:
        """Take a rule from a QoS policy."""
        qos.delete_rule(rq.tx, qos.get_rule(rq.tx, found.id, kind, rq.params["rule_id"]))

    def by_alias(rq: Request, rule_id: str) -> rows.QosPolicy:
        return policy(rq, qos.get_rule(rq.tx, "", kind, rule_id).qos_policy_id)

    alias = f"/qos/alias-{kind.replace('_', '-')}-rules/{{rule_id}}"
    api.get(alias, policy=f"get_{word}", on=by_alias)(show_rule)
    api.put(alias, policy=f"update_{word}", on=by_alias)(_renamed(update_rule, resource.name))
    api.delete(alias, policy=f"delete_{word}", on=by_alias)(delete_rule)


def _renamed(update: Any, name: str) -> Any:
    """The alias calls the rule `alias_...` in its body."""

    def update_by_alias(rq: Request, found: rows.QosPolicy) -> dict[str, Any]:
        if f"alias_{name}" in rq.json:
            rq.json[name] = rq.json.pop(f"alias_{name}")
        body: dict[str, Any] = update(rq, found)
        return body

    update_by_alias.__doc__ = update.__doc__
    return update_by_alias


for _kind in RULES:
    _routes(_kind)
