"""Servers that are not ours, in memory and on loopback: what a store or a provider is to a test."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit


class Asked(NamedTuple):
    verb: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    query_text: str  # as it came: signatures cover its letters


Answer = tuple[int, str | bytes, dict[str, str]]


class Outside:
    """Runs from its making until `stop`; every request goes to `answer`, each in a thread of its own."""

    def __init__(self) -> None:
        outside = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                _handle(self, outside)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError


def part_of(whole: bytes, asked: Asked) -> Answer:
    """The bytes that were asked for: all, or those of a range."""
    wanted = asked.headers.get("Range", "")
    if not wanted.startswith("bytes="):
        return 200, whole, {}
    first, _, last = wanted[6:].partition("-")
    return 206, whole[int(first) : int(last) + 1 if last else None], {}


def _handle(request: BaseHTTPRequestHandler, outside: Outside) -> None:
    parts = urlsplit(request.path)
    query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
    asked = Asked(request.command, unquote(parts.path), query, request.headers, _body(request), parts.query)
    status, content, headers = outside.answer(asked)
    data = content if isinstance(content, bytes) else content.encode()
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    parts = []
    while size := int(request.rfile.readline(), 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)
