"""Time as the database keeps it: UTC, ISO 8601 with microseconds, so that text sorts as time does on every database."""

import time
import uuid
from datetime import UTC, datetime, timedelta


def now() -> str:
    return _text(datetime.now(UTC))


def _text(moment: datetime) -> str:
    # not strftime: it writes the year 7 as "7"
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def after(seconds: float) -> str:
    return _text(datetime.now(UTC) + timedelta(seconds=seconds))


def at(epoch: float) -> str:
    return _text(datetime.fromtimestamp(epoch, UTC))


def epoch(stamp: str) -> float:
    return parse(stamp).timestamp()


def parse(text: str) -> datetime:
    """Any ISO 8601 form a client may send; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def canonical(text: str) -> str:
    return _text(parse(text))


def seconds(stamp: str | None) -> str | None:
    """`2026-11-22T19:05:30Z`, as compute, network and image show it."""
    return stamp and stamp[:19] + "Z"


def naive(stamp: str | None) -> str | None:
    """`2026-11-22T19:05:30.000000`, as a few of compute's extensions show it."""
    return stamp and stamp[:26]


def monotonic() -> float:
    return time.monotonic()


def new_id() -> str:
    return str(uuid.uuid4())


def new_hex_id() -> str:
    return uuid.uuid4().hex
