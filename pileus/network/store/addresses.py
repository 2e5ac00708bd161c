"""Handing out addresses: the next free one is found by key lookups, however many are in use.

Each allocation pool remembers where its last search ended. The common case reads one pool row
and finds the next address free; only when a pool's end is reached is the first gap looked for.
"""

import ipaddress
import secrets

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict
from pileus.core.tables import columns, shape
from pileus.network.rows import AllocationPool, IPAllocation, Subnet

COUNTABLE = 2**62  # positions beyond this are not numbers the databases know
STEPS = 8  # how many taken addresses in a row are stepped over before the gap is searched for

_pool = columns(AllocationPool)
_taken = columns(IPAllocation)
# with_for_update: two controllers must not read the same `next`; SQLite has one writer and ignores it
_POOLS = sql(
    sa.select(shape(AllocationPool).table)
    .where(_pool.subnet_id == sa.bindparam("subnet"))
    .order_by(_pool.first)
    .with_for_update()
)
_IS_TAKEN = sql(
    sa.select(_taken.position).where(
        _taken.subnet_id == sa.bindparam("subnet"), _taken.position == sa.bindparam("position", type_=sa.BigInteger())
    )
)
_after = shape(IPAllocation).table.alias("after")
# The first taken address in [low, high) with a free one behind it.
_GAP = sql(
    sa.select(sa.func.min(_taken.position)).where(
        _taken.subnet_id == sa.bindparam("subnet"),
        _taken.position >= sa.bindparam("low", type_=sa.BigInteger()),
        _taken.position < sa.bindparam("high", type_=sa.BigInteger()),
        ~sa.exists().where(_after.c.subnet_id == _taken.subnet_id, _after.c.position == _taken.position + 1),
    )
)


def first_of(subnet: Subnet) -> int:
    return int(ipaddress.ip_network(subnet.cidr).network_address)


def address_at(subnet: Subnet, position: int) -> str:
    """The address in its canonical form."""
    start = first_of(subnet)
    return str(
        ipaddress.IPv4Address(start + position) if subnet.ip_version == 4 else ipaddress.IPv6Address(start + position)
    )


def position_of(subnet: Subnet, address: str) -> int | None:
    position = int(ipaddress.ip_address(address)) - first_of(subnet)
    return position if position < COUNTABLE else None


def write_pools(tx: Tx, subnet: Subnet) -> None:
    """The subnet's pools as rows, from its `allocation_pools`."""
    tx.delete(AllocationPool, subnet_id=subnet.id)
    for pool in subnet.allocation_pools:
        first = int(ipaddress.ip_address(pool["start"])) - first_of(subnet)
        last = int(ipaddress.ip_address(pool["end"])) - first_of(subnet)
        if first < COUNTABLE:
            last = min(last, COUNTABLE - 1)
            tx.insert(AllocationPool(id=clock.new_id(), subnet_id=subnet.id, first=first, last=last, next=first))


def take(tx: Tx, subnet: Subnet, address: str, port_id: str) -> bool:
    """This very address, for a port; False when it is in use."""
    if tx.find(IPAllocation, subnet_id=subnet.id, ip_address=address) is not None:
        return False
    tx.insert(
        IPAllocation(subnet_id=subnet.id, ip_address=address, port_id=port_id, position=position_of(subnet, address))
    )
    return True


def take_next(tx: Tx, subnet: Subnet, port_id: str) -> str | None:
    """Some free address of the subnet's pools, or None when there is none."""
    for pool in tx.rows(AllocationPool, _POOLS, subnet=subnet.id):
        position = _free(tx, pool)
        if position is not None:
            tx.update(AllocationPool, pool.id, next=position + 1)
            address = address_at(subnet, position)
            if not take(tx, subnet, address, port_id):  # only if the position index and the key disagree
                raise Conflict(
                    f"IP address {address} already allocated in subnet {subnet.id}", kind="IpAddressAlreadyAllocated"
                )
            return address
    return None


def _free(tx: Tx, pool: AllocationPool) -> int | None:
    position = pool.next
    for _ in range(STEPS):
        if position > pool.last:
            break
        if not _is_taken(tx, pool, position):
            return position
        position += 1
    return _gap(tx, pool, min(position, pool.last + 1)) if position <= pool.last else _gap(tx, pool, pool.first)


def _gap(tx: Tx, pool: AllocationPool, low: int) -> int | None:
    """The first free position from `low` on, then from the pool's start."""
    for start, end in ((low, pool.last), (pool.first, low - 1)):
        if start > end:
            continue
        if not _is_taken(tx, pool, start):
            return start
        found = tx.scalar(_GAP, subnet=pool.subnet_id, low=start, high=end)
        if found is not None:
            return int(found) + 1
    return None


def _is_taken(tx: Tx, pool: AllocationPool, position: int) -> bool:
    return tx.scalar(_IS_TAKEN, subnet=pool.subnet_id, position=position) is not None


def release(tx: Tx, subnet_id: str, address: str) -> None:
    tx.delete(IPAllocation, subnet_id=subnet_id, ip_address=address)


def eui64(cidr: str, mac: str) -> str:
    """The address a guest with this MAC gives itself on a /64 (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    host = [octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]
    return str(
        ipaddress.IPv6Address(int(ipaddress.ip_network(cidr).network_address) | int.from_bytes(bytes(host), "big"))
    )


def new_mac() -> str:
    return "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
