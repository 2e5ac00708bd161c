"""Bodies of images: a large one up and down, ten at once, the first byte; against copies of that file in the same run.

The client is one that does not get in the way: it sends a file from where it lies in memory, and lets the kernel move
what arrives to a file (splice(2)). Copies and downloads are measured in turns and in the same states: with the data
in memory, and without; each time to a new file, since a machine in a machine pays for memory that it has not touched
for a while.
"""

import fcntl
import hashlib
import http.client
import mmap
import os
import shutil
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.client import Cloud, Connection, p50
from bench.measures import Line

CHUNK = 1 << 20
ROUNDS = 3
BYTES = "Content-Type: application/octet-stream"


def images(cloud: Cloud, mib: int = 1024) -> Iterator[Line]:
    source, copy = cloud.state / "bench.raw", cloud.state / "bench.copy"
    block = os.urandom(CHUNK)
    with source.open("wb") as file:
        for _ in range(mib):
            file.write(block)
    http = cloud.service("image")
    before = cloud.pss()
    made: list[str] = []

    def upload() -> None:
        made.append(_create(http, "big"))
        send(http, f"/v2/images/{made[-1]}/file", source, BYTES, status=204)

    def upload_and_look() -> None:
        upload()
        assert http.call("GET", f"/v2/images/{made[-1]}")["os_hash_value"]

    def fresh_copy() -> None:
        copy.unlink(missing_ok=True)
        if made:
            http.call("GET", f"/v2/images/{made[-1]}")  # answered when nothing of it is left to do

    works = [lambda: copy_file(source, copy), lambda: _hashed_copy(source, copy), upload, upload_and_look]
    raw, hashed, up, seen = in_turns(mib, works, fresh_copy)
    image, data = made[-1], max((cloud.state / "images").glob("*.*"), key=lambda path: path.stat().st_mtime)
    told = f"raw copy {raw:.0f} MiB/s"
    yield Line(f"copy of {mib} MiB and its md5 and sha512, all at once", hashed, "MiB/s", told, hashed / raw)
    yield Line(f"image upload, {mib} MiB, to ACTIVE", up, "MiB/s", told, up / raw, "0.7 of the copy")
    told = f"copy and hashes {hashed:.0f} MiB/s"
    yield Line("image upload, until its hashes are there", seen, "MiB/s", told, seen / hashed)

    def download() -> None:
        receive(http, f"/v2/images/{image}/file", copy)

    for line, found in downloads(mib, "image", source, data, copy, download):
        yield line
        raw = found
    copy.unlink()
    for what, work in (("an upload", upload), ("a download", download)):
        at_rest = cloud.pss()
        more = _peak(cloud, work) - at_rest
        yield Line(f"controller's PSS during {what}, more than before", more, "MiB", wanted="at most 64 MiB")
    yield Line("controller's PSS after all that, more than before", cloud.pss() - before, "MiB")
    http = cloud.service("image")  # the last one has been idle for long, and may be closed
    yield Line("first byte of a download, p50", p50(lambda: _first(http, image), 20), "ms", wanted="at most 10 ms")
    yield from _ten(cloud, image, raw)
    source.unlink()
    copy.unlink()


def downloads(
    mib: int, what: str, source: Path, data: Path, copy: Path, download: Callable[[], Any]
) -> Iterator[tuple[Line, float]]:
    """With nothing in memory, and with all, each with its reference: `data` is where the controller has the body."""

    def fresh(cold: bool) -> None:
        copy.unlink(missing_ok=True)
        for path in (source, data) if cold else ():
            _forget(path)

    for state, cold in (("not in memory", True), ("in memory", False)):
        works = [lambda: copy_file(source, copy), download]
        raw, down = in_turns(mib, works, lambda cold=cold: fresh(cold))  # type: ignore[misc]
        reference = f"raw copy of what is {state} {raw:.0f} MiB/s"
        line = Line(
            f"{what} download, {mib} MiB, data {state}", down, "MiB/s", reference, down / raw, "0.7 of the copy"
        )
        yield line, raw


