"""Bodies of images: a large one up and down, ten at once, the first byte; against copies of that file in the same run."""

import hashlib
import http.client
import os
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.client import Cloud, Connection, p50
from bench.measures import Line

CHUNK = 1 << 20
OCTETS = {"Content-Type": "application/octet-stream"}


def images(cloud: Cloud, mib: int = 1024) -> Iterator[Line]:
    source, copy = cloud.state / "bench.raw", cloud.state / "bench.copy"
    block = os.urandom(CHUNK)
    with source.open("wb") as file:
        for _ in range(mib):
            file.write(block)
    copies = [_taken(lambda: _copy(source, copy))]
    hashed = mib / _taken(lambda: (_copy(source, copy), _hash(copy)))
    http = cloud.service("image")
    before = cloud.pss()
    image = _create(http, "big")
    up = mib / _taken(lambda: _upload(http, image, source))
    down = mib / _taken(lambda: _download(http, image, copy))
    memory = cloud.pss() - before
    copies.append(_taken(lambda: _copy(source, copy)))  # before and after: disks have moods
    raw = mib / statistics.mean(copies)
    told = f"raw copy {raw:.0f} MiB/s"
    yield Line(f"copy of {mib} MiB, then its md5 and sha512 at once", hashed, "MiB/s", told, hashed / raw)
    yield Line(f"image upload, {mib} MiB", up, "MiB/s", told, up / raw, "0.7 of the copy")
    yield Line(f"image download, {mib} MiB", down, "MiB/s", told, down / raw, "0.7 of the copy")
    yield Line("controller's PSS after both, more than before", memory, "MiB", wanted="at most 64 MiB")
    yield Line("first byte of a download, p50", p50(lambda: _first(http, image), 20), "ms", wanted="at most 10 ms")
    yield from _ten(cloud, image, raw)
    source.unlink()
    copy.unlink()


def _ten(cloud: Cloud, image: str, raw: float) -> Iterator[Line]:
    """At once, to nowhere: how evenly they share, and what all of them get together."""
    counts = [0] * 10
    end = time.perf_counter() + 5

    def one(number: int) -> None:
        with _get(cloud.service("image"), image) as response:
            while time.perf_counter() < end and (chunk := response.read(CHUNK)):
                counts[number] += len(chunk)

    workers = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = sum(counts) / CHUNK / 5
    yield Line("ten downloads at once, together", total, "MiB/s", f"raw copy {raw:.0f} MiB/s", total / raw)
    slowest = min(counts) / (sum(counts) / 10)
    yield Line("of those the slowest, against their mean", slowest, "", wanted="near 1")


def _create(http: Connection, name: str) -> str:
    made = http.call("POST", "/v2/images", {"name": name, "disk_format": "raw", "container_format": "bare"})
    return str(made["id"])


def _upload(http: Connection, image: str, source: Path) -> None:
    with source.open("rb") as file:
        http.http.blocksize = CHUNK
        headers = {**OCTETS, "Content-Length": str(source.stat().st_size)}
        status, answer, _ = http.raw("PUT", f"/v2/images/{image}/file", file, headers)
    assert status == 204, answer


def _get(http: Connection, image: str) -> http.client.HTTPResponse:
    http.http.request("GET", f"{http.prefix}/v2/images/{image}/file", headers={"X-Auth-Token": http.token})
    return http.http.getresponse()


def _download(http: Connection, image: str, target: Path) -> None:
    response = _get(http, image)
    with target.open("wb") as file:
        while chunk := response.read(CHUNK):
            file.write(chunk)
        os.fsync(file.fileno())


def _first(http: Connection, image: str) -> None:
    response = _get(http, image)
    assert response.read(1)
    http.http.close()  # the rest is not wanted


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _hash(path: Path) -> None:
    def one(name: str) -> None:
        with path.open("rb") as file:
            hashlib.file_digest(file, name)

    workers = [threading.Thread(target=one, args=(name,)) for name in ("md5", "sha512")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _taken(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
