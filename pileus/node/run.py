"""Running the host's programs: argument lists, a deadline, and errors with the program's own words."""

import logging
import subprocess
from collections.abc import Sequence

from pileus.node.errors import NodeError, NodeUnavailable

LOG = logging.getLogger("pileus.node")


def run(*args: str, seconds: float = 30.0, stdin: str | None = None, stdin_fd: int | None = None) -> str:
    """Standard output of a program that ended well."""
    source: dict[str, object] = {"input": stdin} if stdin is not None else {"stdin": stdin_fd or subprocess.DEVNULL}
    try:
        done = subprocess.run(args, capture_output=True, text=True, timeout=seconds, check=False, **source)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise NodeError("engine", f"{args[0]} is not installed on this host") from None
    except subprocess.TimeoutExpired:
        raise NodeUnavailable(f"{args[0]} took more than {seconds:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NodeError("engine", f"{command_name(args)} failed: {said[-1] if said else done.returncode}")
    return str(done.stdout)


def tried(*args: str, seconds: float = 30.0) -> bool:
    """For what may as well be gone or impossible: whether it worked."""
    try:
        run(*args, seconds=seconds)
    except NodeError as e:
        LOG.debug("%s", e)
        return False
    return True


def command_name(args: Sequence[str]) -> str:
    """The program inside its wrappers (prlimit, setpriv ... --)."""
    inner = list(args)
    while "--" in inner and inner[0].rpartition("/")[2] in ("prlimit", "setpriv", "unshare"):
        inner = inner[inner.index("--") + 1 :]
    return inner[0]
