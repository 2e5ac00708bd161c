"""Subnet pools, from which subnets' prefixes are cut, and the address scopes they belong to."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.network import rows
from pileus.network.service import quotas
from pileus.network.service.lookup import Viewer, get_shareable
from pileus.network.service.networks import invalid
from pileus.network.store import queries

SHORTEST = {4: 8, 6: 64}  # default of min_prefixlen
LONGEST = {4: 32, 6: 128}


def create_pool(tx: Tx, viewer: Viewer, project_id: str, **values: Any) -> rows.SubnetPool:
    """Raises OverQuota, BadRequest, NotFound (the address scope), Conflict."""
    quotas.spend(tx, project_id, "subnetpool")
    pool = rows.SubnetPool(id=clock.new_id(), project_id=project_id)
    version, pool.prefixes = _prefixes(values.pop("prefixes"))
    pool.ip_version = version
    for name in ("min_prefixlen", "max_prefixlen", "default_prefixlen"):
        values[name] = values.get(name)
    pool.min_prefixlen = SHORTEST[version] if values["min_prefixlen"] is None else values["min_prefixlen"]
    pool.max_prefixlen = LONGEST[version] if values["max_prefixlen"] is None else values["max_prefixlen"]
    pool.default_prefixlen = pool.min_prefixlen if values["default_prefixlen"] is None else values["default_prefixlen"]
    for name in ("min_prefixlen", "max_prefixlen", "default_prefixlen"):
        values.pop(name)
    for name, value in values.items():
        setattr(pool, name, value)
    _check_lengths(pool)
    _check_scope(tx, viewer, pool)
    _check_default(tx, pool)
    tx.insert(queries.stamped(pool))
    return pool


def _prefixes(given: list[str]) -> tuple[int, list[str]]:
    if not given:
        raise invalid("Unspecified or empty list of prefixes for the subnet pool.")
    nets = [ipaddress.ip_network(prefix) for prefix in given]
    if len({net.version for net in nets}) > 1:
        raise BadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", kind="PrefixVersionMismatch")
    version = nets[0].version
    merged = ipaddress.collapse_addresses(nets)  # type: ignore[type-var]
    return version, [str(net) for net in merged]


def _check_lengths(pool: rows.SubnetPool) -> None:
    longest = LONGEST[pool.ip_version]
    for name in ("min_prefixlen", "max_prefixlen", "default_prefixlen"):
        if not 0 <= getattr(pool, name) <= longest:
            raise BadRequest(f"Unallowed prefix length {getattr(pool, name)} for {name}.", kind="InvalidPrefixLength")
    if pool.min_prefixlen > pool.max_prefixlen:
        raise BadRequest(f"Illegal prefix bounds: min_prefixlen={pool.min_prefixlen}, max_prefixlen={pool.max_prefixlen}.",
                         kind="IllegalSubnetPoolPrefixBounds")  # fmt: skip
    if not pool.min_prefixlen <= pool.default_prefixlen <= pool.max_prefixlen:
        raise BadRequest(
            f"Illegal prefix bounds: default_prefixlen={pool.default_prefixlen} is not between "
            f"{pool.min_prefixlen} and {pool.max_prefixlen}.",
            kind="IllegalSubnetPoolPrefixBounds",
        )


def _check_scope_is_own(tx: Tx, viewer: Viewer, pool: rows.SubnetPool) -> None:
    """Who was lent a scope may take a pool from it; what the pool covers there is for the scope's owner to say."""
    scope = tx.find(rows.AddressScope, id=pool.address_scope_id) if pool.address_scope_id else None
    if scope is not None and not viewer.admin and scope.project_id != viewer.project_id:
        raise BadRequest(
            f"Illegal subnetpool association: subnetpool {pool.id} cannot be associated with address scope {scope.id}.",
            kind="IllegalSubnetPoolAssociationToAddressScope",
        )


def _check_scope(tx: Tx, viewer: Viewer, pool: rows.SubnetPool) -> None:
    if not pool.address_scope_id:
        return
    scope = get_shareable(tx, viewer, rows.AddressScope, pool.address_scope_id)
    if scope.ip_version != pool.ip_version:
        raise BadRequest(f"Illegal subnetpool association: subnetpool {pool.id} cannot associate with address scope "
                         f"{scope.id} because subnetpool ip_version is not {scope.ip_version}.",
                         kind="IllegalSubnetPoolIpVersionAssociationToAddressScope")  # fmt: skip
    for other in tx.select(rows.SubnetPool, address_scope_id=scope.id):
        if other.id != pool.id and _overlap(other.prefixes, pool.prefixes):
            raise Conflict(f"Subnet pool {pool.id} overlaps with {other.id} of address scope {scope.id}.",
                           kind="AddressScopePrefixConflict")  # fmt: skip


