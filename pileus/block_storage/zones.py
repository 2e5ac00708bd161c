"""Availability zones: those of the backends."""

from pileus.block_storage.scheduler import VOLUME_BINARY, is_up
from pileus.block_storage.store import VolumeService
from pileus.core.db import Tx
from pileus.core.errors import BadRequest

DEFAULT = "nova"


def zones(tx: Tx) -> dict[str, bool]:
    """Each zone, and whether anything can be made there."""
    found: dict[str, bool] = {}
    for service in tx.select(VolumeService, order="availability_zone", binary=VOLUME_BINARY):
        usable = not service.disabled and is_up(service)
        found[service.availability_zone] = usable or found.get(service.availability_zone, False)
    return found or {DEFAULT: False}


def check_zone(tx: Tx, wanted: str | None) -> str:
    """The zone a volume shall be in. Raises BadRequest for one that is not there."""
    known = zones(tx)
    if wanted is None:
        return DEFAULT if DEFAULT in known else next(iter(known))
    if wanted not in known:
        raise BadRequest(f"Invalid input received: Availability zone '{wanted[:255]}' is invalid.")
    return wanted
