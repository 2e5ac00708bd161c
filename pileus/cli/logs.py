"""`pileus logs`: what the processes of a cloud wrote."""

import time
from pathlib import Path
from typing import BinaryIO

import click

from pileus.cli.state import cloud_errors, examples, existing, state_option

LAST_LINES = 20


@click.command(
    short_help="What the cloud's processes wrote.",
    epilog=examples(
        "pileus logs                the last lines of all",
        "pileus logs -f serve       the controller's, as they come",
        "pileus logs -n 200 node-1  of everything on the first host",
    ),
)
@click.argument("name", required=False)
@state_option
@click.option("-f", "--follow", is_flag=True, help="Wait for more, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=LAST_LINES, show_default=True, help="How many of each.")
@cloud_errors
def command(folder: Path, name: str | None, follow: bool, lines: int) -> None:
    """Show the last lines of the logs of NAME: a process as in `pileus status` (serve, node-1/node), or part of it."""
    from pileus.deploy import status

    logs = status.logs(existing(folder))
    chosen = {label: path for label, path in logs.items() if name is None or name in label}
    if not chosen:
        raise click.ClickException(f"There is no log named {name}: there are {', '.join(logs)}.")
    streams: dict[str, BinaryIO] = {}
    for label, path in chosen.items():
        if path.exists():
            streams[label] = path.open("rb")
            for line in streams[label].read().splitlines()[-lines or None :] if lines else ():
                show(label, line)
    try:
        while follow:
            for label, stream in streams.items():
                for line in stream.read().splitlines():
                    show(label, line)
            time.sleep(0.3)
    except KeyboardInterrupt:
        return


def show(label: str, line: bytes) -> None:
    click.echo(f"{label}: {line.decode(errors='replace')}")
