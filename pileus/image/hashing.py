"""Hashes that follow their bytes: who sends faster than md5 and sha512 can be made is not kept waiting for them.

The image is active when its bytes are safe; a saga, begun in that same transaction, reads them once more. Whoever looks at
the image meanwhile is answered when it is done (`api/images.py`), and no host takes the image before (docs/adr/0009).
"""

import errno
import fcntl
import os
import time
from io import FileIO
from pathlib import Path
from typing import Any

from pileus.core import clock, log, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import EngineError
from pileus.core.hashes import Hashes
from pileus.core.saga import Cancelled, Run, Saga, Step
from pileus.image.drivers.base import StoreError
from pileus.image.store import Image

_log = log.logger("pileus.image")
KIND = "image-hash"
ALGORITHM = "sha512"
LOOK = 1.0  # seconds between two looks whether the image is still there


def start(tx: Tx, image_id: str, store: str, key: str) -> None:
    saga.start(tx, HASH, f"image/{image_id}", Context(), store=store, key=key)


def pending(tx: Tx, image: Image) -> bool:
    """Are this image's hashes being made?"""
    if image.os_hash_value is not None or image.os_hash_algo is None:
        return False
    return any(row.kind == KIND for row in saga.unfinished(tx, f"image/{image.id}"))


def hash_data(run: Run) -> None:
    """Read all of it once more. Repeated, it finds the same."""
    stores = run.cloud.drivers["image"]
    looked = time.monotonic()
    try:
        path = stores[run.data["store"]].path(run.data["key"])
        with Hashes((ALGORITHM, "md5")) as hashes, _open(path) as file:
            while count := _read(file, hashes.free()):
                hashes.filled(count)
                if time.monotonic() - looked > LOOK:
                    looked = time.monotonic()
                    _check_wanted(run)
            sha512, md5 = hashes.finish()
    except (StoreError, OSError) as error:
        _check_wanted(run)
        raise EngineError(f"the data of image {run.id} cannot be read: {error}") from None
    where: dict[str, Any] = {"id": run.id, "os_hash_value": None}
    with run.db.write() as tx:
        tx.update(Image, where, os_hash_value=sha512, checksum=md5, updated_at=clock.now())


def _open(path: Path) -> FileIO:
    """Past the page cache, as it was written: the buffers of `Hashes` begin with a page, and are whole ones."""
    try:
        return open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_DIRECT))
    except OSError:  # not on this file system
        return open(path, "rb", buffering=0)


def _read(file: FileIO, room: memoryview) -> int:
    try:
        return file.readinto(room)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # not from the middle of a block on, where a file may end
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) & ~os.O_DIRECT)
    return file.readinto(room)


def mark_unhashed(run: Run, error: BaseException) -> None:
    """It stays an image without hashes, as one that was made from a location is."""
    _log.warning("image data could not be hashed", extra={"image": run.id, "error": str(error)})


def _check_wanted(run: Run) -> None:
    with run.db.read() as tx:
        if tx.find(Image, id=run.id) is None:
            raise Cancelled("the image was deleted")


HASH = Saga(KIND, version=1, failed=mark_unhashed, steps=[Step(hash_data)])
