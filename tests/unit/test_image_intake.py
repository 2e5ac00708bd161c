"""What every byte of an image passes: hashed in threads, written from the buffers that go round."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from pileus.core.hashes import BUFFER, BUFFERS, Hashes
from pileus.image.drivers.filesystem import FileStore
from pileus.image.intake import take


def _hashing() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hash-")]


@pytest.mark.parametrize("size", [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, (BUFFERS + 2) * BUFFER + 4097])
@pytest.mark.parametrize("piece", [700_001, 3 * BUFFER])
def test_all_bytes_are_hashed_and_written_in_order(tmp_path: Path, size: int, piece: int) -> None:
    data = os.urandom(size)
    writer = FileStore(tmp_path).create("key")
    pieces = [data[begin : begin + piece] for begin in range(0, size, piece)]
    written = take(pieces, writer.write, disk_format="raw", container_format="bare", checking=True)
    writer.finish()
    writer.close()
    assert (tmp_path / "key").read_bytes() == data
    assert written.size == size and written.checksum == hashlib.md5(data).hexdigest()
    assert written.sha512 == hashlib.sha512(data).hexdigest()


def test_a_slow_hash_holds_up_what_comes_and_a_failing_write_ends_its_threads() -> None:
    def full(piece: memoryview) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"), Hashes(("sha512", "md5"), full) as hashes:
        while True:
            hashes.eat(bytes(BUFFER))
    assert not _hashing()
    with Hashes(("sha512",)) as hashes:
        for _ in range(3 * BUFFERS):
            hashes.eat(bytes(BUFFER))
        assert len(hashes._buffers) == BUFFERS
        assert hashes.finish() == [hashlib.sha512(bytes(3 * BUFFERS * BUFFER)).hexdigest()]
    assert not _hashing()


def _held_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let md5 wait until it is told to go on."""
    go_on = threading.Event()

    class Slow:
        def __init__(self) -> None:
            self._hash = hashlib.md5(usedforsecurity=False)
            self.name, self.hexdigest = "md5", self._hash.hexdigest

        def update(self, view: memoryview) -> None:
            assert go_on.wait(10)
            self._hash.update(view)

    new = hashlib.new
    monkeypatch.setattr(hashlib, "new", lambda name, **_: Slow() if name == "md5" else new(name))
    return go_on


@pytest.mark.parametrize("may_lag", [True, False])
def test_bytes_wait_for_their_hashes_unless_these_may_come_later(
    monkeypatch: pytest.MonkeyPatch, may_lag: bool
) -> None:
    go_on, written = _held_up(monkeypatch), hashlib.sha512()
    threading.Timer(0.2, go_on.set).start()
    with Hashes(("md5", "sha512"), written.update, may_lag=may_lag) as hashes:
        for number in range(3 * BUFFERS):
            hashes.eat(bytes([number]) * BUFFER)
        assert hashes.lagging is may_lag
        assert len(hashes._buffers) == BUFFERS
        assert hashes.finish()[1:] == ([] if may_lag else [written.hexdigest()])
    assert written.hexdigest() == hashlib.sha512(b"".join(bytes([n]) * BUFFER for n in range(3 * BUFFERS))).hexdigest()
    assert not _hashing()


def test_a_file_system_that_knows_no_direct_writes_is_written_the_usual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, write = os.urandom(2 * BUFFER), os.write

    def refuses(file: int, piece: memoryview) -> int:
        if writer._file._direct:  # type: ignore[attr-defined]
            raise OSError(22, "Invalid argument")
        return write(file, piece)

    writer = FileStore(tmp_path).create("key")
    monkeypatch.setattr(os, "write", refuses)
    take([data], writer.write, disk_format="raw", container_format="bare", checking=True)
    writer.finish()
    writer.close()
    assert (tmp_path / "key").read_bytes() == data