def _overlap(one: list[str], other: list[str]) -> bool:
    return any(ipaddress.ip_network(a).overlaps(ipaddress.ip_network(b)) for a in one for b in other)


def _check_default(tx: Tx, pool: rows.SubnetPool) -> None:
    if pool.is_default:
        other = tx.find(rows.SubnetPool, is_default=True, ip_version=pool.ip_version)
        if other is not None and other.id != pool.id:
            raise invalid(f"A default subnetpool for this IP family has already been set: {other.id}.")


def update_pool(tx: Tx, viewer: Viewer, pool: rows.SubnetPool, **values: Any) -> rows.SubnetPool:
    """Prefixes may be added, never taken away. Raises BadRequest, Conflict."""
    pool = tx.get(rows.SubnetPool, id=pool.id)
    if "prefixes" in values:
        version, merged = _prefixes([*values["prefixes"]])
        if version != pool.ip_version:
            raise BadRequest("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", kind="PrefixVersionMismatch")
        for prefix in pool.prefixes:
            if not any(ipaddress.ip_network(prefix).subnet_of(ipaddress.ip_network(net)) for net in merged):  # type: ignore[arg-type]
                raise BadRequest(
                    f"Illegal update to prefixes: {prefix} is not in {merged}.", kind="IllegalSubnetPoolUpdate"
                )
        values["prefixes"] = merged
    values = {name: value for name, value in values.items() if not (name.endswith("prefixlen") and value is None)}
    for name, value in values.items():
        setattr(pool, name, value)
    _check_lengths(pool)
    if "address_scope_id" in values or "prefixes" in values:
        _check_scope(tx, viewer, pool)
        _check_scope_is_own(tx, viewer, pool)
    _check_default(tx, pool)
    return queries.save(tx, pool, **values)


def add_prefixes(tx: Tx, viewer: Viewer, pool: rows.SubnetPool, prefixes: list[str]) -> rows.SubnetPool:
    """Raises BadRequest, Conflict."""
    return update_pool(tx, viewer, pool, prefixes=[*pool.prefixes, *prefixes])


def remove_prefixes(tx: Tx, pool: rows.SubnetPool, prefixes: list[str]) -> rows.SubnetPool:
    """Raises Conflict while subnets were cut from them."""
    pool = tx.get(rows.SubnetPool, id=pool.id)
    going: list[Any] = [ipaddress.ip_network(prefix) for prefix in prefixes]
    for subnet in tx.select(rows.Subnet, subnetpool_id=pool.id):
        if any(ipaddress.ip_network(subnet.cidr).overlaps(net) for net in going):
            raise Conflict(
                f"Illegal prefix removal: subnet {subnet.id} was allocated from it.",
                kind="IllegalSubnetPoolPrefixRemoval",
            )
    left: list[Any] = [ipaddress.ip_network(prefix) for prefix in pool.prefixes]
    for net in going:
        left = [part for kept in left for part in _without(kept, net)]
    if not left:
        raise invalid("A subnet pool must keep a prefix.")
    return queries.save(tx, pool, prefixes=[str(net) for net in ipaddress.collapse_addresses(left)])


def _without(kept: Any, net: Any) -> list[Any]:
    if kept.version != net.version or not kept.overlaps(net):
        return [kept]
    return [] if kept.subnet_of(net) else list(kept.address_exclude(net))


def delete_pool(tx: Tx, pool: rows.SubnetPool) -> None:
    if tx.find(rows.Subnet, subnetpool_id=pool.id) is not None:
        raise Conflict(f"Unable to delete subnet pool: {pool.id}: Subnet pool has existing allocations.",
                       kind="SubnetPoolDeleteError")  # fmt: skip
    queries.drop_row(tx, pool)


