"""What the verbs that look after a cloud have in common: which one, and how they fail."""

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pileus.deploy.state import Cloud


def _folder(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path:
    from pileus.deploy.state import default_folder

    return (value or default_folder()).resolve()


state_option = click.option(
    "--state",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_folder,
    help="The cloud's state folder.  [default: $PILEUS_STATE, or /var/lib/pileus as root, or ~/.local/state/pileus]",
)


def cloud_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a person can act on is shown as a sentence."""

    @functools.wraps(function)
    def guarded(*arguments: Any, **options: Any) -> Any:
        from pileus.deploy.errors import DeployError

        try:
            return function(*arguments, **options)
        except DeployError as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            raise  # who reads our output went away: click knows what to do
        except OSError as error:
            raise click.ClickException(sentence(error)) from None

    return guarded


def sentence(error: OSError) -> str:
    """What an operating system's error means to the person at the keyboard."""
    what = error.filename or "The machine"
    if isinstance(error, PermissionError):
        return f"You may not use {what}: use sudo, or another --state."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what}: the disk is full. Make room, or choose a --state on another disk."
    if error.errno == errno.EROFS:
        return f"{what} is on a disk that cannot be written: choose another --state."
    return f"{what}: {error.strerror or error}."


def examples(*lines: str) -> str:
    """The end of a verb's help, kept as it is laid out here."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def existing(folder: Path) -> "Cloud":
    from pileus.deploy import state

    cloud = state.read(folder)
    if cloud is None:
        raise click.ClickException(
            f"There is no cloud in {folder}: start one with `pileus up`, or name it with --state."
        )
    return cloud
