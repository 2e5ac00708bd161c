"""What a project may have of images: identity's unified limits, held against rows in the transaction that would exceed them.

Two are in MiB of data (stored; staged for an import), two in images (all; those whose data is on its way).
"""

from typing import NamedTuple

import sqlalchemy as sa

from pileus import identity
from pileus.core import quota
from pileus.core.db import Tx, sql
from pileus.core.errors import OverQuota
from pileus.core.tables import columns
from pileus.image.store import IMPORTING, SAVING, STAGED, Image, item_count

SIZE, STAGE, COUNT, UPLOADING = "image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"
NAMES = (SIZE, STAGE, COUNT, UPLOADING)
MIB = 1 << 20
MAX_SIZE = 1 << 50  # a PiB: more than any disk a guest gets

_image = columns(Image)
_arriving = sa.or_(*(_image.status == sa.literal_column(f"'{status}'") for status in (SAVING, STAGED, IMPORTING)))
_copies = sa.case((_arriving, sa.literal_column("1")), else_=item_count(_image.locations))
_USED = sql(
    sa.select(
        _image.status, sa.func.count(), sa.func.coalesce(sa.func.sum(_image.size * _copies), sa.literal_column("0"))
    )
    .where(
        _image.project_id == sa.bindparam("project_id", type_=sa.Text()),
        _image.id != sa.bindparam("but", type_=sa.Text()),
    )
    .group_by(_image.status)
)


class Usage(NamedTuple):
    """In bytes and images; an image in several stores counts as often."""

    size: int
    stage: int
    images: int
    uploading: int

    def told(self) -> dict[str, int]:
        """As the limits are written: in MiB, a begun one counted."""
        return {SIZE: -(-self.size // MIB), STAGE: -(-self.stage // MIB), COUNT: self.images, UPLOADING: self.uploading}


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    """-1 is no limit, and what holds where nobody registered one."""
    found = {name: identity.limits.effective(tx, "image", name, project_id) for name in NAMES}
    return {name: quota.UNLIMITED if limit is None else limit for name, limit in found.items()}


def usage(tx: Tx, project_id: str, but: str = "") -> Usage:
    """Without one image, if it is named."""
    rows = {row[0]: (int(row[1]), int(row[2])) for row in tx.all(_USED, project_id=project_id, but=but)}
    staged = sum(rows.get(status, (0, 0))[1] for status in (STAGED, IMPORTING))
    return Usage(
        size=sum(size for _, size in rows.values()) - staged,
        stage=staged,
        images=sum(count for count, _ in rows.values()),
        uploading=sum(rows.get(status, (0, 0))[0] for status in (SAVING, STAGED, IMPORTING)),
    )


def check_count(tx: Tx, project_id: str | None) -> None:
    """One more image. Raises OverQuota, as all of these."""
    if project_id is not None:
        quota.hold(tx, "image", project_id)
        quota.check(COUNT, limits(tx, project_id)[COUNT], usage(tx, project_id).images, 1)


def check_uploading(tx: Tx, image: Image) -> None:
    """The data of one more image is on its way."""
    if image.project_id is not None:
        quota.hold(tx, "image", image.project_id)
        allowed = limits(tx, image.project_id)[UPLOADING]
        quota.check(UPLOADING, allowed, usage(tx, image.project_id, image.id).uploading, 1)


def room(tx: Tx, image: Image, staging: bool, size: int | None = None) -> int:
    """How many bytes may come for this image, of which `size` are announced.

    Who does not say how much will come is let in while the project is not over its limit, and may bring as much as the
    whole limit: clients stream without a size, and would otherwise never fill what they have.
    """
    if image.project_id is None:
        return MAX_SIZE
    name = STAGE if staging else SIZE
    quota.hold(tx, "image", image.project_id)
    allowed = limits(tx, image.project_id)[name]
    if allowed == quota.UNLIMITED:
        return MAX_SIZE
    used = usage(tx, image.project_id, image.id)
    taken, most = used.stage if staging else used.size, min(allowed * MIB, MAX_SIZE)
    if taken + (size or 0) > most:
        raise over(name, allowed, taken, size)
    return most if size is None else most - taken


def check_stored(tx: Tx, image: Image, size: int, stores: int) -> None:
    """As much is to be kept in so many stores more."""
    if image.project_id is None:
        return
    quota.hold(tx, "image", image.project_id)
    allowed = limits(tx, image.project_id)[SIZE]
    taken = usage(tx, image.project_id, image.id).size + (image.size or 0) * len(image.locations)
    if allowed != quota.UNLIMITED and taken + size * stores > allowed * MIB:
        raise over(SIZE, allowed, taken, size * stores)


def over(name: str, allowed: int, used: int, size: int | None = None) -> OverQuota:
    adding = "" if size is None else f", and {size} bytes are to come"
    return OverQuota(
        f"Quota exceeded for {name}: the project may have {allowed} MiB and has {used} bytes{adding}.", kind="OverQuota"
    )


def too_large(size: int) -> OverQuota:
    """A stream that goes on beyond its room."""
    return OverQuota(
        f"Quota exceeded: {size} bytes came, more than the project may still have ({SIZE} or {STAGE}).",
        kind="OverQuota",
    )
