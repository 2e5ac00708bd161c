"""Address groups (Networking API, "Address Groups")."""

from typing import Any

from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, constrained, mark_shared, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.api.pools import visible
from pileus.network.resources.address_groups import ADDRESSES, LEAVING
from pileus.network.resources.address_groups import address_group as GROUP
from pileus.network.service import address_groups, lookup


def address_group(rq: Request, id: str) -> rows.AddressGroup:
    """To look at: one's own and those opened to one; to change: one's own."""
    find = lookup.get_shareable if rq.method in ("GET", "HEAD") else lookup.get_own
    return constrained(rq, find(rq.tx, viewer(rq), rows.AddressGroup, id))


render = plain(
    GROUP,
    rows.AddressGroup,
    "/address-groups",
    on=address_group,
    make=lambda rq, values: address_groups.create_group(rq.tx, owner(rq, values), **values),
    change=lambda rq, found, values: address_groups.update_group(rq.tx, found, **values),
    delete=lambda rq, found: address_groups.delete_group(rq.tx, found),
    clauses=lambda rq: visible(rq, rows.AddressGroup, "address_group"),
    dress=mark_shared,
)


@api.put("/address-groups/{id}/add_addresses", policy="update_address_group", on=address_group)
def add_addresses(rq: Request, found: rows.AddressGroup) -> dict[str, Any]:
    """Add addresses to an address group."""
    return render(rq, address_groups.add_addresses(rq.tx, found, ADDRESSES.check(rq.json.get("addresses"))))


@api.put("/address-groups/{id}/remove_addresses", policy="update_address_group", on=address_group)
def remove_addresses(rq: Request, found: rows.AddressGroup) -> dict[str, Any]:
    """Take addresses from an address group."""
    return render(rq, address_groups.remove_addresses(rq.tx, found, LEAVING.check(rq.json.get("addresses"))))
