"""Imports: how an image's bytes come by other ways than an upload. What is asked is judged here; `sagas.py` does it."""

import re
from typing import Any

import msgspec

from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.image import data, limits, locations, tasks
from pileus.image.drivers import Stores
from pileus.image.sagas import IMPORT
from pileus.image.store import ACTIVE, IMPORTING, QUEUED, STAGED, Image, Importing, Task
from pileus.image.web import check_url

DIRECT, WEB, COPY, GLANCE = "glance-direct", "web-download", "copy-image", "glance-download"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")


class Asked(msgspec.Struct):
    """An import as it was asked for."""

    method: str
    stores: list[str]
    explicit: bool  # the stores were named, not all of them meant
    must_succeed: bool
    source: dict[str, Any]
    body: dict[str, Any]


def parse(stores: Stores, body: dict[str, Any], header: str | None) -> Asked:
    """Raises BadRequest, naming what is wrong."""
    method = body.get("method")
    name = method.get("name") if isinstance(method, dict) else None
    if not isinstance(method, dict) or not isinstance(name, str):
        raise BadRequest("Invalid input: the body must have 'method', an object with a 'name'.")
    if name not in stores.options.import_methods:
        offered = ", ".join(stores.options.import_methods)
        raise BadRequest(f"The import method {name[:100]!r} is not offered here; there is {offered}.")
    must_succeed = body.get("all_stores_must_succeed", True)
    if not isinstance(must_succeed, bool):
        raise BadRequest("Invalid input: 'all_stores_must_succeed' must be true or false.")
    names, explicit = _stores(stores, body, header)
    return Asked(name, names, explicit, must_succeed, _source(stores, name, method), body)


def _stores(stores: Stores, body: dict[str, Any], header: str | None) -> tuple[list[str], bool]:
    named, everywhere = body.get("stores"), body.get("all_stores", False)
    if not isinstance(everywhere, bool):
        raise BadRequest("Invalid input: 'all_stores' must be true or false.")
    if everywhere:
        if named is not None or header is not None:
            raise BadRequest("Invalid input: 'all_stores' is true, so no stores can be named beside it.")
        return stores.writable, False
    if named is None:
        named = [header if header is not None else stores.default_name]
    if not isinstance(named, list) or not named or not all(isinstance(name, str) for name in named):
        raise BadRequest("Invalid input: 'stores' must be a list of stores' names.")
    for name in named:
        data.writable_store(stores, name)
    return stores.ordered(named), True


def _source(stores: Stores, name: str, method: dict[str, Any]) -> dict[str, Any]:
    """Where the bytes shall come from."""
    if name == WEB:
        uri = method.get("uri")
        if uri is None:
            raise BadRequest("Invalid input: web-download needs a 'uri'.")
        check_url(uri, stores.options.web)
        return {"uri": uri, **locations.promised(method)}
    if name == GLANCE:
        image_id = method.get("glance_image_id")
        region, interface = method.get("glance_region"), method.get("glance_service_interface", "public")
        if not isinstance(image_id, str) or not _UUID.fullmatch(image_id):
            raise BadRequest("Invalid input: the remote image id does not look like a UUID.")
        if not isinstance(region, str) or not isinstance(interface, str):
            raise BadRequest("Invalid input: glance-download needs a 'glance_region'.")
        return {"image_id": image_id, "region": region, "interface": interface}
    return {}


def import_image(tx: Tx, stores: Stores, ctx: Context, image: Image, asked: Asked) -> Task:
    """Begin an import. Raises Conflict when the image is not in the state for it, BadRequest without its formats."""
    wanted = {DIRECT: STAGED, WEB: QUEUED, GLANCE: QUEUED, COPY: ACTIVE}[asked.method]
    if image.status != wanted:
        hint = ": its data must be staged before" if asked.method == DIRECT else " for"
        raise Conflict(f"Image {image.id} is {image.status}, not {wanted}{hint} a {asked.method} import.")
    if asked.method != GLANCE:
        data.check_formats(image)
    targets = asked.stores
    if asked.method == COPY:
        present = {location.store for location in image.locations}
        if asked.explicit and (there := present & set(targets)):
            raise Conflict(f"Image {image.id} is already present at {', '.join(sorted(there))}.")
        targets = [name for name in targets if name not in present]
    if asked.method in (WEB, GLANCE):
        limits.room(tx, image, staging=True)
        limits.check_uploading(tx, image)
    else:
        limits.check_stored(tx, image, image.size or 0, len(targets))
    return begin(
        tx, stores, ctx, image, "api_image_import", {"image_id": image.id, "import_req": asked.body}, asked, targets
    )


def begin(
    tx: Tx, stores: Stores, ctx: Context, image: Image, kind: str, told: dict[str, Any], asked: Asked,
    targets: list[str], made: bool = False,
) -> Task:  # fmt: skip
    """The task, the image's state and the saga, together. An image `made` for the import goes if that fails."""
    task = tasks.create_task(tx, ctx, kind, image.id, image.project_id, told)
    status = image.status if asked.method == COPY else IMPORTING
    key = image.data if asked.method == DIRECT else data.new_key(image.id)
    tx.update(
        Image,
        image.id,
        status=status,
        importing=Importing(task.id, targets),
        data=None if asked.method == COPY else key,
        updated_at=clock.now(),
    )
    inject = not set(ctx.roles) & set(stores.options.inject_not_for)
    saga.start(
        tx, IMPORT, f"image/{image.id}", ctx, task=task.id, method=asked.method, source=asked.source, stores=targets,
        must_succeed=asked.must_succeed, staged=key, key=data.new_key(image.id), made=made,
        inject=stores.options.inject if inject and asked.method != COPY else {},
    )  # fmt: skip
    return task


def import_url(tx: Tx, stores: Stores, ctx: Context, image: Image, url: str, told: dict[str, Any]) -> Task:
    """What POST /v2/tasks asks for: an image that was made for it gets its bytes from an address."""
    asked = Asked(WEB, [stores.default_name], True, True, {"uri": url}, told)
    return begin(tx, stores, ctx, image, "import", told, asked, asked.stores, made=True)
