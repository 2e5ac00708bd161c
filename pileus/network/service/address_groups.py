"""Address groups: what is in them, and who relies on them."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import quotas
from pileus.network.service.lookup import Viewer, get_shareable
from pileus.network.store import changes, queries

MAX_ADDRESSES = 10_000


def create_group(tx: Tx, project_id: str, addresses: list[str], **values: Any) -> rows.AddressGroup:
    """Raises OverQuota, BadRequest for too many addresses."""
    quotas.spend(tx, project_id, "address_group")
    group = rows.AddressGroup(id=clock.new_id(), project_id=project_id, addresses=_checked(addresses), **values)
    tx.insert(queries.stamped(group))
    if group.shared:
        tx.insert(
            rows.RbacPolicy(clock.new_id(), project_id, "address_group", group.id, "access_as_shared", rows.EVERYBODY)
        )
    changes.touch(tx, "address_group", group.id)
    return group


def _checked(addresses: list[str]) -> list[str]:
    addresses = list(dict.fromkeys(addresses))
    if len(addresses) > MAX_ADDRESSES:
        raise BadRequest(f"An address group has at most {MAX_ADDRESSES} addresses.", kind="InvalidInput")
    return addresses


def check_group(tx: Tx, viewer: Viewer, group_id: str | None) -> None:
    """Raises NotFound for a group that the viewer may not use."""
    if group_id:
        get_shareable(tx, viewer, rows.AddressGroup, group_id)


def update_group(tx: Tx, group: rows.AddressGroup, **values: Any) -> rows.AddressGroup:
    return queries.save(tx, tx.get(rows.AddressGroup, id=group.id), **values)


def add_addresses(tx: Tx, group: rows.AddressGroup, addresses: list[str]) -> rows.AddressGroup:
    """Raises BadRequest for those that it has."""
    stored = tx.get(rows.AddressGroup, id=group.id)
    known = [address for address in addresses if address in stored.addresses]
    if known:
        raise BadRequest(f"Addresses {', '.join(known)} already exist in the address group {group.id}.",
                         kind="AddressesAlreadyExist")  # fmt: skip
    return _set(tx, stored, [*stored.addresses, *addresses])


def remove_addresses(tx: Tx, group: rows.AddressGroup, addresses: list[str]) -> rows.AddressGroup:
    """Raises NotFound for those that it has not."""
    stored = tx.get(rows.AddressGroup, id=group.id)
    unknown = [address for address in addresses if address not in stored.addresses]
    if unknown:
        raise NotFound(f"Addresses {', '.join(unknown)} not found in the address group {group.id}.",
                       kind="AddressesNotFound")  # fmt: skip
    return _set(tx, stored, [address for address in stored.addresses if address not in addresses])


def _set(tx: Tx, group: rows.AddressGroup, addresses: list[str]) -> rows.AddressGroup:
    queries.save(tx, group, addresses=_checked(addresses))
    changes.touch(tx, "address_group", group.id)
    return group


def delete_group(tx: Tx, group: rows.AddressGroup) -> None:
    """Raises Conflict while rules name it."""
    for struct in (rows.SecurityGroupRule, rows.DefaultRule):
        user: Any = tx.find(struct, remote_address_group_id=group.id)
        if user is not None:
            raise Conflict(f"Address group {group.id} is in use on one or more security group rules.",
                           kind="AddressGroupInUse")  # fmt: skip
    queries.drop_row(tx, group)
    changes.touch(tx, "address_group", group.id)
