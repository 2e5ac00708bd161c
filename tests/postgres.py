"""A private PostgreSQL for tests: in a folder of its own, on a unix socket, without fsync, gone with the test run."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFIX = "pileus-postgresql-"


def binaries() -> Path | None:
    """Where the newest installed server's programs are (Debian keeps them off the PATH), or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """A running server. PostgreSQL refuses to run as root, so root runs it as the user `postgres`."""

    def __init__(self, programs: Path):
        _clean()
        self.programs = programs
        self.user: dict[str, Any] = {}
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._initialize()
        self.process = self._start()

    def _initialize(self) -> None:
        # the C locale sorts text as SQLite does; a mixture of collations is the operator's choice, not the tests'
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            check=True, cwd=self.folder, stdout=subprocess.DEVNULL, timeout=60, **self.user,
        )  # fmt: skip

    def _start(self) -> "subprocess.Popen[bytes]":
        options = [
            "fsync=off", "full_page_writes=off", "max_connections=300",
            "shared_buffers=64MB", "autovacuum=off", "listen_addresses=", f"unix_socket_directories={self.folder}",
        ]  # fmt: skip
        arguments = [part for option in options for part in ("-c", option)]
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *arguments],
                cwd=self.folder, stdout=log, stderr=log, preexec_fn=_die_with_parent, **self.user,
            )  # fmt: skip
        for _ in range(300):
            with contextlib.suppress(Exception):
                self.execute("SELECT 1")
                return process
            time.sleep(0.05)
        process.kill()
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()[-2000:]}")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"cloud_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def restart(self) -> None:
        """As if the server had crashed: every connection is lost."""
        self._end(signal.SIGQUIT)
        self.process = self._start()

    def pause(self) -> None:
        """The server is gone until `restart`."""
        self._end(signal.SIGINT)

    def stop(self) -> None:
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)


def running() -> Iterator[Postgres]:
    """For a fixture: a server, or a skip where none is installed."""
    import pytest

    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    server = Postgres(programs)
    yield server
    server.stop()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG: a killed test run leaves no server


def _clean() -> None:
    """Remove what earlier, killed runs left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            pid_file = folder / "data" / "postmaster.pid"
            if pid_file.exists() and Path(f"/proc/{pid_file.read_text().split()[0]}").exists():
                continue
            if not pid_file.exists() and time.time() - folder.stat().st_mtime < 120:
                continue  # another run is just making it
            shutil.rmtree(folder, ignore_errors=True)
