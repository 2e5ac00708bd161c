"""Long operations on images: import, and hashing what was given by its address."""

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from pileus.core import clock, log, qemu_img
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, EngineError, Fault
from pileus.core.hashes import Hashes
from pileus.core.saga import Cancelled, Run, Saga, Step
from pileus.image import cache, data, formats, limits, signatures, tasks
from pileus.image.drivers import Stores
from pileus.image.drivers.base import Store, StoreError, StoreFull
from pileus.image.drivers.filesystem import FileStore
from pileus.image.hashing import HASH
from pileus.image.intake import Promised, Written, take
from pileus.image.sources import open_glance, open_web
from pileus.image.store import ACTIVE, IMPORTING, QUEUED, Image, Importing, Location

_log = log.logger("pileus.image")
LOOK = 1.0  # seconds between two looks whether the image is still there


# -- import ------------------------------------------------------------------------------------------------------------


def stage_data(run: Run) -> dict[str, Any] | None:
    """The bytes lie in the staging store, hashed. Staged or copied ones are there already."""
    with run.db.write() as tx:
        tasks.process_task(tx, run.data["task"])
        image = tx.get(Image, id=run.id)
        method = run.data["method"]
        room = limits.room(tx, image, staging=True) if method in ("web-download", "glance-download") else 0
    if method == "web-download":
        chunks, properties = open_web(_stores(run), run.data["source"]), None
    elif method == "glance-download":
        chunks, properties = open_glance(run, run.data["source"])
    else:
        return None
    if properties is not None:
        image = _adopt(run, image, properties)
    written = _receive(run, image, run.data["staged"], chunks, room)
    return {"written": list(written)}


def drop_staged(run: Run) -> None:
    if run.data["method"] != "copy-image":
        _stores(run).staging.delete(run.data["staged"])
        if run.data.get("converted"):
            _stores(run).staging.delete(run.data["converted"])


def examine_data(run: Run) -> dict[str, Any] | None:
    """Signature and format as they should be; converted where the operator wants another format."""
    if run.data["method"] == "copy-image":
        return None
    stores, image = _stores(run), _image(run)
    path = stores.staging.path(run.data["staged"])
    if signatures.is_signed(image) and run.data["method"] == "glance-direct":
        _pass(path, signatures.verifiers(run.cloud, image))
    wanted = stores.options.convert_to
    if not wanted or image.disk_format in (wanted, "iso") or image.container_format != "bare":
        return None
    _pass(path, [_Checked(formats.inspector(image.disk_format, "bare", True))])
    key = run.data["key"] + ".new"
    target = stores.staging.incoming / key
    qemu_img.convert(path, image.disk_format or "raw", target, wanted)
    target.rename(stores.staging.folder / key)
    chunks = cache.chunks_of(stores.staging.read(key))
    written = take(chunks, len, disk_format=wanted, container_format="bare", checking=True)
    with run.db.write() as tx:
        tx.update(Image, run.id, disk_format=wanted, updated_at=clock.now())
    return {"converted": key, "written": list(written), "format": image.disk_format}


def restore_format(run: Run) -> None:
    if run.data.get("format"):
        with run.db.write() as tx:
            tx.update(Image, run.id, disk_format=run.data["format"])


def store_data(run: Run) -> dict[str, Any] | None:
    """In every store that was asked for, one after another; each is noted as it is done."""
    stores, image = _stores(run), _image(run)
    problem: Exception | None = None
    done = [location.store for location in image.locations if location.key == run.data["key"]]
    size = run.data["written"][0] if run.data.get("written") else image.size or 0
    with run.db.write() as tx:
        limits.check_stored(tx, image, size, len(set(run.data["stores"]) - set(done)))
    for name in run.data["stores"]:
        if name in done:
            continue
        try:
            source = _source(run, image)
            _copy(run, image, source, stores[name], run.data["key"])
        except (StoreError, StoreFull, FileNotFoundError) as error:
            problem = error
            _log.warning("an image was not imported to a store", extra={"image": run.id, "why": str(error)})
            _note(run, failed=name)
            if run.data["must_succeed"]:
                raise EngineError(f"The image could not be stored in {name}: {error}") from None
            continue
        _note(run, stored=name)
        done.append(name)
    if problem is not None and not done:
        raise EngineError(f"The image could not be stored: {problem}")
    return None


def unstore_data(run: Run) -> None:
    """Also of an image that is gone."""
    stores, key = _stores(run), run.data["key"]
    with run.db.write() as tx:
        image = tx.find(Image, id=run.id)
        if image is not None:
            rest = [location for location in image.locations if location.key != key]
            tx.update(Image, run.id, locations=rest)
    for name in run.data["stores"]:
        with contextlib.suppress(StoreError, FileNotFoundError):  # the sweep comes by later
            stores[name].delete(key)


