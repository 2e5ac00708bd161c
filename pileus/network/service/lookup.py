"""Finding a thing for somebody: what the caller may not see is not there."""

from typing import Any, NamedTuple, TypeVar

from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.network import rows
from pileus.network.store import queries

R = TypeVar("R", bound=rows.Standard)

# How this API calls things in its errors: (kind of the fault, words before the id)
WORDS: dict[type, tuple[str, str]] = {
    rows.Network: ("NetworkNotFound", "Network"),
    rows.Subnet: ("SubnetNotFound", "Subnet"),
    rows.Port: ("PortNotFound", "Port"),
    rows.Router: ("RouterNotFound", "Router"),
    rows.FloatingIP: ("FloatingIPNotFound", "Floating IP"),
    rows.SecurityGroup: ("SecurityGroupNotFound", "Security group"),
    rows.SecurityGroupRule: ("SecurityGroupRuleNotFound", "Security group rule"),
    rows.SubnetPool: ("SubnetPoolNotFound", "Subnet pool"),
    rows.AddressScope: ("AddressScopeNotFound", "Address scope"),
    rows.AddressGroup: ("AddressGroupNotFound", "Address group"),
    rows.QosPolicy: ("QosPolicyNotFound", "QoS policy"),
    rows.Trunk: ("TrunkNotFound", "Trunk"),
    rows.RbacPolicy: ("RbacPolicyNotFound", "RBAC policy of type network with ID"),
}


class Viewer(NamedTuple):
    """Who looks: a project, or the administrator, who sees all."""

    project_id: str | None
    admin: bool = False


def missing(struct: type, id: str) -> NotFound:
    kind, words = WORDS.get(struct, (f"{struct.__name__}NotFound", struct.__name__))
    return NotFound(f"{words} {id} could not be found.", kind=kind)


def _find(tx: Tx, struct: type[R], id: str) -> R:
    found = tx.find(struct, id=id)
    if found is None:
        raise missing(struct, id)
    return found


def get_network(tx: Tx, viewer: Viewer, id: str) -> rows.Network:
    """Own, shared with the viewer, or external. Its `shared` says whether it is for this viewer."""
    network = _find(tx, rows.Network, id)
    own = network.project_id == viewer.project_id
    if not network.shared and not own:
        network.shared = queries.is_open_to(tx, id, viewer.project_id)
    if viewer.admin or own or network.shared:
        return network
    if network.external and queries.is_open_to(tx, id, viewer.project_id, "access_as_external"):
        return network
    raise missing(rows.Network, id)


def get_subnet(tx: Tx, viewer: Viewer, id: str) -> rows.Subnet:
    """Own, of an own network, or of one that is shared with the viewer or external."""
    subnet = _find(tx, rows.Subnet, id)
    network = tx.get(rows.Network, id=subnet.network_id)
    subnet.external = network.external  # type: ignore[attr-defined]
    subnet.network_project_id = network.project_id  # type: ignore[attr-defined]
    if viewer.admin or viewer.project_id in (subnet.project_id, network.project_id):
        return subnet
    if network.shared or queries.is_open_to(tx, network.id, viewer.project_id):
        subnet.shared = True  # type: ignore[attr-defined]
        return subnet
    if network.external and queries.is_open_to(tx, network.id, viewer.project_id, "access_as_external"):
        return subnet
    raise missing(rows.Subnet, id)


def get_port(tx: Tx, viewer: Viewer, id: str) -> rows.Port:
    """Own, or on an own network."""
    port = _find(tx, rows.Port, id)
    if viewer.admin or port.project_id == viewer.project_id:
        return port
    network = tx.get(rows.Network, id=port.network_id)
    port.network_project_id = network.project_id  # type: ignore[attr-defined]
    if network.project_id == viewer.project_id:
        return port
    raise missing(rows.Port, id)


def get_shareable(tx: Tx, viewer: Viewer, struct: type[R], id: str) -> R:
    """Security groups, subnet pools and address scopes: own, or shared."""
    found: Any = _find(tx, struct, id)
    if found.project_id != viewer.project_id and not getattr(found, "shared", False):
        if queries.is_open_to(tx, id, viewer.project_id):
            found.shared = True
        elif not viewer.admin:
            raise missing(struct, id)
    return found  # type: ignore[no-any-return]


def get_own(tx: Tx, viewer: Viewer, struct: type[R], id: str) -> R:
    """Routers, floating IPs, rules (also others' in own groups): nobody else's."""
    found = _find(tx, struct, id)
    if isinstance(found, rows.SecurityGroupRule):
        group = tx.get(rows.SecurityGroup, id=found.security_group_id)
        if group.project_id == viewer.project_id:
            return found
    if viewer.admin or found.project_id == viewer.project_id:
        return found
    raise missing(struct, id)
