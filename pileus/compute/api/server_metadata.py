"""A server's metadata and tags (Compute API, "Server metadata", "Server tags")."""

from typing import Any
from urllib.parse import quote

from pileus.compute import servers
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.resources.servers import METADATA, TAG
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import Items, Text
from pileus.core.wire import Request, Response

META = "os_compute_api:server-metadata"
TAGS = "os_compute_api:os-server-tags"
_TAG = Text("tag", min=1, max=60, pattern=TAG)
_TAGS = Items("tags", _TAG, max=servers.MAX_TAGS)


def _save(rq: Request, found: Server, metadata: dict[str, str], verb: str = "update") -> None:
    servers.set_metadata(rq.tx, found, metadata, verb)
    rq.tx.after_commit(lambda: servers.tell_guest(rq.cloud, found.id))


def _only(rq: Request, name: str) -> Any:
    if set(rq.json) != {name}:
        raise BadRequest(f"Invalid input: the body must have the one member {name!r}.")
    return rq.json[name]


@api.get("/servers/{server_id}/metadata", policy=f"{META}:index", on=server)
def list_metadata(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's metadata."""
    return {"metadata": found.metadata}


@api.post("/servers/{server_id}/metadata", policy=f"{META}:create", on=server, status=200)
def create_metadata(rq: Request, found: Server) -> dict[str, Any]:
    """Add to a server's metadata."""
    merged = {**found.metadata, **METADATA.check(_only(rq, "metadata"))}
    _save(rq, found, merged)
    return {"metadata": merged}


@api.put("/servers/{server_id}/metadata", policy=f"{META}:update_all", on=server)
def replace_metadata(rq: Request, found: Server) -> dict[str, Any]:
    """Replace a server's metadata."""
    given = METADATA.check(_only(rq, "metadata"))
    _save(rq, found, given)
    return {"metadata": given}


@api.get("/servers/{server_id}/metadata/{key}", policy=f"{META}:show", on=server)
def show_metadata_item(rq: Request, found: Server) -> dict[str, Any]:
    """Show one item of a server's metadata."""
    key = rq.params["key"]
    return {"meta": {key: servers.get_metadata_item(found, key)}}


@api.put("/servers/{server_id}/metadata/{key}", policy=f"{META}:update", on=server)
def update_metadata_item(rq: Request, found: Server) -> dict[str, Any]:
    """Set one item of a server's metadata."""
    given = METADATA.check(_only(rq, "meta"))
    if list(given) != [rq.params["key"]]:
        raise BadRequest("Invalid input: meta must have the one member that the URL names.")
    _save(rq, found, {**found.metadata, **given})
    return {"meta": given}


@api.delete("/servers/{server_id}/metadata/{key}", policy=f"{META}:delete", on=server)
def delete_metadata_item(rq: Request, found: Server) -> None:
    """Delete one item of a server's metadata."""
    key = rq.params["key"]
    servers.get_metadata_item(found, key)
    _save(rq, found, {k: v for k, v in found.metadata.items() if k != key}, "delete")


# -- tags --------------------------------------------------------------------------------------------------------------


@api.get("/servers/{server_id}/tags", policy=f"{TAGS}:index", on=server, since="2.26")
def list_tags(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's tags."""
    return {"tags": found.tags}


@api.put("/servers/{server_id}/tags", policy=f"{TAGS}:update_all", on=server, since="2.26")
def replace_tags(rq: Request, found: Server) -> dict[str, Any]:
    """Replace a server's tags."""
    return {"tags": servers.set_tags(rq.tx, found, _TAGS.check(_only(rq, "tags")))}


@api.delete("/servers/{server_id}/tags", policy=f"{TAGS}:delete_all", on=server, since="2.26")
def delete_tags(rq: Request, found: Server) -> None:
    """Delete a server's tags."""
    servers.set_tags(rq.tx, found, [])


def _tagged(rq: Request, found: Server) -> str:
    tag = rq.params["tag"]
    if tag not in found.tags:
        raise NotFound(f"Server {found.id} has no tag '{tag[:60]}'")
    return tag


@api.get("/servers/{server_id}/tags/{tag}", policy=f"{TAGS}:show", on=server, status=204, since="2.26")
def show_tag(rq: Request, found: Server) -> None:
    """Say whether a server has a tag."""
    _tagged(rq, found)


@api.put("/servers/{server_id}/tags/{tag}", policy=f"{TAGS}:update", on=server, since="2.26")
def add_tag(rq: Request, found: Server) -> Response:
    """Tag a server."""
    tag = _TAG.check(rq.params["tag"])
    where = {"location": f"{rq.base}/servers/{found.id}/tags/{quote(tag)}"}
    if tag in found.tags:
        return Response(None, 204, where)
    if len(found.tags) >= servers.MAX_TAGS:
        raise BadRequest(f"A server has at most {servers.MAX_TAGS} tags.")
    servers.set_tags(rq.tx, found, [*found.tags, tag])
    return Response(None, 201, where)


@api.delete("/servers/{server_id}/tags/{tag}", policy=f"{TAGS}:delete", on=server, since="2.26")
def delete_tag(rq: Request, found: Server) -> None:
    """Take a tag from a server."""
    tag = _tagged(rq, found)
    servers.set_tags(rq.tx, found, [other for other in found.tags if other != tag])
