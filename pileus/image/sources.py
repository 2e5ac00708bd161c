"""Where imports find bytes: on the web, and in image services of this cloud's regions."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from pileus import identity
from pileus.core.errors import EngineError, Fault
from pileus.core.saga import Run
from pileus.image import cache, data, images
from pileus.image.drivers import Stores
from pileus.image.resources import DISK_FORMATS, IMAGE
from pileus.image.store import ACTIVE, Image
from pileus.image.web import WebError, download

MAX_DESCRIPTION = 1 << 20


def open_web(stores: Stores, source: dict[str, Any]) -> Iterable[bytes]:
    """Raises EngineError, BadRequest."""
    try:
        return _told(download(source["uri"], stores.options.web))
    except WebError as error:
        raise EngineError(f"The image could not be downloaded: {error}") from None


def _told(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except WebError as error:
        raise EngineError(f"The image could not be downloaded: {error}") from None


def open_glance(run: Run, source: dict[str, Any]) -> tuple[Iterable[bytes], dict[str, Any]]:
    """The bytes of another image, with what is taken over from it. Raises EngineError, NotFound."""
    with run.db.read() as tx:
        endpoint = next(
            (
                endpoint["url"]
                for service in identity.service_catalog(tx, run.row.project_id, run.row.user_id)
                if service["type"] == "image"
                for endpoint in service["endpoints"]
                if endpoint["region"] == source["region"] and endpoint["interface"] == source["interface"]
            ),
            None,
        )
    if endpoint is None:
        raise EngineError(f"There is no {source['interface'][:50]} image service in region {source['region'][:50]!r}.")
    if _is_ours(run, endpoint):
        return _ours(run, source["image_id"])
    # of the caller's, good for one hour at most, and never written down
    token, _ = run.cloud.tokens.issue(run.row.user_id, ["password"], "project", run.row.project_id)
    headers = {"X-Auth-Token": token}
    address = f"{endpoint.rstrip('/')}/v2/images/{source['image_id']}"
    try:
        described = b"".join(_at_most(download(address, _stores(run).options.web, headers=headers, trusted=True)))
        shown = json.loads(described)
        if not isinstance(shown, dict) or shown.get("status") != ACTIVE:
            raise EngineError(f"Image {source['image_id']} is not active there.")
        chunks = download(f"{address}/file", _stores(run).options.web, headers=headers, trusted=True)
    except WebError as error:
        raise EngineError(f"The image could not be downloaded: {error}") from None
    except ValueError:
        raise EngineError("The other image service describes the image in no way that is known here.") from None
    return _told(chunks), _taken_over(run, shown)


def _at_most(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = MAX_DESCRIPTION
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise EngineError("The other image service's description of the image has no end.")
        yield chunk


def _is_ours(run: Run, endpoint: str) -> bool:
    ours = {urlsplit(url).netloc for url in (run.cloud.settings.url, run.cloud.settings.bodies_url)}
    return urlsplit(endpoint).netloc in ours


def _ours(run: Run, image_id: str) -> tuple[Iterable[bytes], dict[str, Any]]:
    """As the caller may see it; no way round through the network."""
    try:
        with run.db.read() as tx:
            image = images.get_image(tx, run.ctx, image_id)
        if image.status != ACTIVE:
            raise EngineError(f"Image {image_id} is {image.status}, not active.")
        body = data.read(run.cloud, image)
    except Fault as error:
        raise EngineError(error.message) from None
    return cache.chunks_of(body), _taken_over(run, _flat(image))


def _flat(image: Image) -> dict[str, Any]:
    return {**image.properties, "disk_format": image.disk_format, "container_format": image.container_format}


def _taken_over(run: Run, shown: dict[str, Any]) -> dict[str, Any]:
    if shown.get("disk_format") not in DISK_FORMATS or not isinstance(shown.get("container_format"), str):
        raise EngineError("The other image has formats that are not known here.")
    prefixes = tuple(_stores(run).options.copied_properties)
    return {
        **{
            name: value
            for name, value in shown.items()
            if name.startswith(prefixes) and isinstance(value, str) and name not in IMAGE.fields
        },
        "disk_format": shown["disk_format"],
        "container_format": shown["container_format"],
    }


def _stores(run: Run) -> Stores:
    stores: Stores = run.cloud.drivers["image"]
    return stores