def finish_import(run: Run) -> None:
    """The image is active, with its facts and the properties an operator gives every import."""
    with run.db.write() as tx:
        image = tx.get(Image, id=run.id)
        _make_active(tx, run, image)
        tx.update(Image, run.id, data=None, updated_at=clock.now())


def clear_staging(run: Run) -> None:
    drop_staged(run)


def mark_imported(run: Run) -> None:
    with run.db.write() as tx:
        tasks.end_task(tx, run.data["task"], tasks.SUCCESS, result={"image_id": run.id})


def mark_not_imported(run: Run, error: BaseException) -> None:
    """The image waits for its data again; one that was made for the import goes."""
    message = _words(error)
    with run.db.write() as tx:
        tasks.end_task(tx, run.data["task"], tasks.FAILURE, message)
        image = tx.find(Image, id=run.id)
        if image is None:
            return
        if run.data["made"]:
            tx.delete(Image, id=run.id)
        elif run.data["method"] == "copy-image":
            tx.update(Image, run.id, importing=Importing(run.data["task"], [], run.data["stores"]))
        else:
            nothing = dict.fromkeys(("data", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value"))
            failed = Importing(run.data["task"], [], run.data["stores"])
            tx.update(Image, run.id, status=QUEUED, importing=failed, locations=[], updated_at=clock.now(), **nothing)


def _make_active(tx: Tx, run: Run, image: Image) -> None:
    values: dict[str, Any] = {}
    if written := run.data.get("written"):
        values = data.facts(Written(*written))
    if run.data["inject"]:
        values["properties"] = {**image.properties, **run.data["inject"]}
    status = ACTIVE if image.status == IMPORTING else image.status
    tx.update(Image, image.id, status=status, updated_at=clock.now(), **values)


def _note(run: Run, stored: str | None = None, failed: str | None = None) -> None:
    """One store more that has the data, or will not have it. Raises Cancelled when the image is gone."""
    with run.db.write() as tx:
        image = tx.find(Image, id=run.id)
        if image is None:
            raise Cancelled("the image was deleted")
        before = image.importing or Importing(run.data["task"], [])
        after = Importing(
            before.task,
            [name for name in before.to if name not in (stored, failed)],
            [*before.failed, *([failed] if failed and failed not in before.failed else [])],
        )
        locations = list(image.locations)
        if stored:
            locations.append(Location(stored, run.data["key"]))
        tx.update(Image, run.id, importing=after, locations=locations)
        if stored and not run.data["must_succeed"] and image.status == IMPORTING:
            _make_active(tx, run, image)  # usable from its first store on


def _source(run: Run, image: Image) -> Path:
    """The file that is copied into the stores."""
    if run.data["method"] == "copy-image":
        others = [location for location in image.locations if location.key != run.data["key"]]
        return data.local_path(run.cloud, msgspec.structs.replace(image, locations=others or image.locations))
    return _stores(run).staging.path(run.data.get("converted") or run.data["staged"])


def _copy(run: Run, image: Image, source: Path, store: Store, key: str) -> None:
    if isinstance(store, FileStore) and run.data["method"] != "copy-image" and store.take(key, source):
        return
    promised = run.data["written"][3] if run.data.get("written") else image.os_hash_value
    algorithm = "sha512" if run.data.get("written") else image.os_hash_algo or "sha512"
    writer = store.create(key)
    try:
        with Hashes((algorithm,), writer.write) as hashes, source.open("rb", buffering=0) as file:
            for chunk in _watched(run, iter(lambda: file.read(limits.MIB), b"")):
                hashes.eat(chunk)
            (value,) = hashes.finish()
        if promised is not None and value != promised:
            raise StoreError("its bytes are not those of its hash any more")
        writer.finish()
    except BaseException:
        writer.discard()
        raise
    finally:
        writer.close()


def _receive(run: Run, image: Image, key: str, chunks: Iterable[bytes], room: int) -> Written:
    """Into the staging store."""
    promise = run.data["source"]
    sinks: list[Any] = list(signatures.verifiers(run.cloud, image))
    if "os_hash_value" in promise:
        sinks.append(Promised(promise["os_hash_algo"], promise["os_hash_value"], BadRequest))
    if "checksum" in promise:
        sinks.append(Promised("md5", promise["checksum"], BadRequest))
    writer = data.storing(_stores(run).staging.create, key)
    try:
        checking = run.cloud.settings.image_content_check
        written = data.receive(writer, _watched(run, chunks), image, room, checking, sinks)
        data.storing(writer.finish)
        return written
    except BaseException:
        writer.discard()
        raise
    finally:
        writer.close()


def _watched(run: Run, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same, until the image is deleted. Raises Cancelled."""
    looked = time.monotonic()
    for chunk in chunks:
        if time.monotonic() - looked > LOOK:
            looked = time.monotonic()
            with run.db.read() as tx:
                if tx.find(Image, id=run.id) is None:
                    raise Cancelled("the image was deleted")
        yield chunk


def _adopt(run: Run, image: Image, properties: dict[str, Any]) -> Image:
    """What the image takes over from the one it is downloaded from."""
    with run.db.write() as tx:
        changes: dict[str, Any] = {name: properties.pop(name) for name in ("disk_format", "container_format")}
        changes["properties"] = {**image.properties, **properties}
        tx.update(Image, run.id, **changes)
        return tx.get(Image, id=run.id)


def _pass(path: Path, sinks: list[Any]) -> None:
    """Let a file's bytes be seen."""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(limits.MIB):
            for sink in sinks:
                sink.eat(chunk)
    for sink in sinks:
        sink.finish()


class _Checked:
    """A format's inspector; what virtual size it found does not matter here."""

    def __init__(self, inspector: formats.Inspector):
        self.eat = inspector.eat
        self.finish = inspector.finish


def _image(run: Run) -> Image:
    with run.db.read() as tx:
        image = tx.find(Image, id=run.id)
    if image is None:
        raise Cancelled("the image was deleted")
    return image


def _stores(run: Run) -> Stores:
    stores: Stores = run.cloud.drivers["image"]
    return stores


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, Fault) else str(error) or type(error).__name__


IMPORT = Saga(
    "image-import",
    version=1,
    failed=mark_not_imported,
    done=mark_imported,
    steps=[
        Step(stage_data, undo=drop_staged),
        Step(examine_data, undo=restore_format),
        Step(store_data, undo=unstore_data),
        Step(finish_import),
        Step(clear_staging),
    ],
)


# -- a location --------------------------------------------------------------------------------------------------------


def hash_data(run: Run) -> None:
    """Read all of it once; what was promised has to be true."""
    with run.db.write() as tx:
        tasks.process_task(tx, run.data["task"])
    promise = run.data["promise"]
    algorithm = promise.get("os_hash_algo", "sha512")
    image = _image(run)
    body = _stores(run)[run.data["store"]].read(run.data["key"])
    size, digest, md5 = 0, hashlib.new(algorithm, usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    try:
        for chunk in _watched(run, cache.chunks_of(body)):
            size += len(chunk)
            if size > (image.size or 0):
                break
            digest.update(chunk)
            md5.update(chunk)
    except StoreError as error:
        raise EngineError(str(error)) from None
    if size != image.size:
        raise EngineError(f"The location was said to have {image.size} bytes, but it has not.")
    if promise.get("os_hash_value", digest.hexdigest()) != digest.hexdigest():
        raise EngineError(f"The data's {algorithm} is {digest.hexdigest()}: that is not the one in validation_data.")
    if promise.get("checksum", md5.hexdigest()) != md5.hexdigest():
        raise EngineError(f"The data's checksum is {md5.hexdigest()}: that is not the one in validation_data.")
    location = Location(run.data["store"], run.data["key"], run.data["metadata"])
    known = {"checksum": md5.hexdigest(), "os_hash_algo": algorithm, "os_hash_value": digest.hexdigest()}
    with run.db.write() as tx:
        tx.update(Image, run.id, **known, updated_at=clock.now())
        tx.update(Image, {"id": run.id, "status": IMPORTING}, status=ACTIVE, locations=[location])


def mark_located(run: Run) -> None:
    with run.db.write() as tx:
        tasks.end_task(tx, run.data["task"], tasks.SUCCESS, result={"image_id": run.id})


def mark_not_located(run: Run, error: BaseException) -> None:
    """Queued again where a hash was promised. Where it was said to be stays to be seen: nothing of it is ours to delete."""
    location = Location(run.data["store"], run.data["key"], run.data["metadata"])
    unknown = dict.fromkeys(("checksum", "os_hash_algo", "os_hash_value"))
    with run.db.write() as tx:
        tasks.end_task(tx, run.data["task"], tasks.FAILURE, _words(error))
        tx.update(Image, run.id, updated_at=clock.now(), **unknown)
        tx.update(Image, {"id": run.id, "status": IMPORTING}, status=QUEUED, locations=[location], size=None)


LOCATE = Saga("image-location", version=1, failed=mark_not_located, done=mark_located, steps=[Step(hash_data)])


SAGAS = [IMPORT, LOCATE, HASH]
