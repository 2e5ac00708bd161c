"""The server of bodies, on real sockets: bodies lent to threads, files sent by the kernel, connections that go on after."""

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pileus.core import bodies, file_bodies
from pileus.core.asgi import STREAM, Edge
from pileus.core.uploads import ClientGone, Upload
from pileus.core.wire import FileBody, Request, Response

BIG = os.urandom(3 * bodies.LARGE + 77)
Handle = Callable[[Request], Response]
Run = Callable[[Handle], "Client"]


class Client:
    """A socket that says exactly what a specification wants said."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    def send(self, method: str, path: str = "/", body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
        if body and not any("chunked" in header or "Content-Length" in header for header in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, b"" if head else self.file.read(int(headers.get("content-length", 0)))

    def ask(self, method: str, path: str = "/", body: bytes = b"", *headers: str) -> tuple[int, bytes]:
        self.send(method, path, body, *headers)
        status, _, found = self.answer(method == "HEAD")
        return status, found

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def run() -> Iterator[Run]:
    """Serve with this function; what begins with PUT is a stream."""
    opened = contextlib.ExitStack()

    def start(handle: Handle) -> Client:
        edge = Edge(handle, lambda rq: STREAM if rq.method == "PUT" else "", threads=1, stream_threads=3)
        server = bodies.server(edge, "127.0.0.1", 0)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
        thread.start()
        while not server.started:
            time.sleep(0.005)
        client = Client(server.servers[0].sockets[0].getsockname()[1])

        def stop() -> None:
            client.close()
            server.should_exit = True
            thread.join()
            edge.stop()

        opened.callback(stop)
        return client

    with opened:
        yield start


def digest(rq: Request) -> Response:
    found = hashlib.sha256()
    for piece in rq.upload if rq.method == "PUT" else [rq.body]:
        found.update(piece)
    return Response(found.hexdigest())


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


@pytest.mark.parametrize("size", [1, bodies.LARGE - 1, bodies.LARGE, len(BIG)])
def test_bodies_of_all_sizes_arrive_whole_one_after_another_on_one_connection(run: Run, size: int) -> None:
    client = run(digest)
    for _ in range(3):
        assert client.ask("PUT", "/", BIG[:size]) == (200, sha256(BIG[:size]))
        assert client.ask("POST", "/", b"small") == (200, sha256(b"small"))


def test_a_large_body_goes_straight_into_the_memory_of_who_takes_it(run: Run) -> None:
    kinds: list[str] = []

    def take(rq: Request) -> Response:
        assert isinstance(rq.upload, Upload)
        kinds.append(type(rq.upload).__name__)
        room, filled = bytearray(len(BIG) + 1), 0
        while count := rq.upload.readinto(memoryview(room)[filled:]):
            filled += count
        return Response(hashlib.sha256(room[:filled]).hexdigest())

    client = run(take)
    assert client.ask("PUT", "/", BIG) == (200, sha256(BIG))
    assert client.ask("PUT", "/", b"little") == (200, sha256(b"little"))
    assert kinds == ["Lent", "Pieces"]


def test_a_body_in_chunks_arrives_whole(run: Run) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BIG), BIG)
    client = run(digest)
    assert client.ask("PUT", "/", chunked, "Transfer-Encoding: chunked") == (200, sha256(BIG))
    assert client.ask("PUT", "/", b"x") == (200, sha256(b"x"))


@pytest.mark.parametrize("wanted", [0, 10, 2 << 20])
def test_what_is_left_of_a_refused_body_is_not_taken_for_the_next_request(run: Run, wanted: int) -> None:
    def refuse(rq: Request) -> Response:
        if rq.method == "PUT" and rq.path == "/":
            if wanted:
                assert isinstance(rq.upload, Upload)
                rq.upload.readinto(memoryview(bytearray(wanted)))
            return Response("no", 403)
        return digest(rq)

    client = run(refuse)
    assert client.ask("PUT", "/", BIG) == (403, b"no")
    assert client.ask("PUT", "/next", BIG) == (200, sha256(BIG))
    assert client.ask("POST", "/next", b"") == (200, sha256(b""))


def test_a_client_that_asks_first_is_told_to_go_on_only_when_its_body_is_wanted(run: Run) -> None:
    client = run(lambda rq: Response("no", 403) if rq.path == "/no" else digest(rq))
    length = f"Content-Length: {len(BIG)}"
    client.send("PUT", "/", b"", length, "Expect: 100-continue")
    assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n" and client.file.readline() == b"\r\n"
    client.socket.sendall(BIG)
    assert client.answer()[2] == sha256(BIG)
    client.send("PUT", "/no", b"", length, "Expect: 100-continue")
    status, headers, _ = client.answer()
    assert status == 403 and headers["connection"] == "close"
    assert client.file.read() == b""


def test_a_body_that_is_cut_off_is_not_taken_for_whole(run: Run) -> None:
    seen: list[BaseException] = []
    ended = threading.Event()

    def take(rq: Request) -> Response:
        try:
            list(rq.upload)
        except ClientGone as gone:
            seen.append(gone)
        ended.set()
        return Response(None, 400)

    client = run(take)
    client.send("PUT", "/", BIG[: 2 << 20], f"Content-Length: {len(BIG)}")
    client.socket.shutdown(socket.SHUT_WR)
    assert ended.wait(10) and seen


def test_a_client_that_falls_silent_is_given_up_and_told_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pileus.core.uploads.SILENCE", 0.1)

    def take(rq: Request) -> Response:
        with pytest.raises(ClientGone, match="nothing"):
            list(rq.upload)
        return Response("silent", 400)

    client = run(take)
    client.send("PUT", "/", BIG[:2000], f"Content-Length: {len(BIG)}")
    assert client.answer()[0] == 400


def test_requests_that_come_at_once_are_answered_in_order(run: Run) -> None:
    client = run(digest)
    client.send("POST", "/", b"one")
    client.send("PUT", "/", BIG)
    client.send("POST", "/", b"three")
    assert [client.answer()[2] for _ in range(3)] == [sha256(b"one"), sha256(BIG), sha256(b"three")]


@pytest.mark.parametrize("in_memory", [True, False])
def test_files_and_their_parts_are_sent_as_they_are(
    run: Run, tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_bodies, "in_memory", lambda body: in_memory)
    (tmp_path / "f").write_bytes(BIG)
    (tmp_path / "empty").write_bytes(b"")
    released = threading.Semaphore(0)

    def give(rq: Request) -> Response:
        name, _, span = rq.path[1:].partition(":")
        offset, _, length = span.partition("-")
        body = FileBody(tmp_path / name, int(offset or 0), int(length) if length else None)
        body.after = released.release
        return Response(body)

    client = run(give)
    assert client.ask("GET", "/f") == (200, BIG)
    assert client.ask("GET", "/f:1000000-2000000") == (200, BIG[1_000_000:3_000_000])
    assert client.ask("GET", "/f:3145800") == (200, BIG[3_145_800:])
    assert client.ask("GET", "/empty") == (200, b"")
    assert client.ask("HEAD", "/f") == (200, b"")
    assert client.ask("GET", "/f:5-1") == (200, BIG[5:6])
    for _ in range(6):
        assert released.acquire(timeout=10)


def test_a_file_is_let_go_when_its_client_leaves(run: Run, tmp_path: Path) -> None:
    released = threading.Event()
    with (tmp_path / "f").open("wb") as file:
        file.truncate(64 << 20)

    def give(rq: Request) -> Response:
        body = FileBody(tmp_path / "f")
        body.after = released.set
        return Response(body)

    client = run(give)
    client.send("GET")
    assert client.socket.recv(100)
    client.close()
    assert released.wait(10)


@pytest.mark.parametrize("in_memory", [True, False])
def test_slow_uploads_keep_nobody_from_downloading(
    run: Run, tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_bodies, "in_memory", lambda body: in_memory)
    (tmp_path / "f").write_bytes(BIG)
    client = run(lambda rq: digest(rq) if rq.method == "PUT" else Response(FileBody(tmp_path / "f")))
    uploads = [Client(client.socket.getpeername()[1]) for _ in range(4)]  # there are threads for three
    for upload in uploads:
        upload.send("PUT", "/", BIG[:1000], f"Content-Length: {len(BIG)}")
    assert client.ask("GET", "/f") == (200, BIG)
    for upload in uploads:
        upload.close()


def test_a_head_has_limits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "HEAD_SECONDS", 0.2)
    client = run(digest)
    client.send("GET", "/" + "x" * bodies.HEAD_BYTES)
    assert client.answer()[0] == 400
    slow = Client(client.socket.getpeername()[1])
    slow.socket.sendall(b"GET / HTTP/1.1\r\nHost: ")
    with contextlib.suppress(ConnectionResetError):
        assert slow.file.read() == b""
    slow.close()


def test_a_websocket_joins_a_client_and_a_plain_socket(run: Run) -> None:
    from websockets.sync.client import connect

    ours, theirs = socket.socketpair()
    port = run(lambda rq: Response(theirs) if rq.path == "/console" else Response(None, 403)).socket.getpeername()[1]
    with connect(f"ws://127.0.0.1:{port}/console", subprotocols=["binary"], max_size=None) as client:  # type: ignore[list-item]
        assert client.subprotocol == "binary"
        client.send(b"typed")
        assert ours.recv(100) == b"typed"
        sender = threading.Thread(target=ours.sendall, args=(BIG,))
        sender.start()
        shown = b""
        while len(shown) < len(BIG):
            piece = client.recv()
            assert isinstance(piece, bytes)
            shown += piece
        assert shown == BIG
        sender.join()
        ours.close()
        with pytest.raises(Exception, match="1000"):
            client.recv()
    with pytest.raises(Exception, match="403"):
        connect(f"ws://127.0.0.1:{port}/other")
