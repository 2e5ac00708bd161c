"""All clouds of this machine, also those that nobody remembers: found by what they leave to be seen."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pileus.deploy import hosts, state
from pileus.deploy.errors import DeployError
from pileus.deploy.process import mark_of, words_of
from pileus.deploy.state import Cloud

OURS = re.compile(r"pileus-([0-9a-f]{6})(?:-.*)?")


@dataclass
class Remains(Cloud):
    """Processes and namespaces of a cloud whose folder nobody knows any more; `id` is its hash."""

    @property
    def hash(self) -> str:
        return self.id


def clouds() -> list[Cloud]:
    """Those of which something runs or is left, by folder."""
    folders: dict[str, Path | None] = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        mark = mark_of(pid)
        if mark and folders.get(mark) is None:
            folders[mark] = folder_named(mark, words_of(pid))
    if os.geteuid() == 0:
        names = os.listdir(hosts.NAMESPACES) if hosts.NAMESPACES.is_dir() else []
        for name in (*names, *devices()):
            if match := OURS.fullmatch(name):
                folders.setdefault(match[1], None)
    found = [remembered(mark, folder) for mark, folder in folders.items()]
    return sorted(found, key=lambda cloud: str(cloud.folder))


def devices() -> set[str]:
    try:
        return hosts.devices()
    except DeployError:
        return set()  # a machine without `ip` has no real cloud either


def remembered(mark: str, folder: Path | None) -> Cloud:
    if folder is not None:
        try:
            if cloud := state.read(folder):
                return cloud
        except DeployError:
            pass  # damaged: what runs of it can be stopped all the same
        return Cloud(folder=folder, id="", nodes=0)
    return Remains(folder=Path(f"(a forgotten folder, {mark})"), id=mark, nodes=0)


def folder_named(mark: str, words: list[str]) -> Path | None:
    """The state folder of a mark, from a command line that mentions something in it."""
    for word in words:
        path = Path(word[word.find("/") :]) if "/" in word else None
        for folder in (path, *path.parents) if path else ():
            if hashlib.sha256(os.fsencode(folder)).hexdigest()[:6] == mark:
                return folder
    return None
