"""The controller's end: a typed method a call, over HTTP on the node's unix socket. Only `_connected` moves bytes."""

import contextlib
import http.client
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from pileus.core import log
from pileus.node import protocol as p
from pileus.node.errors import NodeError, NodeFault, NodeUnavailable, VersionMismatch

A = TypeVar("A")
R = TypeVar("R")

REQUEST_ID = "X-Openstack-Request-Id"
VERSION_HEADER = "X-Pileus-Node-Version"
ARGS_HEADER = "X-Pileus-Args"  # of calls whose body is a stream
MEDIA_TYPE = "application/msgpack"
CONNECT_SECONDS = 5.0
CHUNK = 1 << 20
SWITCHED = 101  # Switching Protocols: what follows is no HTTP


class Refusal(msgspec.Struct):
    """The body of every answer that is not 200."""

    kind: str
    message: str


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(self.path)
        self.sock.settimeout(self.timeout)


class Caller:
    """What every call needs. Holds no connection between calls: on a unix socket a new one costs about 0.1 ms."""

    def __init__(self, socket_path: str, request_id: Callable[[], str | None] = log.request_id.get) -> None:
        self.socket_path = socket_path
        self.request_id = request_id

    def _call(self, call: p.Call[A, R], args: A) -> R:
        answer = self._exchange("POST", call.name, msgspec.msgpack.encode(args), call.deadline, {})
        return msgspec.msgpack.decode(answer, type=call.result)

    def _exchange(
        self, method: str, name: str, body: bytes | Iterable[bytes], deadline: float, headers: dict[str, str]
    ) -> bytes:
        with self._connected(method, name, body, deadline, headers) as response:
            answer = response.read()
        if response.status != 200:
            raise fault(response.status, answer)
        return answer

    @contextlib.contextmanager
    def _connected(
        self, method: str, name: str, body: bytes | Iterable[bytes], deadline: float, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        headers |= {VERSION_HEADER: str(p.VERSION), "Content-Type": MEDIA_TYPE, "Connection": "close"}
        if request_id := self.request_id():
            headers[REQUEST_ID] = request_id
        connection = UnixConnection(self.socket_path, deadline)
        try:
            # a node that refuses a stream answers before it has read it all
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, f"/v1/{name}", body=body, headers=headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as e:
            reason = f"{type(e).__name__}: {e}" if str(e) else type(e).__name__
            raise NodeUnavailable(f"{name}: no answer on {self.socket_path} ({reason})") from e
        finally:
            connection.close()

    def _upgraded(self, call: p.Call[A, R], args: A) -> socket.socket:
        """The connection itself, once the node has answered that from here on it is the thing asked for."""
        connection = UnixConnection(self.socket_path, call.deadline)
        head = [f"POST /v1/{call.name} HTTP/1.1", "Host: localhost", f"{VERSION_HEADER}: {p.VERSION}"]
        body = msgspec.msgpack.encode(args)
        head += ["Connection: upgrade", "Upgrade: stream", f"Content-Length: {len(body)}", "", ""]
        try:
            connection.connect()
            connection.sock.sendall("\r\n".join(head).encode() + body)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):  # to the byte: what follows is the stream's
                if not (byte := connection.sock.recv(1)) or len(answer) > 4096:
                    raise NodeUnavailable(f"{call.name}: the node hung up on {self.socket_path}")
                answer += byte
            status = int(answer.split()[1])
            if status != SWITCHED:
                with connection.sock.makefile("rb") as rest:
                    raise fault(status, rest.read())
            connection.sock.settimeout(None)
            stream, connection.sock = connection.sock, None  # closed by its user, not below
            return stream
        except (OSError, ValueError, IndexError) as e:
            raise NodeUnavailable(f"{call.name}: no answer on {self.socket_path} ({type(e).__name__}: {e})") from e
        finally:
            connection.close()


