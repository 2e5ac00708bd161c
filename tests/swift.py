"""A Swift in memory, behind a Keystone in memory: as much of both as an image store uses."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PATH = "/v1/AUTH_images"


class Swift:
    """`objects` maps container and name to bytes, or to a manifest's segments. `full` makes it take nothing more."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, bytes | list[str]]] = {}
        self.full = False
        swift = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                swift.answer(self)

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

    def content(self, container: str, name: str) -> bytes | None:
        found = self.containers.get(container, {}).get(name)
        if isinstance(found, list):
            return b"".join(self.content(*path.lstrip("/").split("/", 1)) or b"" for path in found)
        return found

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = _body(request)
        if parts.path == "/v3/auth/tokens":
            endpoint = {"interface": "public", "region": "R", "region_id": "R", "url": self.url + PATH}
            token = {
                "catalog": [{"type": "object-store", "name": "swift", "endpoints": [endpoint]}],
                "expires_at": "2099-01-01T00:00:00.000000Z",
            }
            _send(request, 201, json.dumps({"token": token}).encode(), {"X-Subject-Token": "t"})
            return
        container, _, name = unquote(parts.path.removeprefix(PATH)).lstrip("/").partition("/")
        query = parse_qs(parts.query)
        _send(request, *self.of(request, container, name, query, body))

    def of(
        self, request: BaseHTTPRequestHandler, container: str, name: str, query: dict[str, Any], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        if request.command == "PUT" and not name:
            self.containers.setdefault(container, {})
            return 201, b"", {}
        objects = self.containers.get(container)
        if objects is None:
            return 404, b"", {}
        if not name:
            prefix, marker = query.get("prefix", [""])[0], query.get("marker", [""])[0]
            found = sorted(one for one in objects if one.startswith(prefix) and one > marker)
            return 200, json.dumps([{"name": one} for one in found]).encode(), {"X-Container-Object-Count": "0"}
        if request.command == "PUT":
            if self.full:
                return 413, b"over quota", {}
            manifest = "multipart-manifest" in query
            objects[name] = [part["path"] for part in json.loads(body)] if manifest else body
            return 201, b"", {"ETag": hashlib.md5(body).hexdigest()}
        whole = self.content(container, name)
        if whole is None:
            return 404, b"", {}
        if request.command == "DELETE":
            del objects[name]
            return 204, b"", {}
        wanted = request.headers.get("Range", "")
        if wanted.startswith("bytes="):
            first, _, last = wanted[6:].partition("-")
            return 206, whole[int(first) : int(last) + 1 if last else None], {}
        return 200, whole, {}


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    parts = []
    while size := int(request.rfile.readline(), 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
