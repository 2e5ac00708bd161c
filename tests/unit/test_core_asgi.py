"""The edge: bodies in both directions, and clients that leave in the middle."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.core.asgi import MAX_BODY, SLOW, STREAM, Edge
from pileus.core.file_bodies import CHUNK
from pileus.core.uploads import ClientGone
from pileus.core.wire import FileBody, Request, Response

Message = dict[str, Any]


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


class Exchange:
    """One request and what the server was told to send.

    The client reads only while `reads` is set, and stays until `leaves` is, or until GONE comes among its parts.
    """

    def __init__(
        self,
        edge: Edge,
        method: str = "POST",
        path: str = "/",
        parts: list[Message] | None = None,
        **scope: Any,
    ):
        self.parts = parts if parts is not None else [part(b"")]
        self.asked = 0
        self.sent: list[Message] = []
        self.edge = edge
        self.reads = asyncio.Event()
        self.reads.set()
        self.leaves = asyncio.Event()
        self.scope: Message = {"type": "http", "method": method, "path": path, "headers": [], **scope}

    async def receive(self) -> Message:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.parts:
            await self.leaves.wait()
            return GONE
        return self.parts.pop(0)

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    async def run(self) -> "Exchange":
        await asyncio.wait_for(self.edge(self.scope, self.receive, self.send), 10)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


def run(handle: Any, stream: bool = False, **options: Any) -> Exchange:
    async def go() -> Exchange:
        edge = Edge(handle, lambda rq: STREAM if stream else "", threads=1, stream_threads=2)
        try:
            return await Exchange(edge, **options).run()
        finally:
            edge.stop()

    return asyncio.run(go())


def echo(rq: Request) -> Response:
    if rq.refused is not None:
        return Response(rq.refused.message, rq.refused.status)
    return Response(rq.body)


def test_a_body_in_parts_is_put_together() -> None:
    found = run(echo, parts=[part(b"ab", True), part(b"", True), part(b"c")])
    assert (found.status, found.body, found.headers[b"content-length"]) == (200, b"abc", b"3")


def test_a_client_that_leaves_before_its_body_ends_gets_nothing_done() -> None:
    called: list[Request] = []
    found = run(called.append, parts=[part(b"ab", True), GONE])
    assert (called, found.sent) == ([], [])


def test_a_body_that_is_too_large_is_refused_without_reading_all_of_it() -> None:
    parts = [part(b"x" * CHUNK, True) for _ in range(MAX_BODY // CHUNK + 50)]
    found = run(echo, parts=parts)
    assert (found.status, found.asked) == (413, MAX_BODY // CHUNK + 1)


def test_any_number_of_slow_requests_keeps_only_its_like_waiting() -> None:
    """They are let go by the quick one: with threads for all alike, it would wait behind them for ever."""
    let_go = threading.Event()

    def handle(rq: Request) -> Response:
        if rq.path == "/slow":
            assert let_go.wait(10)
        return Response(threading.current_thread().name.encode())

    async def go() -> list[Exchange]:
        edge = Edge(handle, lambda rq: SLOW if rq.path == "/slow" else "", threads=1, slow_threads=2)
        try:
            slow = [asyncio.create_task(Exchange(edge, path="/slow").run()) for _ in range(9)]
            await asyncio.sleep(0)
            quick = await Exchange(edge, path="/quick").run()
            assert not any(task.done() for task in slow)
            let_go.set()
            return [quick, *await asyncio.gather(*slow)]
        finally:
            let_go.set()
            edge.stop()

    quick, *slow = asyncio.run(go())
    assert quick.body == b"request-0" and {found.body for found in slow} <= {b"slow-0", b"slow-1"}


def test_head_has_the_headers_and_no_body(tmp_path: Path) -> None:
    released = []
    (tmp_path / "f").write_bytes(b"abc")
    bodies = [b"abc", FileBody(tmp_path / "f", after=lambda: released.append(1)), iter([b"abc"])]
    for body in bodies:
        found = run(lambda rq, body=body: Response(body, headers={"content-length": "3"}), method="HEAD")
        assert (found.headers[b"content-length"], found.body) == (b"3", b"")
    assert released == [1], "what a file's body held is let go also when it was not sent"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_announces_no_length(status: int) -> None:
    assert b"content-length" not in run(lambda rq: Response(None, status)).headers


def test_a_part_of_a_file_is_sent(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192 + b"end"
    (tmp_path / "f").write_bytes(content)
    assert run(lambda rq: Response(FileBody(tmp_path / "f"))).body == content
    found = run(lambda rq: Response(FileBody(tmp_path / "f", 5, CHUNK + 7)))
    assert found.body == content[5 : 5 + CHUNK + 7]
    assert max(len(message["body"]) for message in found.sent[1:]) <= CHUNK
    assert run(lambda rq: Response(FileBody(tmp_path / "f", len(content), 0))).body == b""


def test_an_empty_chunk_does_not_end_a_body() -> None:
    assert run(lambda rq: Response(iter([b"a", b"", b"b"]))).body == b"ab"


def test_a_file_is_read_no_faster_than_the_client_takes_it() -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(50):
            made.append(number)
            yield b"x"

    async def go() -> None:
        edge = Edge(lambda rq: Response(chunks()), lambda rq: "", threads=1, stream_threads=2)
        exchange = Exchange(edge)
        exchange.reads.clear()
        task = asyncio.create_task(exchange.run())
        await asyncio.sleep(0.1)
        assert len(made) <= 1
        exchange.reads.set()
        await task
        assert len(made) == 50
        edge.stop()

    asyncio.run(go())


def test_a_client_that_leaves_while_a_body_is_sent_lets_it_go(tmp_path: Path) -> None:
    ended: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            ended.append("chunks")

    (tmp_path / "f").write_bytes(b"x" * 3 * CHUNK)
    for body in (chunks(), FileBody(tmp_path / "f", after=lambda: ended.append("file"))):

        async def go(body: Any = body) -> None:
            edge = Edge(lambda rq: Response(body), lambda rq: "", threads=1, stream_threads=2)
            exchange = Exchange(edge)

            async def send(message: Message) -> None:
                exchange.sent.append(message)
                if len(exchange.sent) > 2:
                    raise ConnectionResetError

            with pytest.raises(ConnectionResetError):
                await edge(exchange.scope, exchange.receive, send)
            edge.stop()

        asyncio.run(go())
    assert ended == ["chunks", "file"]


def test_a_body_is_made_no_further_when_its_client_has_left() -> None:
    """Some servers say nothing when a message is sent to nobody."""
    made: list[int] = []

    async def go() -> None:
        exchange = Exchange(edge := Edge(lambda rq: Response(chunks()), lambda rq: "", threads=1, stream_threads=2))

        def leave() -> None:
            exchange.leaves.set()

        loop = asyncio.get_running_loop()

        async def send(message: Message) -> None:
            exchange.sent.append(message)
            if len(exchange.sent) == 3:
                loop.call_soon(leave)
            await asyncio.sleep(0.01)

        exchange.send = send  # type: ignore[method-assign]
        await exchange.run()
        edge.stop()

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"x"

    asyncio.run(go())
    assert len(made) < 50


def test_an_upload_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pileus.core.uploads.SILENCE", 0.05)

    def take(rq: Request) -> Response:
        with pytest.raises(ClientGone, match="nothing"):
            list(rq.upload)
        return Response(None, 400)

    assert run(take, stream=True, parts=[part(b"x", True)]).status == 400


def test_a_slow_upload_is_not_taken_for_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pileus.core.uploads.SILENCE", 0.2)

    async def go() -> None:
        edge = Edge(lambda rq: Response(b"".join(rq.upload)), lambda rq: STREAM, threads=1, stream_threads=1)
        exchange = Exchange(edge)
        pieces = iter(b"slowly")

        async def receive() -> Message:
            await asyncio.sleep(0.08)
            piece = next(pieces, None)
            return part(b"") if piece is None else part(bytes([piece]), True)

        await edge(exchange.scope, receive, exchange.send)
        assert exchange.body == b"slowly"
        edge.stop()

    asyncio.run(go())


def test_an_upload_arrives_piece_by_piece_up_to_its_end() -> None:
    sizes: list[int] = []

    def take(rq: Request) -> Response:
        for piece in rq.upload:
            sizes.append(len(piece))
        assert next(rq.upload, None) is None
        return Response(str(sum(sizes)))

    parts = [part(b"x" * (CHUNK // 8), True) for _ in range(20)]
    found = run(take, stream=True, parts=[*parts, part(b"", True), part(b"")])
    assert found.body == str(5 * CHUNK // 2).encode()
    assert sizes == [CHUNK // 8] * 20
    assert run(lambda rq: Response(b"".join(rq.upload)), stream=True, parts=[part(b"")]).body == b""


def test_an_upload_that_is_cut_off_is_not_taken_for_complete() -> None:
    seen: list[Any] = []

    def take(rq: Request) -> Response:
        try:
            for batch in rq.upload:
                seen.append(len(batch))
        except ClientGone as gone:
            seen.append(gone)
        assert next(rq.upload, "over") == "over"
        return Response(None, 400)

    run(take, stream=True, parts=[part(b"x" * CHUNK, True), part(b"y", True), GONE])
    assert seen[0] == CHUNK and isinstance(seen[-1], ClientGone)


def test_an_upload_whose_connection_breaks_is_not_waited_for_for_ever() -> None:
    async def go() -> None:
        seen: list[str] = []

        def take(rq: Request) -> Response:
            with pytest.raises(ClientGone):
                next(rq.upload)
            seen.append("refused")
            return Response(None, 400)

        edge = Edge(take, lambda rq: STREAM, threads=1, stream_threads=1)
        exchange = Exchange(edge)

        async def receive() -> Message:
            raise OSError("broken")

        await asyncio.wait_for(edge(exchange.scope, receive, exchange.send), 10)
        assert seen == ["refused"]
        edge.stop()

    asyncio.run(go())


def test_an_upload_is_read_no_faster_than_it_is_used() -> None:
    async def go() -> None:
        may_go = threading.Event()

        def take(rq: Request) -> Response:
            next(rq.upload)
            may_go.wait(10)
            return Response(str(sum(len(batch) for batch in rq.upload)))

        edge = Edge(take, lambda rq: STREAM, threads=1, stream_threads=1)
        exchange = Exchange(edge, parts=[part(b"x" * CHUNK, True) for _ in range(20)] + [part(b"")])
        task = asyncio.create_task(exchange.run())
        await asyncio.sleep(0.1)
        assert exchange.asked <= 3
        may_go.set()
        assert (await task).body == str(19 * CHUNK).encode()
        edge.stop()

    asyncio.run(go())


def test_slow_requests_of_one_kind_do_not_hold_up_the_others() -> None:
    async def go() -> None:
        may_go = threading.Event()

        def handle(rq: Request) -> Response:
            if rq.path == "/slow":
                may_go.wait(10)
            return Response(b"done")

        edge = Edge(handle, lambda rq: STREAM if rq.path == "/slow" else "", threads=1, stream_threads=2)
        slow = [asyncio.create_task(Exchange(edge, path="/slow").run()) for _ in range(2)]
        quick = await Exchange(edge, path="/quick").run()
        assert quick.body == b"done" and not any(task.done() for task in slow)
        may_go.set()
        await asyncio.gather(*slow)
        edge.stop()

    asyncio.run(go())


@pytest.mark.parametrize("error", [RuntimeError("oops"), StopIteration("oops"), KeyboardInterrupt()])
def test_what_a_thread_raises_reaches_the_one_that_waits(error: BaseException) -> None:
    def handle(rq: Request) -> Response:
        raise error

    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
        run(handle)


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"raw_path": b"/a%20b/%E2%82%AC"}, "/a b/€"),
        ({"raw_path": b"/a%2Fb"}, "/a/b"),
        ({"raw_path": b"/%ff%00"}, "/\ufffd\0"),
        ({"raw_path": b"/a?b"}, "/a"),
        ({"path": "/plain"}, "/plain"),
    ],
)
def test_paths_are_decoded_once_and_never_refused(scope: Message, path: str) -> None:
    assert run(lambda rq: Response(rq.path), **scope).body.decode() == path


def test_repeated_headers_are_joined_and_odd_bytes_survive() -> None:
    headers = [(b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"\xff")]
    found = run(lambda rq: Response(rq.headers["x-a"] + rq.headers["x-b"], headers={"x-c": "ö"}), headers=headers)
    assert found.body.decode() == "1,2\ufffd"
    assert found.headers[b"x-c"] == "ö".encode()


def test_a_websocket_nobody_serves_is_closed() -> None:
    found = run(echo, type="websocket", parts=[{"type": "websocket.connect"}])
    assert found.sent[0]["type"] == "websocket.close"


def test_the_servers_start_and_end_are_acknowledged() -> None:
    found = run(echo, type="lifespan", parts=[{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    assert [message["type"] for message in found.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# -- websockets --------------------------------------------------------------------------------------------------------


class Socket:
    """A websocket's client, as the server tells of it: says these words, and leaves once it was told something."""

    def __init__(self, *words: Message):
        self.incoming: list[Message] = [{"type": "websocket.connect"}, *words]
        self.sent: list[Message] = []
        self.told = asyncio.Event()

    async def receive(self) -> Message:
        if not self.incoming:
            await self.told.wait()
            return {"type": "websocket.disconnect"}
        return self.incoming.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.send":
            self.told.set()


