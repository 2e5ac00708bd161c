"""Numbers of segments: VLANs and tunnels, from ranges of a project's own or from those of all."""

import sqlalchemy as sa

from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict
from pileus.core.tables import columns, shape
from pileus.network import rows

Span = tuple[int, int]  # first and last
VLANS: Span = (1, 4094)
TUNNELS: Span = (1, 2**24 - 1)

_network = columns(rows.Network)
_after = shape(rows.Network).table.alias("after")
_ON = (
    _network.network_type == sa.bindparam("type", type_=sa.Text()),
    sa.func.coalesce(_network.physical_network, "") == sa.bindparam("physnet", type_=sa.Text()),
)
_HIGHEST = sql(
    sa.select(sa.func.max(_network.segmentation_id)).where(
        *_ON,
        _network.segmentation_id >= sa.bindparam("low", type_=sa.BigInteger()),
        _network.segmentation_id <= sa.bindparam("high", type_=sa.BigInteger()),
    )
)
# the first taken number in [low, high) with a free one behind it
_GAP = sql(
    sa.select(sa.func.min(_network.segmentation_id)).where(
        *_ON,
        _network.segmentation_id >= sa.bindparam("low", type_=sa.BigInteger()),
        _network.segmentation_id < sa.bindparam("high", type_=sa.BigInteger()),
        ~sa.exists().where(
            _after.c.network_type == _network.network_type,
            sa.func.coalesce(_after.c.physical_network, "") == sa.func.coalesce(_network.physical_network, ""),
            _after.c.segmentation_id == _network.segmentation_id + 1,
        ),
    )
)


def all_numbers(kind: str) -> Span:
    return VLANS if kind == "vlan" else TUNNELS


def tunnels_of(tx: Tx, project_id: str) -> str:
    """The kind of tunnels for networks that name none: what the project has numbers of its own for."""
    own = {each.network_type for each in tx.select(rows.SegmentRange, project_id=project_id) if not each.shared}
    return rows.TUNNELLED if rows.TUNNELLED in own else next(iter(own - {"vlan"}), rows.TUNNELLED)


def choose(tx: Tx, project_id: str, kind: str, physnet: str | None) -> int:
    """A number that no other network of this kind has. Raises Conflict when there is none left."""
    for span in _spans(tx, project_id, kind, physnet):
        found = _free(tx, kind, physnet or "", *span)
        if found is not None:
            return found
    raise Conflict(
        "Unable to create the network. No tenant network is available for allocation.", kind="NoNetworkAvailable"
    )


def _spans(tx: Tx, project_id: str, kind: str, physnet: str | None) -> list[Span]:
    """The project's own ranges, then those of all without what others have for themselves."""
    ranges = tx.select(rows.SegmentRange, order="minimum", network_type=kind, physical_network=physnet)
    own = [_span(each) for each in ranges if not each.shared and each.project_id == project_id]
    taken = [_span(each) for each in ranges if not each.shared]
    common = [_span(each) for each in ranges if each.shared] or [all_numbers(kind)]
    return [*own, *(part for span in common for part in without(span, taken))]


def _span(found: rows.SegmentRange) -> Span:
    return found.minimum, found.maximum


def without(span: Span, taken: list[Span]) -> list[Span]:
    """What is left of a span."""
    left = []
    low, high = span
    for first, last in sorted(taken):
        if last < low or first > high:
            continue
        if first > low:
            left.append((low, first - 1))
        low = last + 1
    return [*left, (low, high)] if low <= high else left


def _free(tx: Tx, kind: str, physnet: str, low: int, high: int) -> int | None:
    """After the highest in use, or else the first gap."""
    on = {"type": kind, "physnet": physnet}
    highest = tx.scalar(_HIGHEST, **on, low=low, high=high)
    if highest is None:
        return low
    if highest < high:
        return int(highest) + 1
    if not is_taken(tx, kind, physnet or None, low):
        return low
    found = tx.scalar(_GAP, **on, low=low, high=high)
    return int(found) + 1 if found is not None else None


def is_taken(tx: Tx, kind: str, physnet: str | None, number: int) -> bool:
    known = {"network_type": kind, "physical_network": physnet, "segmentation_id": number}
    return tx.find(rows.Network, **known) is not None


# -- ranges ------------------------------------------------------------------------------------------------------------

_IN_SPAN = sql(
    sa.select(_network.segmentation_id, _network.project_id)
    .where(
        *_ON,
        _network.segmentation_id >= sa.bindparam("low", type_=sa.BigInteger()),
        _network.segmentation_id <= sa.bindparam("high", type_=sa.BigInteger()),
    )
    .order_by(_network.segmentation_id)
)


def used(tx: Tx, found: rows.SegmentRange) -> dict[int, str]:
    """Numbers of a range that networks have, and whose these are."""
    low, high = _span(found)
    in_span = tx.all(_IN_SPAN, type=found.network_type, physnet=found.physical_network or "", low=low, high=high)
    return {int(number): project for number, project in in_span}
