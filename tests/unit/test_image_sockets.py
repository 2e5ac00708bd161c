"""Image data over real sockets: the server in front, clients that leave, resume, and are refused in the middle."""

import asyncio
import contextlib
import hashlib
import http.client
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pileus.core.file_bodies import CHUNK
from pileus.image import reconcile
from tests.harness import Client, World, eventually
from tests.spec.image.images import IMAGES, bare, show


class Served:
    """A cloud's application behind Granian, in a thread of this process."""

    def __init__(self, world: World):
        self.world = world
        self.member: Client = world.client("member", "reader")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        eventually(self._answers)

    def _serve(self) -> None:
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
        from granian.server.embed import Server

        asyncio.set_event_loop(self.loop)
        self.server = Server(
            self.world.application.asgi, address="127.0.0.1", port=self.port, interface=Interfaces.ASGI,
            http=HTTPModes.http1, http1_settings=HTTP1Settings(max_buffer_size=1 << 20), log_enabled=False,
        )  # fmt: skip
        self.loop.run_until_complete(self.server.serve())

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(10)

    def begin_upload(self, image: dict[str, Any], *headers: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        lines = [
            f"PUT {IMAGES}/{image['id']}/file HTTP/1.1", "Host: cloud.test", f"X-Auth-Token: {self.member.token}",
            "Content-Type: application/octet-stream", *headers, "", "",
        ]  # fmt: skip
        connection.sendall("\r\n".join(lines).encode())
        return connection

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"X-Auth-Token": str(self.member.token), **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def stored(self) -> set[str]:
        keys: set[str] = self.world.cloud.drivers["image"].keys()
        return keys


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world = World(tmp_path_factory.mktemp("served") / "cloud")
    made = Served(world)
    yield made
    made.stop()
    world.stop()


@pytest.mark.parametrize("abruptly", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("form", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_in_an_upload_leaves_the_image_queued_and_no_bytes(
    served: Served, form: str, abruptly: bool
) -> None:
    before = served.stored()
    image = bare(served.member)
    connection = served.begin_upload(image, form)
    part = bytes(CHUNK)
    connection.sendall(part if "Length" in form else b"%x\r\n%s\r\n" % (len(part), part))
    eventually(lambda: show(served.member, image)["status"] == "saving")
    reconcile.reconcile(served.world.cloud)
    assert show(served.member, image)["status"] == "saving"
    if abruptly:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    eventually(lambda: show(served.member, image)["status"] == "queued")
    eventually(lambda: served.stored() == before)


@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_of_any_size_arrive_and_are_resumed(served: Served, chunked: bool) -> None:
    image, data = bare(served.member), os.urandom(3 * CHUNK + 17)
    path = f"{IMAGES}/{image['id']}/file"
    body = iter([data[:100_000], data[100_000:]]) if chunked else data
    assert served.request("PUT", path, body, content_type="application/octet-stream") == (204, b"")
    assert show(served.member, image)["checksum"] == hashlib.md5(data).hexdigest()
    assert served.request("GET", path) == (200, data)
    assert served.request("GET", path, range=f"bytes={CHUNK}-") == (206, data[CHUNK:])
    assert served.request("GET", path, range="bytes=5-9") == (206, data[5:10])
    assert served.request("HEAD", path) == (200, b"")


def test_one_connection_serves_part_after_part(served: Served) -> None:
    image, data = bare(served.member), os.urandom(2 * CHUNK)
    path = f"{IMAGES}/{image['id']}/file"
    served.request("PUT", path, data, content_type="application/octet-stream")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    got = b""
    for begin in range(0, len(data), CHUNK // 2):
        headers = {"X-Auth-Token": str(served.member.token), "Range": f"bytes={begin}-{begin + CHUNK // 2 - 1}"}
        connection.request("GET", path, headers=headers)
        got += connection.getresponse().read()
    assert got == data


def test_a_client_may_wait_until_it_is_told_to_go_on(served: Served) -> None:
    image = bare(served.member)
    connection = served.begin_upload(image, "Content-Length: 5", "Expect: 100-continue")
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"bytes")
    assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")
    connection.close()
    connection = served.begin_upload(image, "Content-Length: 5", "Expect: 100-continue")
    assert connection.recv(1000).startswith(b"HTTP/1.1 409 "), "what is refused need not be sent"
    connection.close()


def test_a_deleted_image_is_read_to_its_end_by_whoever_had_begun(served: Served) -> None:
    image, data = bare(served.member), os.urandom(24 * CHUNK)
    path = f"{IMAGES}/{image['id']}/file"
    served.request("PUT", path, data, content_type="application/octet-stream")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", path, headers={"X-Auth-Token": str(served.member.token)})
    answer = connection.getresponse()
    first = answer.read(1000)
    served.member.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert first + answer.read() == data
