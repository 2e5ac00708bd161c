"""The node's end of the protocol: a threaded HTTP server on a unix socket, which knows calls but not what they do."""

import grp
import http.server
import io
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from pileus.core import log
from pileus.node import protocol as p
from pileus.node.client import ARGS_HEADER, MEDIA_TYPE, REQUEST_ID, SWITCHED, VERSION_HEADER, Refusal, UnixConnection
from pileus.node.errors import NodeError, NodeFault, NodeUnavailable, VersionMismatch
from pileus.node.streams import join

LOG = logging.getLogger("pileus.node")

Args = TypeVar("Args")


@runtime_checkable
class OpensFiles(Protocol):
    """A node with real files, which `read_file` sends without reading them itself."""

    def open_file(self, args: p.FileRef) -> io.BufferedReader: ...


MAX_BODY = 8 << 20  # of a call that is not a stream: user data is at most 64 KiB
CHUNK = 1 << 20
STATUS = {"not_found": 404, "invalid": 400, "in_use": 409, "no_space": 507, "version": 426, "unavailable": 503}
QUIET = {"events", "hello", "inventory", "has_image", "list_images", "list_instances", "list_volumes", "console_log"}


class CallHandler(http.server.BaseHTTPRequestHandler):
    """One connection. The controller closes it after each call."""

    protocol_version = "HTTP/1.1"
    timeout = 300  # seconds a peer may take between two bytes
    server: "NodeServer"

    def do_POST(self) -> None:
        self._answer(self._call)

    def do_PUT(self) -> None:
        self._answer(self._stream)

    def do_GET(self) -> None:
        self._answer(self._open)

    def _answer(self, run: Any) -> None:
        token = log.request_id.set(self.headers.get(REQUEST_ID, "")[:128])
        started, name = time.monotonic(), self.path.removeprefix("/v1/")
        status, body, problem, out, channel = 200, b"", "", None, None
        try:
            with self.server.busy:
                found = run(name)
                out = found if isinstance(found, io.BufferedReader) else None
                channel = found if isinstance(found, socket.socket) else None
                body = b"" if out or channel else msgspec.msgpack.encode(found)
        except NodeFault as e:
            kind = kind_of(e)
            status, problem = STATUS.get(kind, 500), str(e)
            body = msgspec.msgpack.encode(Refusal(kind, problem))
        except Exception as e:
            LOG.exception("%s broke", name)
            status, problem = 500, f"{type(e).__name__}: {e}"
            body = msgspec.msgpack.encode(Refusal("engine", problem))
        level = logging.WARNING if status >= 500 else logging.DEBUG if name in QUIET else logging.INFO
        extra = {"call": name, "status": status, "seconds": round(time.monotonic() - started, 3), "problem": problem}
        LOG.log(level, "call %s", name, extra=extra)
        if channel:
            self._join(channel)
        else:
            self._send(status, body, out)
        log.request_id.reset(token)

    def _call(self, name: str) -> Any:
        length = self._length()
        if length > MAX_BODY:
            raise NodeError("invalid", f"{name}: arguments of {length} bytes")
        body = self.rfile.read(length)  # before anything is refused: hanging up on a caller who still sends confuses it
        self._check_version()
        call = p.CALLS.get(name)
        if call is None or call in (p.PUT_IMAGE, p.PUT_DISK, p.PUT_VOLUME, p.READ_FILE):
            raise NodeError("invalid", f"this node knows no call {name}")
        try:
            args = msgspec.msgpack.decode(body, type=call.args)
        except msgspec.MsgspecError as e:
            raise NodeError("invalid", f"{name}: {e}") from None
        return getattr(self.server.node, name)(args)

    def _check_version(self) -> None:
        theirs = self.headers.get(VERSION_HEADER)
        if theirs != str(p.VERSION):
            raise VersionMismatch(f"this node speaks version {p.VERSION}, the caller {theirs}: update one")

    def _stream(self, name: str) -> Any:
        self._check_version()
        if name == p.PUT_DISK.name:
            return self.server.node.put_disk(self._header_args(name, p.PutDisk), self._chunks(self._length()))
        if name == p.PUT_VOLUME.name:
            return self.server.node.put_volume(self._header_args(name, p.PutVolume), self._chunks(self._length()))
        if name != p.PUT_IMAGE.name:
            raise NodeError("invalid", f"this node knows no call {name}")
        return self.server.node.put_image(self._header_args(name, p.PutImage), self._chunks(self._length()))

    def _open(self, name: str) -> Any:
        """The file that is asked for: it is sent after the answer's head, by the kernel."""
        self._check_version()
        if name != p.READ_FILE.name or not isinstance(self.server.node, OpensFiles):
            raise NodeError("invalid", f"this node knows no call {name}")
        return self.server.node.open_file(self._header_args(name, p.FileRef))

    def _header_args(self, name: str, kind: type[Args]) -> Args:
        try:
            return msgspec.json.decode(self.headers.get(ARGS_HEADER, ""), type=kind)
        except msgspec.MsgspecError as e:
            raise NodeError("invalid", f"{name}: {e}") from None

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "")
        if not text.isdecimal():
            raise NodeError("invalid", "a call needs Content-Length")
        return int(text)

    def _chunks(self, left: int) -> Iterator[bytes]:
        """The body so far as it comes: a caller who goes away leaves it short, and whoever reads counts."""
        while left > 0:
            chunk = self.rfile.read1(min(CHUNK, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    def _send(self, status: int, body: bytes, out: io.BufferedReader | None) -> None:
        self.close_connection = True
        length = os.fstat(out.fileno()).st_size if out else len(body)
        try:
            self.send_response_only(status)
            self.send_header("Content-Type", MEDIA_TYPE)
            self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()
            if out:
                self.connection.sendfile(out)
            else:
                self.wfile.write(body)
        except OSError as e:
            LOG.info("the caller went away before the answer: %s", e)
        finally:
            if out:
                out.close()

    def _join(self, channel: socket.socket) -> None:
        """From here on the connection is the caller's end of this socket, until one of the two hangs up."""
        self.close_connection = True
        with channel:
            try:
                self.send_response_only(SWITCHED)
                self.send_header("Connection", "upgrade")
                self.send_header("Upgrade", "stream")
                self.end_headers()
                join(self.connection, channel)
            except OSError as e:
                LOG.info("a console ended: %s", e)

    def log_message(self, format: str, *args: Any) -> None:
        LOG.debug(format, *args)


def kind_of(fault: NodeFault) -> str:
    if isinstance(fault, NodeError):
        return fault.kind
    return "version" if isinstance(fault, VersionMismatch) else "unavailable"


class Busy:
    """Counts the calls under way, so that a stopping process can let them end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout=seconds)


class NodeServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False  # a long poll must not hold up the end
    request_queue_size = 512

    def __init__(self, path: str, node: p.Node, group: str | None = None) -> None:
        self.node = node
        self.busy = Busy()
        self.path = path
        refuse_second(path)
        before = os.umask(0o117)  # the socket is 0660 from its first moment
        try:
            super().__init__(path, CallHandler)
        finally:
            os.umask(before)
        if group:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)

    def stop(self, seconds: float = 10.0) -> None:
        """Take no more calls, let those under way end, leave no socket. Never called from the serving thread."""
        self.shutdown()
        self.server_close()
        self.busy.wait(seconds)
        if os.path.exists(self.path):
            os.unlink(self.path)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.info("a connection broke", exc_info=True)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, _ = self.socket.accept()
        return request, ("controller", 0)


def refuse_second(path: str) -> None:
    """A socket nobody listens on is a crashed run's and goes; a live one is another node's and stays."""
    if not os.path.exists(path):
        return
    connection = UnixConnection(path, 2.0)
    try:
        connection.connect()
    except OSError:
        os.unlink(path)
    else:
        raise NodeUnavailable(f"another node already listens on {path}")
    finally:
        connection.close()