def joined(handle: Any, *words: Message, **scope: Any) -> Socket:
    async def go() -> Socket:
        edge, client = Edge(handle, lambda rq: False, threads=1), Socket(*words)
        try:
            await asyncio.wait_for(
                edge({"type": "websocket", "path": "/", "headers": [], **scope}, client.receive, client.send), 10
            )
        finally:
            edge.stop()
        return client

    return asyncio.run(go())


def test_a_websocket_is_joined_to_the_socket_it_is_answered_with() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b"greeting")
    words = [{"type": "websocket.receive", "bytes": b"typed "}, {"type": "websocket.receive", "text": "by hand"}]
    client = joined(lambda rq: Response(theirs, 101), *words, subprotocols=["binary"])
    assert client.sent[0] == {"type": "websocket.accept", "subprotocol": "binary"}
    assert client.sent[1] == {"type": "websocket.send", "bytes": b"greeting"}
    with ours:
        assert ours.recv(100, socket.MSG_WAITALL) == b"typed by hand"  # and then the end of it
    assert theirs.fileno() == -1


def test_the_other_end_may_hang_up_first() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    client = joined(lambda rq: Response(theirs, 101))
    assert [message["type"] for message in client.sent] == ["websocket.accept", "websocket.close"]
    assert theirs.fileno() == -1


def test_a_refused_websocket_is_never_accepted() -> None:
    client = joined(lambda rq: Response({"error": rq.method}, 404))
    assert client.sent == [{"type": "websocket.close", "code": 1008}]
