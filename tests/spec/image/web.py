"""A small web server in this process, for downloads, redirects and what goes wrong with them."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """`files` maps paths to bytes or, for a redirect, to an address. `cut` ones promise more than they give.

    `deaf` ones hear no ranges; `wrong` ones give another than they were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes | str] = {}
        self.cut: set[str] = set()
        self.deaf: set[str] = set()
        self.wrong: set[str] = set()
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def do_HEAD(self) -> None:
                web.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, content: bytes | str) -> str:
        self.files[path] = content
        return self.url(path)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        found = self.files.get(request.path)
        if found is None:
            request.send_error(404)
            return
        if isinstance(found, str):
            request.send_response(302)
            request.send_header("Location", found)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        begin, end, status = 0, len(found), 200
        if (wanted := request.headers.get("Range", "")).startswith("bytes=") and request.path not in self.deaf:
            first, _, last = wanted[6:].partition("-")
            begin = int(first) + (request.path in self.wrong)
            end, status = int(last) + 1 if last else len(found), 206
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(found)}")
        more = 1000 if request.path in self.cut else 0
        request.send_header("Content-Length", str(end - begin + more))
        request.end_headers()
        if request.command == "GET":
            with contextlib.suppress(OSError):
                request.wfile.write(found[begin:end])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def serving() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()
