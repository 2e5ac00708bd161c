"""Policy documents and what they are for (Identity API v3, "Policies", "OS-ENDPOINT-POLICY")."""

from typing import Any

from pileus.core.fields import REQUIRED, Text
from pileus.core.wire import Request
from pileus.identity.api.base import Target, api, many, one, viewer
from pileus.identity.api.plain import plain
from pileus.identity.catalog import entries, policies
from pileus.identity.resources import ENDPOINT, Blob, Entity
from pileus.identity.store import Endpoint, PolicyDocument

POLICY = Entity(
    "policy",
    [
        Text("type", create=REQUIRED, update=True, min=1, max=255, filter=True),
        Blob("blob", create=REQUIRED, update=True, max=1 << 20),
    ],
    plural="policies",
)
policy = plain(POLICY, PolicyDocument, get=policies.get_policy)
Association = tuple[PolicyDocument, policies.Place]


def association(rq: Request, policy_id: str, *_: str) -> Target[Association]:
    """A policy and what it is for, all of which must be there."""
    found, params = policies.get_policy(rq.tx, policy_id), rq.params
    named = {name: params[name] for name in ("endpoint_id", "service_id", "region_id") if name in params}
    for name, get in (
        ("endpoint_id", entries.get_endpoint),
        ("service_id", entries.get_service),
        ("region_id", entries.get_region),
    ):
        if name in named:
            get(rq.tx, named[name])
    return Target((found, policies.place(**named)))


def create_association(rq: Request, found: Target[Association]) -> None:
    """Let a policy be for an endpoint, a service, or a service in a region."""
    policies.associate(rq.tx, *found.row)


def check_association(rq: Request, found: Target[Association]) -> None:
    """Check that a policy is for this."""
    policies.get_association(rq.tx, *found.row)


def delete_association(rq: Request, found: Target[Association]) -> None:
    """Let a policy be for this no more."""
    policies.dissociate(rq.tx, *found.row)


for _path, _for in (
    ("endpoints/{endpoint_id}", "endpoint"),
    ("services/{service_id}", "service"),
    ("services/{service_id}/regions/{region_id}", "region_and_service"),
):
    _path, _rule = f"/v3/policies/{{policy_id}}/OS-ENDPOINT-POLICY/{_path}", f"policy_association_for_{_for}"
    api.put(_path, policy=f"identity:create_{_rule}", on=association, status=204)(create_association)
    api.get(_path, policy=f"identity:check_{_rule}", on=association, status=204)(check_association)
    api.delete(_path, policy=f"identity:delete_{_rule}", on=association)(delete_association)


@api.get(
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints", policy="identity:list_endpoints_for_policy", on=policy
)
def list_endpoints(rq: Request, found: Target[PolicyDocument]) -> dict[str, Any]:
    """List the endpoints that a policy is for."""
    view = viewer(rq, ENDPOINT)
    return many(rq, "endpoints", [view(row) for row in policies.endpoints_of(rq.tx, found.row)])


def endpoint(rq: Request, endpoint_id: str) -> Target[Endpoint]:
    return Target(entries.get_endpoint(rq.tx, endpoint_id))


@api.get(
    "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy", policy="identity:get_policy_for_endpoint", on=endpoint
)
def show_policy(rq: Request, found: Target[Endpoint]) -> dict[str, Any]:
    """Show the policy that an endpoint shall use."""
    return one(rq, POLICY, policies.policy_of(rq.tx, found.row))
