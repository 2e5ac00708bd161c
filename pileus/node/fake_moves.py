"""A fake node's calls about guests that go to another host while they run: what is sent is the guest itself."""

import contextlib
import socket
import threading
from contextlib import AbstractContextManager

import msgspec

from pileus.node import protocol as p
from pileus.node.errors import NodeError
from pileus.node.fake_copies import FakeInstance

HERE = b"here"


class Sent(msgspec.Struct):
    """What of a guest goes over."""

    power: p.PowerState
    console: str


class FakeMoves:
    """Obeys `protocol.MigratingNode`; the rest of the fake is in `fake.py`."""

    instances: dict[str, FakeInstance]
    leaving: dict[str, p.Migration]
    expected: set[str]
    _taken: set[str]

    def _entered(self, call: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def expect_guest(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("expect_guest"):
            self.expected.add(args.server_id)
            return p.NOTHING

    def migrate(self, args: p.MigrateArgs) -> p.Nothing:
        with self._entered("migrate"):
            instance = self.instances.get(args.server_id)
            if instance is None or not instance.domain or instance.power not in ("running", "paused"):
                raise NodeError("not_found", f"server {args.server_id} does not run on this node")
            known = self.leaving.get(args.server_id)
            if known is None or known.state != "running":
                memory = (instance.spec.memory_mb if instance.spec else 0) << 20
                self.leaving[args.server_id] = p.Migration(
                    state="running", memory_total=memory, memory_remaining=memory
                )
                self._taken.discard(args.server_id)
            return p.NOTHING

    def migration(self, args: p.ServerRef) -> p.Migration:
        with self._entered("migration"):
            return self.leaving.get(args.server_id, p.Migration(state="none"))

    def pause_migration(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("pause_migration"):
            return p.NOTHING

    def end_migration(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("end_migration"):
            self.expected.discard(args.server_id)
            known = self.leaving.pop(args.server_id, None)
            if known and known.state == "running":
                self.leaving[args.server_id] = p.Migration(state="failed", message="it was given up")
            return p.NOTHING

    def take_stream(self, args: p.StreamArgs) -> socket.socket:
        with self._entered("take_stream"):
            known = self.leaving.get(args.server_id)
            if args.way != "memory" or args.server_id in self._taken or known is None or known.state != "running":
                raise NodeError("not_found", f"nothing of server {args.server_id} leaves by {args.way} now")
            self._taken.add(args.server_id)
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._send, args=(args.server_id, ours), daemon=True).start()
        return theirs

    def give_stream(self, args: p.StreamArgs) -> socket.socket:
        with self._entered("give_stream"):
            if args.server_id not in self.expected:
                raise NodeError("not_found", f"server {args.server_id} is not expected on this node")
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._receive, args=(args.server_id, ours), daemon=True).start()
        return theirs

    def _send(self, server_id: str, channel: socket.socket) -> None:
        with channel, contextlib.suppress(OSError):
            guest = self.instances[server_id]
            channel.sendall(msgspec.msgpack.encode(Sent(guest.power, guest.console)))
            channel.shutdown(socket.SHUT_WR)
            arrived = channel.recv(16) == HERE
            with self._entered("(sent)"):
                if self.leaving.get(server_id, p.Migration(state="none")).state == "running":
                    if arrived:
                        guest.domain, guest.power = False, "nostate"
                    state = (
                        p.Migration(state="done") if arrived else p.Migration(state="failed", message="it broke off")
                    )
                    self.leaving[server_id] = state

    def _receive(self, server_id: str, channel: socket.socket) -> None:
        with channel, contextlib.suppress(OSError, msgspec.MsgspecError):
            pieces = []
            while piece := channel.recv(1 << 16):
                pieces.append(piece)
            sent = msgspec.msgpack.decode(b"".join(pieces), type=Sent)
            with self._entered("(received)"):
                guest = self.instances.setdefault(server_id, FakeInstance(server_id))
                guest.domain, guest.power, guest.console = True, sent.power, sent.console
            channel.sendall(HERE)
