"""Folders of Fernet keys: one file each, named by a number, the highest is what is encrypted with."""

import contextlib
import os
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet


def fernet(folder: Path) -> MultiFernet:
    """With the keys of a folder; a first one is made when there is none."""
    return MultiFernet([Fernet(key) for key in _keys(folder)])


def _keys(folder: Path) -> list[bytes]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: -int(path.name))
    if not files:
        first = folder / "0"
        # written aside and linked, so that two processes that start together end with one whole key
        aside = folder / f"new-{os.getpid()}"
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
        with contextlib.suppress(FileExistsError):
            os.link(aside, first)
        aside.unlink()
        files = [first]
    return [path.read_bytes().strip() for path in files]
