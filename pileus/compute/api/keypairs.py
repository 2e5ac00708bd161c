"""Key pairs (Compute API, "Keypairs")."""

from typing import Any

from pileus.compute import keypairs
from pileus.compute.api.base import api
from pileus.compute.resources import KEYPAIR
from pileus.compute.store import KeyPair
from pileus.core import clock, paging
from pileus.core.microversions import Version
from pileus.core.wire import Request, Response

QUERY = ("user_id",)
POLICY = "os_compute_api:os-keypairs"


def _user(rq: Request) -> str:
    """Whose key pairs: the caller's, or since 2.10 those of the user that an administrator names."""
    named = rq.query.get("user_id") if rq.version >= Version(2, 10) else None
    return named or rq.ctx.user_id or ""


def keypair(rq: Request, name: str) -> KeyPair:
    return keypairs.get_keypair(rq.tx, _user(rq), name)


@api.get("/os-keypairs", policy=f"{POLICY}:index", query=(*QUERY, "limit", "marker"))
def list_keypairs(rq: Request) -> dict[str, Any]:
    """List key pairs."""
    user_id = _user(rq)
    rq.authorize(f"{POLICY}:index", {"user_id": user_id})
    limit = rq.query.number("limit") if rq.version >= Version(2, 35) else None
    marker = rq.query.get("marker") if rq.version >= Version(2, 35) else None
    found = paging.page(
        rq, KeyPair, [paging.Where("user_id", "eq", user_id)], [paging.Sort("name")],
        limit=min(limit or 1000, 1000), marker=marker, marker_column="name",
    )  # fmt: skip
    view = KEYPAIR.viewer(rq, only={"name", "type", "public_key", "fingerprint"})
    body: dict[str, Any] = {"keypairs": [{"keypair": view(row)} for row in found.rows]}
    if rq.version >= Version(2, 35):
        body |= paging.links(rq, "keypairs", found, id_of=lambda row: row.name)
    return body


@api.post("/os-keypairs", policy=f"{POLICY}:create")
def create_keypair(rq: Request) -> Response:
    """Import a public key, or make a key pair."""
    given = KEYPAIR.parse_create(rq)
    user_id = given.get("user_id") or rq.ctx.user_id or ""
    rq.authorize(f"{POLICY}:create", {"user_id": user_id})
    row, private_key = keypairs.create_keypair(
        rq.tx, user_id, given["name"], given.get("type", "ssh"), given.get("public_key")
    )
    body = {**KEYPAIR.view(rq, row), "user_id": row.user_id}
    if private_key is not None:
        body["private_key"] = private_key
    return Response({"keypair": body}, 201 if rq.version >= Version(2, 2) else 200)


@api.get("/os-keypairs/{name}", policy=f"{POLICY}:show", on=keypair, query=QUERY)
def show_keypair(rq: Request, found: KeyPair) -> dict[str, Any]:
    """Show a key pair."""
    view = KEYPAIR.view(rq, found)
    return {
        "keypair": {
            **view,
            "user_id": found.user_id,
            "id": 1,  # OpenStack's row number, which clients' schemas demand; names are what identifies a key pair
            "created_at": clock.naive(found.created_at),
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
    }


@api.delete("/os-keypairs/{name}", policy=f"{POLICY}:delete", on=keypair, status=204, query=QUERY)
def delete_keypair(rq: Request, found: KeyPair) -> Response:
    """Delete a key pair."""
    keypairs.delete_keypair(rq.tx, found)
    return Response(None, 204 if rq.version >= Version(2, 2) else 202)
