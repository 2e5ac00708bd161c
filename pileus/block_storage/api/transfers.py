"""Transfers, in the form of before 3.55 and the newer one (Block Storage API, "Volume transfers")."""

from typing import Any

from pileus.block_storage import transfers, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, at_least, is_admin, links_of, words
from pileus.block_storage.store import Transfer
from pileus.core import clock
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Object, Uuid
from pileus.core.paging import Sort
from pileus.core.wire import Request

FILTERS = {"name": Filter("name"), "volume_id": Filter("volume_id"), "id": Filter("id")}
OLDEST = Sort("created_at")


def transfer(rq: Request, transfer_id: str) -> Transfer:
    """One of the caller's project's; administrators see all."""
    found = transfers.get_transfer(rq.tx, transfer_id)
    if found.source_project_id != rq.ctx.project_id and not is_admin(rq):
        raise NotFound(f"Transfer {transfer_id[:255]} could not be found.")
    return found


def _summary(rq: Request, row: Transfer) -> dict[str, Any]:
    links = links_of(rq, "os-volume-transfer", row.id)
    return {"id": row.id, "volume_id": row.volume_id, "name": row.name, "links": links}


def _detail(rq: Request, row: Transfer) -> dict[str, Any]:
    body: dict[str, Any] = {**_summary(rq, row), "created_at": clock.naive(row.created_at)}
    if at_least(rq, 55):
        body["no_snapshots"] = row.no_snapshots
    if at_least(rq, 57):
        body |= {"source_project_id": row.source_project_id, "destination_project_id": None, "accepted": False}
    return body


def _all(rq: Request, view: Any) -> dict[str, Any]:
    found = listing(
        rq, Transfer, "transfers", FILTERS, ("name", "volume_id"), counted=False, sort=OLDEST, owner="source_project_id"
    )
    return {"transfers": [view(rq, row) for row in found.rows], **found.extra}


class _Offered:
    """What a transfer is to whoever accepts it: their own."""

    def __init__(self, rq: Request, transfer_id: str):
        self.row = transfers.get_transfer(rq.tx, transfer_id)
        self.id, self.project_id = self.row.id, rq.ctx.project_id


def _declare(path: str, since: str | None) -> None:
    """The same routes under both names."""

    def list_transfers(rq: Request) -> dict[str, Any]:
        """List the transfers a project offers."""
        return _all(rq, _summary)

    def list_transfers_in_detail(rq: Request) -> dict[str, Any]:
        """List the transfers a project offers, in detail."""
        return _all(rq, _detail)

    def create_transfer(rq: Request) -> dict[str, Any]:
        """Offer a volume to whoever has the key."""
        fields: list[Field] = [Uuid("volume_id", create=REQUIRED), words("name", create=OPTIONAL)]
        if at_least(rq, 55):
            fields.append(Boolean("no_snapshots", create=OPTIONAL))
        given = Object("transfer", fields).check(rq.unwrap("transfer"))
        volume = volumes.get_volume(rq.tx, given["volume_id"])
        if not rq.allows("volume:create_transfer", volume):
            raise NotFound(f"Volume {volume.id} could not be found.", kind="VolumeNotFound")
        row, key = transfers.create_transfer(rq.tx, volume, given.get("name"), given.get("no_snapshots", False))
        return {"transfer": {**_detail(rq, row), "auth_key": key}}

    def show_transfer(rq: Request, found: Transfer) -> dict[str, Any]:
        """Show a transfer."""
        return {"transfer": _detail(rq, found)}

    def accept_transfer(rq: Request, found: _Offered) -> dict[str, Any]:
        """Take an offered volume."""
        key = rq.unwrap("accept").get("auth_key")
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise BadRequest("Invalid input for field/attribute auth_key. It must be a string.")
        transfers.accept_transfer(rq.tx, rq.ctx, found.row, str(key))
        return {"transfer": _summary(rq, found.row)}

    def delete_transfer(rq: Request, found: Transfer) -> None:
        """Take an offer back."""
        transfers.delete_transfer(rq.tx, found)

    one = f"{path}/{{transfer_id}}"
    api.get(path, policy="volume:get_all_transfers", since=since)(list_transfers)
    api.get(f"{path}/detail", policy="volume:get_all_transfers", since=since)(list_transfers_in_detail)
    api.post(path, policy="volume:create_transfer", status=202, since=since)(create_transfer)
    api.get(one, policy="volume:get_transfer", on=transfer, since=since)(show_transfer)
    api.post(f"{one}/accept", policy="volume:accept_transfer", on=_Offered, status=202, since=since)(accept_transfer)
    api.delete(one, policy="volume:delete_transfer", on=transfer, status=202, since=since)(delete_transfer)


_declare("/os-volume-transfer", None)
_declare("/volume-transfers", "3.55")