def in_turns(mib: int, works: list[Callable[[], Any]], before: Callable[[], Any]) -> list[float]:
    """Medians, in MiB/s: disks and neighbours have moods, and turns share them."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, speeds in zip(works, found, strict=True):
            before()
            speeds.append(mib / _taken(work))
    return [statistics.median(speeds) for speeds in found]


def _peak(cloud: Cloud, work: Callable[[], Any]) -> float:
    """The controller's largest PSS seen meanwhile, in MiB."""
    seen, over = [cloud.pss()], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.append(cloud.pss())

    watcher = threading.Thread(target=look)
    watcher.start()
    work()
    over.set()
    watcher.join()
    return max(seen)


def _forget(path: Path) -> None:
    """Let the system drop a file's data from memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _ten(cloud: Cloud, image: str, raw: float) -> Iterator[Line]:
    """At once, to nowhere, until the first has all: how evenly they share, and what all of them get together."""
    counts, over = [0] * 10, threading.Event()
    began = time.perf_counter()

    def one(number: int) -> None:
        with _get(cloud.service("image"), image) as response:
            while not over.is_set() and (chunk := response.read(CHUNK)):
                counts[number] += len(chunk)
        over.set()

    workers = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = sum(counts) / CHUNK / (time.perf_counter() - began)
    yield Line("ten downloads at once, together", total, "MiB/s", f"raw copy {raw:.0f} MiB/s", total / raw)
    slowest = min(counts) / (sum(counts) / 10)
    yield Line("of those the slowest, against their mean", slowest, "", wanted="near 1")


def _create(http: Connection, name: str) -> str:
    made = http.call("POST", "/v2/images", {"name": name, "disk_format": "raw", "container_format": "bare"})
    return str(made["id"])


def _open(http: Connection, method: str, path: str, *headers: str) -> socket.socket:
    """A request's head on a connection of its own."""
    address = urlsplit(f"http://{http.http.host}:{http.http.port}")
    connection = socket.create_connection((address.hostname, address.port), timeout=120)
    lines = [
        f"{method} {http.prefix}{path} HTTP/1.1",
        f"Host: {address.netloc}",
        f"X-Auth-Token: {http.token}",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return connection


def send(http: Connection, path: str, source: Path, *headers: str, status: int) -> None:
    length = f"Content-Length: {source.stat().st_size}"
    with _open(http, "PUT", path, length, *headers) as connection, source.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as whole:
            for begin in range(0, len(whole), CHUNK):
                with whole[begin : begin + CHUNK] as piece:
                    connection.sendall(piece)
        answer = connection.recv(4096)
    assert f" {status} ".encode() in answer.partition(b"\r\n")[0], answer


def _get(http: Connection, image: str) -> http.client.HTTPResponse:
    http.http.request("GET", f"{http.prefix}/v2/images/{image}/file", headers={"X-Auth-Token": http.token})
    return http.http.getresponse()


def receive(http: Connection, path: str, target: Path) -> None:
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, CHUNK)
    with _open(http, "GET", path) as connection, target.open("wb", buffering=0) as file:
        connection.settimeout(None)
        head, _, begin = connection.recv(1 << 16).partition(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head
        file.write(begin)
        while count := os.splice(connection.fileno(), into, CHUNK, flags=os.SPLICE_F_MOVE):
            while count:
                count -= os.splice(out, file.fileno(), count, flags=os.SPLICE_F_MOVE)
        os.fsync(file.fileno())
    os.close(out)
    os.close(into)


def _first(http: Connection, image: str) -> None:
    response = _get(http, image)
    assert response.read(1)
    http.http.close()  # the rest is not wanted


def copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _hashed_copy(source: Path, target: Path) -> None:
    """What an upload has to do at the least, all at once: nothing of it waits for another part."""

    def digest(name: str) -> None:
        with source.open("rb") as file:
            hashlib.file_digest(file, name)

    workers = [threading.Thread(target=digest, args=(name,)) for name in ("md5", "sha512")]
    for worker in workers:
        worker.start()
    copy_file(source, target)
    for worker in workers:
        worker.join()


def _taken(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
