"""Controllers of one cloud over one PostgreSQL: each `pileus serve` with a state folder of its own, and the same keys.

They share the folder of images, as machines do by a network file system; of the image cache each has its own.
"""

import ctypes
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port


class Controller:
    """`cloud.json` is what `pileus up` would write, but for the database. Clients know the cloud by one address."""

    def __init__(self, database_url: str, first: "Controller | None" = None):
        self.state = Path(tempfile.mkdtemp(prefix="pl-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings: dict[str, Any] = {
            "port": self.port,
            "database_url": database_url,
            "fake_nodes": 2,
            "log_level": "warning",
        }
        settings["public_url"] = first.url if first else self.url
        settings["image"] = {"cache_folder": str(self.state / "image-cache")}
        (self.state / "cloud.json").write_text(json.dumps(settings))
        if first is not None:
            for folder in first.state.glob("keys*"):
                shutil.copytree(folder, self.state / folder.name)
            (self.state / "images").symlink_to(first.state / "images")
        command = [sys.executable, "-m", "pileus", "serve", "--state", str(self.state)]
        with (self.state / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            assert self.process.poll() is None, (self.state / "serve.log").read_text()
            try:
                urllib.request.urlopen(f"{self.url}/healthcheck", timeout=5).close()
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise AssertionError(f"a controller did not start:\n{(self.state / 'serve.log').read_text()}")

    @property
    def admin_password(self) -> str:
        found: str = json.loads((self.state / "secrets.json").read_text())["admin_password"]
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        shutil.rmtree(self.state, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: a killed run leaves nothing behind


@contextmanager
def two(database_url: str) -> Iterator[tuple[Controller, Controller]]:
    """The second knows no password that the first did not write into the database."""
    first = Controller(database_url)
    try:
        second = Controller(database_url, first)
        try:
            yield first, second
        finally:
            second.stop()
    finally:
        first.stop()
