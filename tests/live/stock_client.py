"""The stock `openstack` command, in this process: its start alone costs a second of a processor, and tests give hundreds."""

import contextlib
import io
import logging
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

SECONDS = 300


def run(words: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """What a process with this environment would have printed, and its status. Raises TimeoutError."""
    from openstackclient import shell

    _forget()
    out, errors = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        _own_handlers(),
        _at_most(SECONDS, words),
    ):
        try:
            status: Any = shell.OpenStackShell().run(words)
        except SystemExit as end:  # of the parser of words
            status = end.code
    # a command that returns what it should have printed ends with that as its status
    code = 0 if isinstance(status, tuple) else int(status or 0)
    return subprocess.CompletedProcess(["openstack", *words], code, out.getvalue(), errors.getvalue())


def _forget() -> None:
    """It keeps its clients for as long as the process lives, whoever they were for."""
    from openstackclient.common.clientmanager import ClientManager

    for kind in ClientManager.__mro__:
        for cached in vars(kind).values():
            if hasattr(cached, "_handle"):
                cached._handle = None


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """It adds one to the root's with each start, and sets levels."""
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = kept
        root.setLevel(level)


@contextlib.contextmanager
def _at_most(seconds: int, words: list[str]) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError(f"openstack {' '.join(words)} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
