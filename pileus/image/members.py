"""Members: the projects a shared image is offered to, and what they made of the offer."""

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from pileus.image.store import MEMBER_STATUSES, PENDING, SHARED, Image, Member

MAX_MEMBERS = 128


def list_members(tx: Tx, ctx: Context, image: Image) -> list[Member]:
    """All of them to the image's project; to another project its own membership. Raises Forbidden."""
    _shared(image)
    if _owns(ctx, image):
        return tx.select(Member, order="member_id", image_id=image.id)
    return tx.select(Member, image_id=image.id, member_id=ctx.project_id)


def get_member(tx: Tx, ctx: Context, image: Image, member_id: str) -> Member:
    """Raises NotFound, also for one that the caller may not know of."""
    found = tx.find(Member, image_id=image.id, member_id=member_id)
    if found is None or not (_owns(ctx, image) or member_id == ctx.project_id):
        raise NotFound(f"Member {member_id[:255]} of image {image.id} not found")
    return found


def add_member(tx: Tx, image: Image, member_id: str) -> Member:
    """Offer the image to a project. Raises Forbidden, Conflict, TooLarge."""
    _shared(image)
    if tx.find(Member, image_id=image.id, member_id=member_id):
        raise Conflict(f"Image member {member_id} already associated with image {image.id}.")
    if tx.count(Member, image_id=image.id) >= MAX_MEMBERS:
        raise TooLarge(f"The limit has been exceeded on the number of allowed image members: {MAX_MEMBERS}.")
    row = Member(image.id, member_id, PENDING, clock.now(), clock.now())
    tx.insert(row)
    return row


def modify_member(tx: Tx, member: Member, status: str) -> Member:
    """The offered project's answer. Raises BadRequest."""
    if status not in MEMBER_STATUSES:
        raise BadRequest(f"Invalid status: {status!r:.100}. It must be one of {', '.join(MEMBER_STATUSES)}.")
    changed = Member(member.image_id, member.member_id, status, member.created_at, clock.now())
    where = {"image_id": member.image_id, "member_id": member.member_id}
    tx.update(Member, where, status=status, updated_at=changed.updated_at)
    return changed


def delete_member(tx: Tx, member: Member) -> None:
    tx.delete(Member, image_id=member.image_id, member_id=member.member_id)


def _owns(ctx: Context, image: Image) -> bool:
    return "admin" in ctx.roles or (image.project_id is not None and image.project_id == ctx.project_id)


def _shared(image: Image) -> None:
    if image.visibility != SHARED:
        raise Forbidden("Only shared images have members.")
