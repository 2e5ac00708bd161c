"""Image data in a Ceph pool, through the `rbd` program: librbd's binding comes with the distribution, not from PyPI.

Not tried against a real Ceph yet: docs/images.md says so.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pileus.image.drivers.base import StoreError, StoreFull
from pileus.image.drivers.remote import Parts, RemoteStore
from pileus.image.options import RbdOptions

CHUNK = 1 << 20
SECONDS = 60
SNAPSHOT = "snap"  # what Ceph's users clone from


class RbdStore(RemoteStore):
    """An RBD image a key. It arrives under another name, because `rbd import` shows what is half there."""

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

    def _chunks(self, key: str, skip: int, left: int | None) -> Iterator[bytes]:
        program = subprocess.Popen(
            self.command("export", "--no-progress", key, "-"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        output = program.stdout
        if output is None:
            return
        try:
            while (left is None or left > 0) and (chunk := output.read(CHUNK)):
                part = chunk[skip:] if skip else chunk
                skip = max(0, skip - len(chunk))
                part = part if left is None else part[:left]
                left = None if left is None else left - len(part)
                if part:
                    yield part
            if left is None and program.wait(SECONDS):
                raise StoreError(f"{self.name}: the download broke off")
        finally:
            output.close()
            program.kill()
            program.wait()

    def begin(self, key: str) -> Parts:
        return _RbdParts(self, key)

    def remove(self, key: str) -> None:
        for arguments in (("snap", "unprotect", f"{key}@{SNAPSHOT}"), ("snap", "purge", key), ("rm", key)):
            try:
                self.run(*arguments, *(["--no-progress"] if arguments[0] == "rm" else []))
            except FileNotFoundError:
                continue
            except StoreError:
                if arguments[0] == "rm":
                    raise  # clones stand on it: the sweep asks again

    def stored(self) -> set[str]:
        return set(self.run("ls").split())


class _RbdParts(Parts):
    def __init__(self, store: RbdStore, key: str):
        self.store, self.key = store, key
        self.program = subprocess.Popen(
            store.command("import", "--no-progress", "--image-format", "2", "-", key),
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
        try:
            self.input.close()
        except BrokenPipeError:
            raise self._failure() from None
        if self.program.wait(600):
            raise self._failure()
        self.store.run("snap", "create", f"{self.key}@{SNAPSHOT}")
        self.store.run("snap", "protect", f"{self.key}@{SNAPSHOT}")

    def abort(self) -> None:
        self.program.kill()
        self.program.wait()

    def _failure(self) -> Exception:
        self.program.wait(10)
        return failure(self.store.name, self.program.stderr.read().decode() if self.program.stderr else "")


def failure(store: str, said: str) -> Exception:
    words = said.strip().splitlines()
    if "No such file" in said:
        return FileNotFoundError(words[-1])
    if "No space" in said or "quota" in said.lower():
        return StoreFull(words[-1])
    return StoreError(f"{store}: {words[-1] if words else 'rbd failed'}")
