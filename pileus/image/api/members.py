"""Sharing (Image API, "Sharing")."""

from typing import Any, NamedTuple

from pileus.core.errors import BadRequest
from pileus.core.wire import Request
from pileus.image import members
from pileus.image.api.base import api, image
from pileus.image.resources import member_view
from pileus.image.store import Image, Member


class Share(NamedTuple):
    """A membership as policy looks at it: both the project that shares and the one that is shared with have a say."""

    image: Image
    member: Member

    @property
    def project_id(self) -> str | None:
        return self.image.project_id

    @property
    def member_id(self) -> str:
        return self.member.member_id


class Offer(NamedTuple):
    """An image, and the project of whoever asks if it is shared with that."""

    image: Image
    member_id: str | None

    @property
    def project_id(self) -> str | None:
        return self.image.project_id


def offer(rq: Request, image_id: str) -> Offer:
    found = image(rq, image_id)
    own = rq.tx.find(Member, image_id=found.id, member_id=rq.ctx.project_id or "")
    return Offer(found, own.member_id if own else None)


def share(rq: Request, image_id: str, member_id: str) -> Share:
    found = image(rq, image_id)
    return Share(found, members.get_member(rq.tx, rq.ctx, found, member_id))


def _text(rq: Request, name: str) -> str:
    value = rq.json.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255 or not value.isprintable():
        raise BadRequest(f"Invalid input: the body must have {name!r}, a string of 1 to 255 characters.")
    return value


@api.get("/v2/images/{image_id}/members", policy="get_members", on=offer)
def list_members(rq: Request, found: Offer) -> dict[str, Any]:
    """List the projects an image is shared with."""
    rows = members.list_members(rq.tx, rq.ctx, found.image)
    return {"members": [member_view(row) for row in rows], "schema": "/v2/schemas/members"}


@api.post("/v2/images/{image_id}/members", policy="add_member", on=image)
def add_member(rq: Request, found: Image) -> dict[str, Any]:
    """Share an image with a project."""
    return member_view(members.add_member(rq.tx, found, _text(rq, "member")))


@api.get("/v2/images/{image_id}/members/{member_id}", policy="get_member", on=share)
def show_member(rq: Request, found: Share) -> dict[str, Any]:
    """Show what a project made of an offer."""
    return member_view(found.member)


@api.put("/v2/images/{image_id}/members/{member_id}", policy="modify_member", on=share)
def modify_member(rq: Request, found: Share) -> dict[str, Any]:
    """Accept or reject an image that was shared."""
    return member_view(members.modify_member(rq.tx, found.member, _text(rq, "status")))


@api.delete("/v2/images/{image_id}/members/{member_id}", policy="delete_member", on=share)
def delete_member(rq: Request, found: Share) -> None:
    """Stop sharing an image with a project."""
    members.delete_member(rq.tx, found.member)
