"""Bodies of objects: a large one up and down, and small ones; against copies of that file in the same run."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bench.client import Cloud, p50
from bench.images import BYTES, CHUNK, copy_file, downloads, in_turns, receive, send
from bench.measures import Line


def objects(cloud: Cloud, mib: int = 1024) -> Iterator[Line]:
    source, copy = cloud.state / "bench.raw", cloud.state / "bench.copy"
    block = os.urandom(CHUNK)
    with source.open("wb") as file:
        for _ in range(mib):
            file.write(block)
    http = cloud.service("object-store")
    http.call("PUT", "/bench")
    works = [
        lambda: copy_file(source, copy),
        lambda: _hashed_copy(source, copy),
        lambda: send(http, "/bench/big", source, BYTES, status=201),
    ]
    raw, hashed, up = in_turns(mib, works, lambda: copy.unlink(missing_ok=True))
    told = f"copy and md5 {hashed:.0f} MiB/s"
    yield Line(
        f"copy of {mib} MiB and its md5, all at once", hashed, "MiB/s", f"raw copy {raw:.0f} MiB/s", hashed / raw
    )
    yield Line(f"object upload, {mib} MiB", up, "MiB/s", told, up / hashed, "0.7 of it")
    data = max((cloud.state / "objects").glob("??/*"), key=lambda path: path.stat().st_mtime)
    for line, _ in downloads(mib, "object", source, data, copy, lambda: receive(http, "/bench/big", copy)):
        yield line
    numbers = iter(range(10_000))
    yield Line("object of 5 bytes put, p50", p50(lambda: http.call("PUT", f"/bench/{next(numbers)}", {}), 200), "ms")
    yield Line("the same got, p50", p50(lambda: http.call("GET", "/bench/0"), 200), "ms")
    source.unlink()
    copy.unlink(missing_ok=True)


def _hashed_copy(source: Path, target: Path) -> None:
    """What an upload has to do at the least, at once: its answer names the md5."""

    def digest() -> None:
        with source.open("rb") as file:
            hashlib.file_digest(file, "md5")

    worker = threading.Thread(target=digest)
    worker.start()
    copy_file(source, target)
    worker.join()
