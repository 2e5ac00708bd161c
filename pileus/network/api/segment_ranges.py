"""Ranges of segments' numbers (Networking API, "Network Segment Ranges")."""

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import constrained
from pileus.network.api.plain import plain
from pileus.network.resources.segment_ranges import segment_range as RANGE
from pileus.network.service import segment_ranges, segments


def segment_range(rq: Request, id: str) -> rows.SegmentRange:
    found = rq.tx.find(rows.SegmentRange, id=id)
    if found is None:
        raise NotFound(f"Network segment range {id[:60]} could not be found.", kind="NetworkSegmentRangeNotFound")
    return constrained(rq, found)


def dress(rq: Request, found: list[rows.SegmentRange]) -> None:
    """Which numbers networks have."""
    for row in found:
        row.used = segments.used(rq.tx, row)  # type: ignore[attr-defined]


def make(rq: Request, values: dict[str, Any]) -> rows.SegmentRange:
    project_id = values.pop("project_id", None) or rq.ctx.project_id or ""
    return segment_ranges.create_range(rq.tx, project_id, **values)


for path in ("/network-segment-ranges", "/network_segment_ranges"):  # clients know it by either
    plain(
        RANGE,
        rows.SegmentRange,
        path,
        on=segment_range,
        make=make,
        change=lambda rq, found, values: segment_ranges.update_range(rq.tx, found, **values),
        delete=lambda rq, found: segment_ranges.delete_range(rq.tx, found),
        dress=dress,
        clauses=lambda rq: [],
    )
