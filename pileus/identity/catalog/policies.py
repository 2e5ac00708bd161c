"""Policy documents kept here for other services, and which endpoints shall use which.

An endpoint's is the one named for it; else the one for its service in its region, or in the nearest region above; else the
one for its service.
"""

from collections.abc import Iterator

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.identity.store import Endpoint, PolicyAssociation, PolicyDocument, Region


def get_policy(tx: Tx, policy_id: str) -> PolicyDocument:
    """Raises NotFound."""
    found = tx.find(PolicyDocument, id=policy_id)
    if found is None:
        raise NotFound(f"Could not find policy: {policy_id}.")
    return found


Place = dict[str, str | None]


def place(endpoint_id: str | None = None, service_id: str | None = None, region_id: str | None = None) -> Place:
    """What a policy is for: an endpoint, or a service everywhere or in one region."""
    return {"endpoint_id": endpoint_id, "service_id": service_id, "region_id": region_id}


def associate(tx: Tx, policy: PolicyDocument, where: Place) -> None:
    """In place of any policy that was for this before."""
    tx.delete(PolicyAssociation, **where)
    tx.insert(PolicyAssociation(clock.new_hex_id(), policy.id, **where))


def get_association(tx: Tx, policy: PolicyDocument, where: Place) -> PolicyAssociation:
    """Raises NotFound."""
    found = tx.find(PolicyAssociation, policy_id=policy.id, **where)
    if found is None:
        raise NotFound(f"Could not find the policy association: policy {policy.id} is not for this.")
    return found


def dissociate(tx: Tx, policy: PolicyDocument, where: Place) -> None:
    """Raises NotFound."""
    tx.delete(PolicyAssociation, id=get_association(tx, policy, where).id)


def endpoints_of(tx: Tx, policy: PolicyDocument) -> list[Endpoint]:
    """The endpoints that its associations name; a region's stand for those below it too."""
    rows = tx.select(PolicyAssociation, policy_id=policy.id)
    if not rows:
        return []
    above = {region.id: region.parent_region_id for region in tx.select(Region)}
    found = []
    for endpoint in tx.select(Endpoint, order="id"):
        regions = {None, *_upwards(endpoint.region_id, above)}
        if any(
            row.endpoint_id == endpoint.id or (row.service_id == endpoint.service_id and row.region_id in regions)
            for row in rows
        ):
            found.append(endpoint)
    return found


def _upwards(region_id: str | None, above: dict[str, str | None]) -> Iterator[str]:
    while region_id is not None:
        yield region_id
        region_id = above.get(region_id)


def policy_of(tx: Tx, endpoint: Endpoint) -> PolicyDocument:
    """The policy an endpoint shall use. Raises NotFound."""
    above = {region.id: region.parent_region_id for region in tx.select(Region)}
    places = [place(endpoint_id=endpoint.id)]
    places += [
        place(service_id=endpoint.service_id, region_id=region_id) for region_id in _upwards(endpoint.region_id, above)
    ]
    places.append(place(service_id=endpoint.service_id))
    for where in places:
        found = tx.find(PolicyAssociation, **where)
        if found is not None:
            return get_policy(tx, found.policy_id)
    raise NotFound(f"No policy is associated with endpoint {endpoint.id}.")
