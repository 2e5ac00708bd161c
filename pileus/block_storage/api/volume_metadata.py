"""Metadata of volumes and of snapshots (Block Storage API, "Volume metadata", "Snapshot metadata")."""

from collections.abc import Callable
from typing import Any

from pileus.block_storage import snapshots, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.snapshots import snapshot
from pileus.block_storage.api.volumes import volume
from pileus.block_storage.resources.base import metadata
from pileus.block_storage.states import MAINTENANCE, UPLOADING
from pileus.block_storage.store import Snapshot, Volume
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request

FIELD = metadata("metadata")
Thing = Volume | Snapshot


def _keep(rq: Request, found: Thing, kept: dict[str, str]) -> dict[str, str]:
    if isinstance(found, Snapshot):
        snapshots.change(rq.tx, found.id, metadata=kept)
    else:
        if found.status in (MAINTENANCE, UPLOADING):
            raise BadRequest(f"Invalid volume: metadata of volumes in {found.status} status cannot be changed.")
        volumes.change(rq.tx, found.id, metadata=kept)
    return kept


def _given(rq: Request, name: str) -> dict[str, str]:
    found: dict[str, str] = FIELD.check(rq.unwrap(name))
    return found


def _of_key(found: Thing, key: str) -> str:
    if key not in found.metadata:
        raise NotFound(f"{type(found).__name__} {found.id} has no metadata with key {key[:255]}.")
    return found.metadata[key]


def _declare(plural: str, single: str, on: Callable[..., Any], create: str) -> None:
    """The six routes of one kind of thing."""
    path, one = f"/{plural}/{{{single}_id}}/metadata", f"/{plural}/{{{single}_id}}/metadata/{{key}}"

    def looked_up(rq: Request, thing_id: str, key: str) -> Any:
        return on(rq, thing_id)

    def list_metadata(rq: Request, found: Thing) -> dict[str, Any]:
        return {"metadata": found.metadata}

    def create_metadata(rq: Request, found: Thing) -> dict[str, Any]:
        return {"metadata": _keep(rq, found, {**found.metadata, **_given(rq, "metadata")})}

    def replace_metadata(rq: Request, found: Thing) -> dict[str, Any]:
        return {"metadata": _keep(rq, found, _given(rq, "metadata"))}

    def show_metadatum(rq: Request, found: Thing) -> dict[str, Any]:
        key = rq.params["key"]
        return {"meta": {key: _of_key(found, key)}}

    def update_metadatum(rq: Request, found: Thing) -> dict[str, Any]:
        key, given = rq.params["key"], _given(rq, "meta")
        if key not in given:
            raise BadRequest("Request body and URI mismatch.")
        if len(given) > 1:
            raise BadRequest("Request body contains too many items.")
        _keep(rq, found, {**found.metadata, **given})
        return {"meta": given}

    def delete_metadatum(rq: Request, found: Thing) -> None:
        key = rq.params["key"]
        _of_key(found, key)
        _keep(rq, found, {k: v for k, v in found.metadata.items() if k != key})

    for handler, method, where, lookup, rule, sentence in (
        (list_metadata, "GET", path, on, f"volume:get_{single}_metadata", "Show {}'s metadata."),
        (create_metadata, "POST", path, on, create, "Add to {}'s metadata."),
        (replace_metadata, "PUT", path, on, f"volume:update_{single}_metadata", "Replace {}'s metadata."),
        (show_metadatum, "GET", one, looked_up, f"volume:get_{single}_metadata", "Show a key of {}'s metadata."),
        (update_metadatum, "PUT", one, looked_up, f"volume:update_{single}_metadata", "Set a key of {}'s metadata."),
        (delete_metadatum, "DELETE", one, looked_up, f"volume:delete_{single}_metadata", "Delete a key of {}'s metadata."),
    ):  # fmt: skip
        handler.__doc__ = sentence.format(f"a {single}")
        api.route(method, where, policy=rule, on=lookup, status=200)(handler)


_declare("volumes", "volume", volume, "volume:create_volume_metadata")
_declare("snapshots", "snapshot", snapshot, "volume:update_snapshot_metadata")
