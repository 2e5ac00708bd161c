"""Folders of keys: one file each, named by a number; the highest makes new tokens, all of them open old ones.

`0` beside others is the key that comes next: every controller knows it before the first token is made with it, also where
an operator copies the folder from one controller to the next. Rotation renames `0` to the highest number and puts a new
`0` in its place; each step is one rename or link, so that a reader always finds whole keys, and a rotation that was cut
short is finished by the next. Who has such a folder open looks at its list of names now and then: no restart is needed.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pileus.core import log

_log = log.logger("pileus.identity")
KEEP = 3  # keys that open what was made with them, the one in use included and the one to come not
_LOOK = 0.5  # seconds between looks at a folder


class Exposed(ValueError):
    """Others on this machine may read the keys, so they may have: they are used no more."""


class Folder:
    """The files. `make` makes a key's bytes."""

    def __init__(self, path: Path, make: Callable[[], bytes]):
        self.path = path
        self._make = make

    def read(self) -> dict[int, bytes]:
        """Number to key, the one in use first and the one to come last; a first one is made when there is none.

        Raises Exposed.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _private(self.path)
        while True:
            numbers = self.numbers()
            if not numbers:
                self._add(0)
                continue
            try:
                return {number: self._bytes(number) for number in numbers}
            except FileNotFoundError:  # renamed or dropped between list and look
                continue

    def numbers(self) -> list[int]:
        return sorted((int(name) for name in os.listdir(self.path) if name.isascii() and name.isdigit()), reverse=True)

    def stamp(self) -> tuple[object, ...]:
        """Differs when another process has changed the folder."""
        try:
            seen = os.stat(self.path)
            return seen.st_ino, seen.st_mtime_ns, *sorted(os.listdir(self.path))
        except FileNotFoundError:
            return ()

    def age(self) -> float:
        """Seconds since the key in use came into use."""
        return time.time() - os.stat(self.path / str(self.numbers()[0])).st_ctime

    def rotate(self) -> int:
        """Put the key that was to come into use; returns its number. Nothing is dropped."""
        self.read()
        with self._alone():
            numbers = self.numbers()
            if numbers == [0]:  # a new cloud's only key is the one in use, whatever its name
                os.rename(self.path / "0", self.path / "1")
            self._add(0)  # none, in the middle of a rotation that was cut short
            following = max(self.numbers()) + 1
            os.rename(self.path / "0", self.path / str(following))
            self._add(0)
            return following

    def drop(self, keep: int) -> list[int]:
        """Delete the oldest; what was made with them is void. Returns their numbers."""
        with self._alone():
            gone = [number for number in self.numbers() if number][keep:]
            for number in gone:
                (self.path / str(number)).unlink()
            self._sync()
            return gone

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One rotation at a time; leftovers of one that was killed are cleared."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for aside in self.path.glob("new-*"):
                aside.unlink()
            yield
        finally:
            os.close(handle)

    def _add(self, number: int) -> None:
        """Written aside and linked, so that two processes that do this together end with one whole key."""
        aside = self.path / f"new-{os.getpid()}-{time.monotonic_ns()}"
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if os.geteuid() == 0:  # an operator; whoever owns the folder has to read its keys
            owner = self.path.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        with os.fdopen(handle, "wb") as file:
            file.write(self._make())
            file.flush()
            os.fsync(file.fileno())
        owner = os.stat(self.path)
        if os.geteuid() == 0 != owner.st_uid:  # root rotates the keys of a controller that runs without rights
            os.chown(aside, owner.st_uid, owner.st_gid)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(aside, self.path / str(number))
        aside.unlink(missing_ok=True)
        self._sync()

    def _sync(self) -> None:
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _bytes(self, number: int) -> bytes:
        path = self.path / str(number)
        _private(path)
        return path.read_bytes().strip()


def _private(path: Path) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        raise Exposed(
            f"{path} has mode {mode:04o}: others may read the cloud's keys. Take their rights away "
            f"(chmod go= {path}); if they may have been read, replace the keys: pileus identity rotate-keys --keep 1, twice."
        )


class Watched:
    """A folder of keys in use by a running process, which follows its changes."""

    def __init__(self, folder: Folder):
        self.folder = folder
        self.version = 0  # grows when the keys have changed
        self._looked = 0.0
        self._stamp: tuple[object, ...] = ()
        self.changed_now()

    def load(self, keys: dict[int, bytes]) -> None:
        """Take these keys up, the one in use first."""
        raise NotImplementedError

    def current(self) -> int:
        """The version of the keys, at most half a second old."""
        if time.monotonic() - self._looked > _LOOK:
            self.changed_now()
        return self.version

    def changed_now(self) -> bool:
        """Look at once. Is there anything new?"""
        self._looked = time.monotonic()
        if not self.version:
            self.folder.read()  # makes the first key where there is none: that is no change for the next look to find
        stamp = self.folder.stamp()
        if stamp == self._stamp and stamp:
            return False
        # taken before the keys are read: what changes meanwhile is seen at the next look
        try:
            self.load(self.folder.read())
        except (OSError, ValueError) as error:
            if not self.version:
                raise
            # a folder that was spoiled while we run is said once, and the keys we know still do
            _log.error("the keys have changed and cannot be taken up", extra={"detail": str(error)})
            self._stamp = stamp
            return False
        self._stamp = stamp
        self.version += 1
        return True


class Fernets(Watched):
    """Encrypts with the key in use, decrypts with all. Fernet is authenticated: what was tampered with does not open."""

    _keys: MultiFernet
    _newest: Fernet

    def __init__(self, path: Path):
        super().__init__(Folder(path, Fernet.generate_key))

    def load(self, keys: dict[int, bytes]) -> None:
        try:
            made = [Fernet(key) for key in keys.values()]
        except ValueError as error:
            raise ValueError(f"{self.folder.path} holds a file that is no Fernet key: {error}") from None
        self._newest, self._keys = made[0], MultiFernet(made)

    def encrypt(self, data: bytes) -> bytes:
        self.current()
        return self._newest.encrypt(data)

    def decrypt(self, token: bytes) -> bytes:
        """Raises InvalidToken."""
        self.current()
        try:
            return self._keys.decrypt(token)
        except InvalidToken:
            if not self.changed_now():
                raise
            return self._keys.decrypt(token)

    def stale(self, token: bytes) -> bool:
        """Was this encrypted with another key than the one in use?"""
        try:
            self._newest.decrypt(token)
        except InvalidToken:
            return True
        return False


@cache
def fernet(path: Path) -> Fernets:
    """The keys of a folder; a first one is made when there is none. Raises Exposed."""
    return Fernets(path)