class CopyCalls(Caller):
    """Obeys `protocol.CopyingNode`."""

    def make_snapshot(self, args: p.SnapshotArgs) -> p.Stored:
        return self._call(p.MAKE_SNAPSHOT, args)

    def remove_snapshot(self, args: p.SnapshotArgs) -> p.Nothing:
        return self._call(p.REMOVE_SNAPSHOT, args)

    def put_aside(self, args: p.ServerRef) -> p.StoredList:
        return self._call(p.PUT_ASIDE, args)

    def take_back(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.TAKE_BACK, args)

    def copy_aside(self, args: p.CopyAside) -> p.Nothing:
        return self._call(p.COPY_ASIDE, args)

    def drop_aside(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.DROP_ASIDE, args)

    def read_file(self, args: p.FileRef) -> Iterator[bytes]:
        headers = {"Content-Length": "0", ARGS_HEADER: msgspec.json.encode(args).decode()}
        with self._connected("GET", p.READ_FILE.name, b"", p.READ_FILE.deadline, headers) as response:
            if response.status != 200:
                raise fault(response.status, response.read())
            left = int(response.headers.get("Content-Length", "0"))
            while chunk := response.read(min(CHUNK, left)):
                left -= len(chunk)
                yield chunk
            if left:
                raise NodeUnavailable(f"{p.READ_FILE.name}: the node went away with {left} bytes still to come")

    def put_disk(self, args: p.PutDisk, body: Iterable[bytes]) -> p.Nothing:
        headers = {ARGS_HEADER: msgspec.json.encode(args).decode(), "Content-Length": str(args.size)}
        self._exchange("PUT", p.PUT_DISK.name, body, p.PUT_DISK.deadline, headers)
        return p.NOTHING


class MigratingCalls(Caller):
    """Obeys `protocol.MigratingNode`."""

    def expect_guest(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.EXPECT_GUEST, args)

    def migrate(self, args: p.MigrateArgs) -> p.Nothing:
        return self._call(p.MIGRATE, args)

    def migration(self, args: p.ServerRef) -> p.Migration:
        return self._call(p.MIGRATION, args)

    def pause_migration(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.PAUSE_MIGRATION, args)

    def end_migration(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.END_MIGRATION, args)

    def take_stream(self, args: p.StreamArgs) -> socket.socket:
        return self._upgraded(p.TAKE_STREAM, args)

    def give_stream(self, args: p.StreamArgs) -> socket.socket:
        return self._upgraded(p.GIVE_STREAM, args)


class VolumeCalls(Caller):
    """Obeys `protocol.VolumeNode`."""

    def ensure_volume(self, args: p.EnsureVolume) -> p.VolumeState:
        return self._call(p.ENSURE_VOLUME, args)

    def put_volume(self, args: p.PutVolume, body: Iterable[bytes]) -> p.VolumeState:
        headers = {ARGS_HEADER: msgspec.json.encode(args).decode(), "Content-Length": str(args.size)}
        answer = self._exchange("PUT", p.PUT_VOLUME.name, body, p.PUT_VOLUME.deadline, headers)
        return msgspec.msgpack.decode(answer, type=p.VolumeState)

    def remove_volume(self, args: p.VolumeRef) -> p.Nothing:
        return self._call(p.REMOVE_VOLUME, args)

    def rename_volume(self, args: p.RenameVolume) -> p.VolumeState:
        return self._call(p.RENAME_VOLUME, args)

    def extend_volume(self, args: p.ExtendVolume) -> p.Nothing:
        return self._call(p.EXTEND_VOLUME, args)

    def ensure_volume_snapshot(self, args: p.VolumeSnapshot) -> p.SnapshotState:
        return self._call(p.ENSURE_VOLUME_SNAPSHOT, args)

    def remove_volume_snapshot(self, args: p.VolumeSnapshot) -> p.Nothing:
        return self._call(p.REMOVE_VOLUME_SNAPSHOT, args)

    def revert_volume(self, args: p.VolumeSnapshot) -> p.Nothing:
        return self._call(p.REVERT_VOLUME, args)

    def export_volume(self, args: p.ExportVolume) -> p.Export:
        return self._call(p.EXPORT_VOLUME, args)

    def unexport_volume(self, args: p.ExportVolume) -> p.Nothing:
        return self._call(p.UNEXPORT_VOLUME, args)

    def list_volumes(self, args: p.Nothing = p.NOTHING) -> p.VolumeList:
        return self._call(p.LIST_VOLUMES, args)

    def attach_volume(self, args: p.AttachVolume) -> p.Nothing:
        return self._call(p.ATTACH_VOLUME, args)

    def detach_volume(self, args: p.DetachVolume) -> p.Nothing:
        return self._call(p.DETACH_VOLUME, args)


