"""Volumes that servers on other hosts have: one qemu-nbd each, which outlives this process and comes back after a crash.

Run as a program this module is its launcher: it lets go of everything but the volume and the socket that other hosts
connect to, both opened before, and becomes qemu-nbd.
"""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from pileus.core.confined import leave
from pileus.node.disk.images import checked_id, write_atomically
from pileus.node.errors import NodeError, NodeUnavailable
from pileus.node.protocol import Export

LOG = logging.getLogger("pileus.node")

PORTS = range(10900, 12900)
END_SECONDS = 10.0
KEPT = ("PILEUS_CLOUD",)  # by which `pileus down` knows whose a process is
PROGRAM = ("/usr/bin/qemu-nbd", "/usr/local/bin/qemu-nbd", "/bin/qemu-nbd")
PR_SET_NO_NEW_PRIVS = 38


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What of an export outlives this process."""

    volume_id: str
    address: str
    port: int
    pid: int = 0
    clients: list[str] = []
    started: str = ""  # a pid alone may be somebody else's by now


class Exports:
    def __init__(self, folder: Path, address: Callable[[], str], owner: Callable[[], tuple[int, int]]) -> None:
        """`address` is this host's own, on the network of the hosts; `owner` the user and group that QEMU runs as."""
        self._folder, self._address, self._owner = folder, address, owner
        self._lock = threading.RLock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def find(self, volume_id: str) -> Export | None:
        note = self._note(volume_id)
        return Export(volume_id=volume_id, address=note.address, port=note.port) if note else None

    def ids(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def ensure(self, volume_id: str, file: Path, client: str = "") -> Export:
        """To one host more, or, when none is named, as it was."""
        with self._lock:
            note = self._note(volume_id)
            clients = sorted({*(note.clients if note else []), *([client] if client else [])})
            if note is None or not running(note):
                note = self._start(volume_id, file, note, clients)
            elif note.clients != clients:
                self._keep(replace(note, clients=clients))
            return Export(volume_id=volume_id, address=note.address, port=note.port)

    def restart(self, volume_id: str, file: Path) -> None:
        """It looks at its file's size only when it starts. Who is connected connects again."""
        with self._lock:
            if note := self._note(volume_id):
                end(note)
                self._start(volume_id, file, note, note.clients)

    def remove(self, volume_id: str, client: str) -> None:
        with self._lock:
            if note := self._note(volume_id):
                left = [] if client == "*" else [other for other in note.clients if other != client]
                if left:
                    self._keep(replace(note, clients=left))
                    return
                end(note)
                self._path(volume_id).unlink(missing_ok=True)

    @contextmanager
    def standing_still(self, volume_id: str) -> Iterator[None]:
        """Meanwhile nothing is written from other hosts."""
        note = self._note(volume_id)
        stopped = note is not None and running(note)
        if note and stopped:
            os.kill(note.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if note and stopped:
                os.kill(note.pid, signal.SIGCONT)

    def _start(self, volume_id: str, file: Path, before: Note | None, clients: list[str]) -> Note:
        """The note first: a crash between the two leaves an export to bring back, never a process nobody knows."""
        address = before.address if before else self._address()
        if not address:
            raise NodeError("engine", "this host has no address on the network of the hosts: volumes stay on it")
        if before and not before.pid:
            end_strays(volume_id)
        with listen(address, [before.port] if before else self._free_ports()) as listener:
            port = listener.getsockname()[1]
            note = Note(volume_id=volume_id, address=address, port=port, clients=clients)
            self._keep(note)
            process = launch(file, listener, volume_id, *self._owner())
        note = replace(note, pid=process.pid, started=started(process.pid))
        self._keep(note)
        threading.Thread(target=process.wait, name=f"export-{volume_id[:8]}", daemon=True).start()  # no zombie stays
        return note

    def _free_ports(self) -> list[int]:
        taken = {note.port for volume_id in self.ids() if (note := self._note(volume_id))}
        return [port for port in PORTS if port not in taken]

    def _path(self, volume_id: str) -> Path:
        return self._folder / f"{checked_id(volume_id)}.json"

    def _keep(self, note: Note) -> None:
        write_atomically(self._path(note.volume_id), msgspec.json.encode(note))

    def _note(self, volume_id: str) -> Note | None:
        try:
            return msgspec.json.decode(self._path(volume_id).read_bytes(), type=Note)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as e:
            LOG.error("the export of volume %s cannot be read: %s", volume_id, e)
            return None


def listen(address: str, ports: list[int]) -> socket.socket:
    why = ""
    for port in ports:
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen(64)
        except OSError as e:
            listener.close()
            why = str(e)
        else:
            return listener
    raise NodeUnavailable(f"volumes cannot be exported at {address}: {why or 'no port is free'}")


def launch(file: Path, listener: socket.socket, volume_id: str, uid: int, gid: int) -> "subprocess.Popen[bytes]":
    """It opens its file by a descriptor, as QEMU's user, whose the file is from now on."""
    os.chown(file, uid, gid)
    with file.open("r+b") as volume:
        argv = [sys.executable, "-P", "-m", __name__, str(volume.fileno()), str(listener.fileno()), str(uid), str(gid)]
        kept = {name: os.environ[name] for name in (*KEPT, "PYTHONPATH") if name in os.environ}
        with Path(os.devnull).open("r+b") as nothing:
            process = subprocess.Popen(
                [*argv, volume_id],
                stdin=nothing,
                stdout=nothing,
                pass_fds=(volume.fileno(), listener.fileno()),
                env=kept | {"PATH": os.defpath},
                start_new_session=True,
                cwd="/",
            )
        return process


def running(note: Note) -> bool:
    return note.pid > 0 and bool(note.started) and started(note.pid) == note.started


def started(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when there is none, or nothing but its remains."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else words[19]


def end(note: Note) -> None:
    if not running(note):
        return
    os.kill(note.pid, signal.SIGTERM)
    patience = time.monotonic() + END_SECONDS
    while running(note):
        if time.monotonic() > patience:
            os.kill(note.pid, signal.SIGKILL)
        time.sleep(0.02)


def end_strays(volume_id: str) -> None:
    """Servers of this volume from before a crash that came between their start and the note of it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if f"--export-name={volume_id}" in words or (__name__ in words and volume_id in words):
                pid = int(entry.name)
                end(Note(volume_id=volume_id, address="", port=0, pid=pid, started=started(pid)))


def become_server(volume: int, listener: int, uid: int, gid: int, name: str) -> None:
    """What systemd does for a service that is started by its socket: descriptor 3, and who it is for."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = next(path for path in PROGRAM if os.path.exists(path))
    if listener != 3:
        if volume == 3:
            volume = os.dup(volume)
            os.set_inheritable(volume, True)
        os.dup2(listener, 3)
        os.close(listener)
    leave(libc)
    if uid:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kept = {word: os.environ[word] for word in KEPT if word in os.environ}
    options = (
        "driver=raw", "file.driver=file", f"file.filename=/proc/self/fd/{volume}", "file.locking=off", "file.discard=unmap",
    )  # fmt: skip
    # No locks: while a guest moves, its QEMU on the volume's own host and the next one by way of us both have it open.
    argv = [program, "--persistent", "--shared=0", f"--export-name={name}", "--image-opts", ",".join(options)]
    os.execve(program, argv, kept | {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})  # noqa: S606


if __name__ == "__main__":
    become_server(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
