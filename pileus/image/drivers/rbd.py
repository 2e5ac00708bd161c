"""Image data in a Ceph pool, through the `rbd` program: librbd's binding comes with the distribution, not from PyPI.

A program that is killed leaves its lock on what it wrote for half a minute: it is let end by the end of its input instead,
which is what it sees too when the controller dies.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pileus.image.drivers import rbd_range
from pileus.image.drivers.base import StoreError, StoreFull
from pileus.image.drivers.remote import Parts, RemoteStore
from pileus.image.options import RbdOptions

CHUNK = 1 << 20
SECONDS = 60
SNAPSHOT = "snap"  # what Ceph's users clone from
ARRIVING = ".part"  # what `rbd import` has begun shows under its name at once


class RbdStore(RemoteStore):
    """An RBD image a key, with a protected snapshot. It arrives under another name."""

    kind = "rbd"

    def __init__(self, options: RbdOptions, markers: Path):
        super().__init__(options, markers)
        if shutil.which("rbd") is None:
            raise ValueError(f"The store {options.id} needs the program rbd: install ceph-common.")
        self.options = options

    def url(self, key: str) -> str:
        return f"rbd:///{self.options.pool}/{key}/{SNAPSHOT}"

    def command(self, *arguments: str) -> list[str]:
        who = ["--id", self.options.user] if self.options.user else []
        where = ["--conf", self.options.config] if self.options.config else []
        return ["rbd", *who, *where, "--pool", self.options.pool, *arguments]

    def run(self, *arguments: str) -> str:
        """Raises FileNotFoundError for what is not there, else StoreError."""
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise StoreError(f"{self.name}: Ceph has not answered for {SECONDS} seconds") from None
        if done.returncode:
            raise failure(self.name, done.stderr)
        return done.stdout

    def size(self, key: str) -> int:
        import json

        return int(json.loads(self.run("info", "--format", "json", key))["size"])

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.run("info", key)
        return self._chunks(key, offset, length)

    def _chunks(self, key: str, offset: int, left: int | None) -> Iterator[bytes]:
        command = self.command("export", "--no-progress", key, "-")
        if offset:  # `export` begins at the beginning
            where = (self.options.config, self.options.user, self.options.pool, key)
            length = "" if left is None else str(left)
            command = [sys.executable, "-I", "-S", rbd_range.__file__, *where, str(offset), length]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        output = program.stdout
        if output is None:
            return
        try:
            while (left is None or left > 0) and (chunk := output.read(CHUNK)):
                part = chunk if left is None else chunk[:left]
                left = None if left is None else left - len(part)
                yield part
            if left or (left is None and program.wait(SECONDS)):
                raise StoreError(f"{self.name}: the download broke off")
        finally:
            output.close()
            program.kill()
            program.wait()

    def begin(self, key: str) -> Parts:
        return _RbdParts(self, key)

    def remove(self, key: str) -> None:
        for name in (key, key + ARRIVING):
            with contextlib.suppress(FileNotFoundError):
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Raises FileNotFoundError, and StoreError while clones stand on it: the sweep asks again."""
        with contextlib.suppress(StoreError):
            self.run("rm", "--no-progress", name)
            return
        for verb in (("unprotect", f"{name}@{SNAPSHOT}"), ("purge", "--no-progress", name)):
            with contextlib.suppress(StoreError, FileNotFoundError):
                self.run("snap", *verb)
        self.run("rm", "--no-progress", name)

    def stored(self) -> set[str]:
        try:
            return {name.removesuffix(ARRIVING) for name in self.run("ls").split()}
        except FileNotFoundError as error:
            raise StoreError(f"{self.name}: {error}") from None


class _RbdParts(Parts):
    def __init__(self, store: RbdStore, key: str):
        self.store, self.key = store, key
        self.program = subprocess.Popen(
            store.command("import", "--no-progress", "--image-format", "2", "-", key + ARRIVING),
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @property
    def input(self) -> IO[bytes]:
        if self.program.stdin is None:
            raise StoreError(f"{self.store.name}: rbd takes nothing")
        return self.program.stdin

    def write(self, chunk: bytes | memoryview) -> None:
        try:
            self.input.write(chunk)
        except BrokenPipeError:
            raise self._failure() from None

    def finish(self) -> None:
        self._end()
        if self.program.returncode:
            raise self._failure()
        name = self.key + ARRIVING
        self.store.run("snap", "create", "--no-progress", f"{name}@{SNAPSHOT}")
        self.store.run("snap", "protect", f"{name}@{SNAPSHOT}")
        self.store.run("mv", name, self.key)

    def abort(self) -> None:
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        try:
            self.program.wait(600)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()

    def _failure(self) -> Exception:
        self.program.wait(10)
        return failure(self.store.name, self.program.stderr.read().decode() if self.program.stderr else "")


def failure(store: str, said: str) -> Exception:
    words = said.strip().splitlines()
    if "No such file" in said and "opening pool" not in said:
        return FileNotFoundError(words[-1])
    if "No space" in said or "quota" in said.lower():
        return StoreFull(words[-1])
    return StoreError(f"{store}: {words[-1] if words else 'rbd failed'}")
