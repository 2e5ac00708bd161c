"""Ranges of segments' numbers, which administrators set aside for all or for one project."""

import uuid
from typing import Any

from pileus.core import clock
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Conflict, Duplicate
from pileus.network import rows
from pileus.network.service import segments
from pileus.network.service.networks import invalid
from pileus.network.store import queries


def ensure_default_ranges(db: Database, physnet: str) -> None:
    """All numbers are everybody's, until administrators say otherwise."""
    wanted = [("vlan", physnet), ("geneve", None), ("vxlan", None)]
    with db.read() as tx:
        have = {(each.network_type, each.physical_network) for each in tx.select(rows.SegmentRange, is_default=True)}
    missing = [place for place in wanted if place not in have]
    if not missing:
        return
    try:
        with db.write() as tx:
            for kind, on in missing:
                low, high = segments.all_numbers(kind)
                tx.insert(queries.stamped(rows.SegmentRange(
                    id=_named(kind, on), is_default=True, network_type=kind,
                    physical_network=on, minimum=low, maximum=high)))  # fmt: skip
    except Duplicate:  # another controller was faster
        return


def _named(kind: str, physnet: str | None) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"default segment range {kind} {physnet}"))


def create_range(tx: Tx, project_id: str, **values: Any) -> rows.SegmentRange:
    """Raises BadRequest, Conflict for numbers of another range."""
    found = rows.SegmentRange(id=clock.new_id(), project_id="" if values["shared"] else project_id)
    for name, value in values.items():
        setattr(found, name, value)
    found.physical_network = found.physical_network or None
    if not found.shared and not found.project_id:
        raise invalid("project_id: a range that is not shared needs a project.")
    _check(tx, found)
    tx.insert(queries.stamped(found))
    return found


def _check(tx: Tx, found: rows.SegmentRange) -> None:
    if (found.network_type == "vlan") != bool(found.physical_network):
        raise invalid(f"physical_network is for ranges of VLANs, and needed there; not for {found.network_type}.")
    low, high = segments.all_numbers(found.network_type)
    for name in ("minimum", "maximum"):
        if not low <= getattr(found, name) <= high:
            raise invalid(f"{name} must be {low} to {high} for {found.network_type}.")
    if found.minimum > found.maximum:
        raise invalid("minimum must not be above maximum.")
    for other in tx.select(
        rows.SegmentRange, network_type=found.network_type, physical_network=found.physical_network, is_default=False
    ):
        if other.id != found.id and other.minimum <= found.maximum and found.minimum <= other.maximum:
            raise Conflict(f"Network segment range overlaps with {other.id}: {other.minimum} to {other.maximum}.",
                           kind="NetworkSegmentRangeOverlaps")  # fmt: skip


def _refuse_default(found: rows.SegmentRange) -> None:
    if found.is_default:
        raise BadRequest(f"Network segment range {found.id} is a default one, which is not changed.",
                         kind="NetworkSegmentRangeDefaultReadOnly")  # fmt: skip


def _refuse_used(tx: Tx, found: rows.SegmentRange, staying: segments.Span | None = None) -> None:
    low, high = staying or (1, 0)
    losing = [
        number
        for number, project in segments.used(tx, found).items()
        if not low <= number <= high and (found.shared or project == found.project_id)
    ]
    if losing:
        raise Conflict(f"Network segment range {found.id} has numbers that networks use: {losing[:5]}.",
                       kind="NetworkSegmentRangeReferencedByProject")  # fmt: skip


def update_range(tx: Tx, found: rows.SegmentRange, **values: Any) -> rows.SegmentRange:
    """Raises as `create_range`, and Conflict where networks would lose their numbers."""
    _refuse_default(found)
    if "minimum" in values or "maximum" in values:
        staying = values.get("minimum", found.minimum), values.get("maximum", found.maximum)
        _refuse_used(tx, found, staying)
    for name, value in values.items():
        setattr(found, name, value)
    _check(tx, found)
    return queries.save(tx, found, **values)


def delete_range(tx: Tx, found: rows.SegmentRange) -> None:
    """Raises Conflict while networks use its numbers."""
    _refuse_default(found)
    _refuse_used(tx, found)
    queries.drop_row(tx, found)