class NodeClient(CopyCalls, MigratingCalls, VolumeCalls):
    """Obeys `protocol.Node`."""

    def hello(self, args: p.Nothing = p.NOTHING) -> p.Hello:
        return self._call(p.HELLO, args)

    def inventory(self, args: p.Nothing = p.NOTHING) -> p.Inventory:
        return self._call(p.INVENTORY, args)

    def has_image(self, args: p.ImageRef) -> p.ImageReply:
        return self._call(p.HAS_IMAGE, args)

    def put_image(self, args: p.PutImage, body: Iterable[bytes]) -> p.Image:
        headers = {ARGS_HEADER: msgspec.json.encode(args).decode(), "Content-Length": str(args.size)}
        answer = self._exchange("PUT", p.PUT_IMAGE.name, body, p.PUT_IMAGE.deadline, headers)
        return msgspec.msgpack.decode(answer, type=p.Image)

    def remove_image(self, args: p.ImageRef) -> p.Nothing:
        return self._call(p.REMOVE_IMAGE, args)

    def list_images(self, args: p.Nothing = p.NOTHING) -> p.ImageList:
        return self._call(p.LIST_IMAGES, args)

    def ensure_disks(self, args: p.InstanceSpec) -> p.DiskList:
        return self._call(p.ENSURE_DISKS, args)

    def remove_disks(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.REMOVE_DISKS, args)

    def ensure_instance(self, args: p.InstanceSpec) -> p.InstanceState:
        return self._call(p.ENSURE_INSTANCE, args)

    def remove_instance(self, args: p.ServerRef) -> p.Nothing:
        return self._call(p.REMOVE_INSTANCE, args)

    def power(self, args: p.PowerArgs) -> p.Nothing:
        return self._call(p.POWER, args)

    def ensure_nics(self, args: p.EnsureNics) -> p.Nothing:
        return self._call(p.ENSURE_NICS, args)

    def diagnostics(self, args: p.ServerRef) -> p.Diagnostics:
        return self._call(p.DIAGNOSTICS, args)

    def console_log(self, args: p.ConsoleLogArgs) -> p.ConsoleLog:
        return self._call(p.CONSOLE_LOG, args)

    def open_console(self, args: p.ConsoleArgs) -> socket.socket:
        return self._upgraded(p.OPEN_CONSOLE, args)

    def ensure_metadata(self, args: p.MetadataArgs) -> p.Nothing:
        return self._call(p.ENSURE_METADATA, args)

    def remove_metadata(self, args: p.NetworkRef) -> p.Nothing:
        return self._call(p.REMOVE_METADATA, args)

    def set_metadata(self, args: p.SetMetadata) -> p.Nothing:
        return self._call(p.SET_METADATA, args)

    def list_instances(self, args: p.Nothing = p.NOTHING) -> p.Report:
        return self._call(p.LIST_INSTANCES, args)

    def events(self, args: p.EventsArgs) -> p.EventsReply:
        return self._call(p.EVENTS, args)


def fault(status: int, answer: bytes) -> NodeFault:
    """The node's refusal as the exception its caller expects."""
    try:
        refusal = msgspec.msgpack.decode(answer, type=Refusal)
    except msgspec.MsgspecError:
        return NodeUnavailable(f"the node answered {status} without a reason")
    if refusal.kind == "version":
        return VersionMismatch(refusal.message)
    if refusal.kind == "unavailable":
        return NodeUnavailable(refusal.message)
    if refusal.kind in ("not_found", "invalid", "in_use", "no_space"):
        return NodeError(refusal.kind, refusal.message)  # type: ignore[arg-type]
    return NodeError("engine", refusal.message)