def choose_prefix(tx: Tx, viewer: Viewer, values: dict[str, Any]) -> str:
    """The CIDR of a new subnet, from `subnetpool_id` with `cidr` or `prefixlen`. Raises BadRequest, NotFound, Conflict."""
    pool = get_shareable(tx, viewer, rows.SubnetPool, values["subnetpool_id"])
    if values.get("ip_version") not in (None, pool.ip_version):
        raise BadRequest(f"Cannot allocate IPv{values['ip_version']} subnet from IPv{pool.ip_version} subnet pool.",
                         kind="BadRequest")  # fmt: skip
    taken = [ipaddress.ip_network(row.cidr) for row in tx.select(rows.Subnet, subnetpool_id=pool.id)]
    if values.get("cidr"):
        wanted: Any = ipaddress.ip_network(values["cidr"])
        inside = any(
            wanted.version == pool.ip_version and wanted.subnet_of(ipaddress.ip_network(p)) for p in pool.prefixes
        )
        if not inside or any(wanted.overlaps(net) for net in taken):
            raise BadRequest(f"Failed to allocate subnet: Cannot allocate requested subnet from the available set of "
                             f"prefixes of pool {pool.id}.", kind="SubnetAllocationError")  # fmt: skip
        length = wanted.prefixlen
    else:
        length = pool.default_prefixlen if values.get("prefixlen") is None else values["prefixlen"]
        wanted = None
    if length < pool.min_prefixlen:
        raise BadRequest(f"Unable to allocate subnet with prefix length {length}, minimum allowed prefix is "
                         f"{pool.min_prefixlen}.", kind="MinPrefixSubnetAllocationError")  # fmt: skip
    if length > pool.max_prefixlen:
        raise BadRequest(f"Unable to allocate subnet with prefix length {length}, maximum allowed prefix is "
                         f"{pool.max_prefixlen}.", kind="MaxPrefixSubnetAllocationError")  # fmt: skip
    chosen = wanted or _first_free(pool, length, taken)
    _check_pool_quota(tx, pool, viewer.project_id or "", chosen)
    return str(chosen)


def _first_free(pool: rows.SubnetPool, length: int, taken: list[Any]) -> Any:
    """Steps over what is taken, so the search costs as much as there are subnets, not as there are addresses."""
    for prefix in pool.prefixes:
        net: Any = ipaddress.ip_network(prefix)
        if length < net.prefixlen:
            continue
        size = 1 << (net.max_prefixlen - length)
        at, end = int(net.network_address), int(net.broadcast_address)
        for low, high in sorted((int(other.network_address), int(other.broadcast_address)) for other in taken):
            if high >= at and low < at + size:
                at = -(-(high + 1) // size) * size
        if at + size - 1 <= end:
            make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
            return ipaddress.ip_network(f"{make(at)}/{length}")
    raise Conflict(f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{length}.",
                   kind="SubnetAllocationError")  # fmt: skip


def _check_pool_quota(tx: Tx, pool: rows.SubnetPool, project_id: str, chosen: Any) -> None:
    if pool.default_quota is None:
        return
    unit = 32 if pool.ip_version == 4 else 64  # counted in addresses, or in /64s
    used = sum(_units(row.cidr, unit) for row in tx.select(rows.Subnet, subnetpool_id=pool.id, project_id=project_id))
    if used + _units(str(chosen), unit) > pool.default_quota:
        raise Conflict("Per-tenant subnet pool prefix quota exceeded.", kind="SubnetPoolQuotaExceeded")


def _units(cidr: str, unit: int) -> int:
    return 1 << max(0, unit - ipaddress.ip_network(cidr).prefixlen)


def default_pool(tx: Tx, version: int | None) -> str:
    """Raises BadRequest."""
    found = tx.find(rows.SubnetPool, is_default=True, ip_version=version or 4)
    if found is None:
        raise BadRequest(f"No default subnetpool found for IPv{version or 4}.", kind="BadRequest")
    return found.id


def create_scope(tx: Tx, project_id: str, **values: Any) -> rows.AddressScope:
    if values["ip_version"] not in (4, 6):
        raise invalid(f"Invalid input for ip_version. '{values['ip_version']}' is not 4 or 6.")
    scope = rows.AddressScope(id=clock.new_id(), project_id=project_id, **values)
    tx.insert(queries.stamped(scope))
    return scope


def update_scope(tx: Tx, scope: rows.AddressScope, **values: Any) -> rows.AddressScope:
    stored = tx.get(rows.AddressScope, id=scope.id)
    if values.get("shared") is False and stored.shared:
        raise BadRequest(f"Unable to update address scope {scope.id}: Shared address scope can't be unshared.",
                         kind="AddressScopeUpdateError")  # fmt: skip
    return queries.save(tx, stored, **values)


def delete_scope(tx: Tx, scope: rows.AddressScope) -> None:
    if tx.find(rows.SubnetPool, address_scope_id=scope.id) is not None:
        raise Conflict(f"Unable to complete operation on address scope {scope.id}. There are one or more subnet pools "
                       "in use on the address scope.", kind="AddressScopeInUse")  # fmt: skip
    queries.drop_row(tx, scope)


def get_scope_of(tx: Tx, subnetpool_id: str | None) -> rows.AddressScope | None:
    pool = tx.find(rows.SubnetPool, id=subnetpool_id) if subnetpool_id else None
    return tx.find(rows.AddressScope, id=pool.address_scope_id) if pool and pool.address_scope_id else None
