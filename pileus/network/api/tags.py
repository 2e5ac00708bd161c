"""Tags of every kind of resource (Networking API, "Standard Attributes Tag Extension")."""

from collections.abc import Callable
from typing import Any

from pileus.core.errors import NotFound
from pileus.core.fields import Items
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api import (
    address_groups,
    floating_ips,
    networks,
    pools,
    ports,
    qos,
    routers,
    security_groups,
    subnets,
    trunks,
)
from pileus.network.api.base import api
from pileus.network.resources.standard import TAG
from pileus.network.store import queries

LIST = Items("tags", of=TAG)
# The path, the word in rules, and how one is looked up.
TAGGED: dict[str, tuple[str, Callable[[Request, str], Any]]] = {
    "networks": ("networks", networks.network),
    "subnets": ("subnets", subnets.subnet),
    "ports": ("ports", ports.port),
    "routers": ("routers", routers.router),
    "floatingips": ("floatingips", floating_ips.floating_ip),
    "security-groups": ("security_groups", security_groups.group),
    "security-group-rules": ("security_group_rules", security_groups.rule),
    "policies": ("policies", qos.policy),
    "qos/policies": ("policies", qos.policy),
    "trunks": ("trunks", trunks.trunk),
    "subnetpools": ("subnetpools", pools.pool),
    "address-groups": ("address_groups", address_groups.address_group),
    "address-scopes": ("address_scopes", pools.scope),
}


def _stored(rq: Request, found: rows.Standard) -> rows.Standard:
    """The row itself: what was looked up may show some columns as its viewer sees them."""
    return rq.tx.get(type(found), id=found.id)


def _missing(rq: Request, found: rows.Standard) -> NotFound:
    return NotFound(f"Tag {rq.params['tag'][:60]} could not be found on {found.id}.", kind="TagNotFound")


def list_tags(rq: Request, found: rows.Standard) -> dict[str, Any]:
    """List a resource's tags."""
    return {"tags": found.tags}


def replace_tags(rq: Request, found: rows.Standard) -> dict[str, Any]:
    """Replace a resource's tags."""
    tags = LIST.check(rq.json.get("tags"))
    queries.write_tags(rq.tx, _stored(rq, found), tags)
    return {"tags": list(dict.fromkeys(tags))}


def add_tags(rq: Request, found: rows.Standard) -> dict[str, Any]:
    """Add tags to a resource."""
    tags = [*found.tags, *LIST.check(rq.json.get("tags"))]
    queries.write_tags(rq.tx, _stored(rq, found), tags)
    return {"tags": list(dict.fromkeys(tags))}


def delete_tags(rq: Request, found: rows.Standard) -> None:
    """Remove all tags of a resource."""
    queries.write_tags(rq.tx, _stored(rq, found), [])


def show_tag(rq: Request, found: rows.Standard) -> None:
    """Confirm that a resource has a tag."""
    if rq.params["tag"] not in found.tags:
        raise _missing(rq, found)


def add_tag(rq: Request, found: rows.Standard) -> None:
    """Add a tag to a resource."""
    tag = TAG.check(rq.params["tag"])
    if tag not in found.tags:
        queries.write_tags(rq.tx, _stored(rq, found), [*found.tags, tag])


def delete_tag(rq: Request, found: rows.Standard) -> None:
    """Remove a tag of a resource."""
    if rq.params["tag"] not in found.tags:
        raise _missing(rq, found)
    queries.write_tags(rq.tx, _stored(rq, found), [tag for tag in found.tags if tag != rq.params["tag"]])


def _lookup(look: Callable[[Request, str], Any]) -> Callable[..., Any]:
    return lambda rq, id, tag="": look(rq, id)


for _path, (_word, _look) in TAGGED.items():
    _on = _lookup(_look)
    _many, _one = f"/{_path}/{{id}}/tags", f"/{_path}/{{id}}/tags/{{tag}}"
    api.get(_many, policy=f"get_{_word}:tags", on=_on)(list_tags)
    api.put(_many, policy=f"update_{_word}:tags", on=_on)(replace_tags)
    api.post(_many, policy=f"create_{_word}:tags", on=_on)(add_tags)
    api.delete(_many, policy=f"delete_{_word}:tags", on=_on)(delete_tags)
    api.get(_one, policy=f"get_{_word}:tags", on=_on, status=204)(show_tag)
    api.put(_one, policy=f"update_{_word}:tags", on=_on, status=201)(add_tag)
    api.delete(_one, policy=f"delete_{_word}:tags", on=_on)(delete_tag)
