"""`pileus down`: stop a cloud."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pileus.cli.state import cloud_errors, examples, existing, state_option
from pileus.cli.up import stopwatch

if TYPE_CHECKING:
    from pileus.deploy.state import Cloud


@click.command(
    short_help="Stop a cloud; its data stays.",
    epilog=examples(
        "pileus down             guests may shut down; the next `pileus up` starts them again",
        "pileus down --now       as a power cut: guests are not asked",
        "pileus down --purge     and forget the cloud with all its servers and images",
        "pileus down --all       every cloud of this machine, also what killed ones left behind",
    ),
)
@state_option
@click.option("--now", is_flag=True, help="Do not wait for guests to shut down.")
@click.option("--purge", is_flag=True, help="Delete what is in the state folder too: servers, images, everything.")
@click.option("--all", "every", is_flag=True, help="All clouds of this machine instead, and what is left of others.")
@cloud_errors
def command(folder: Path, now: bool, purge: bool, every: bool) -> None:
    """Stop a cloud and remove what it made on this machine; its data stays for the next `pileus up`.

    Guests are asked to shut down and have half a minute to do so; they run again after the next `pileus up`.
    """
    from pileus.deploy import machine

    if not every:
        stop(existing(folder), now, purge)
        return
    if purge:
        raise click.UsageError("--purge is for one cloud: name its folder with --state.")
    found = machine.clouds()
    for cloud in found:
        click.echo(f"{cloud.folder}:")
        stop(cloud, now, purge=False)
    if not found:
        click.echo("There is no cloud on this machine.")


def stop(cloud: "Cloud", now: bool, purge: bool) -> None:
    from pileus.deploy import teardown

    patience = 0.0 if now or purge else teardown.PATIENCE
    try:
        teardown.stop_cloud(cloud, stopwatch(), patience)
    except KeyboardInterrupt:
        click.echo("Not waiting any longer.")
        teardown.stop_cloud(cloud, stopwatch())
    if purge:
        teardown.purge(cloud)
        click.echo(f"The cloud is stopped and {cloud.folder} is empty.")
    elif cloud.folder.is_dir():
        click.echo(f"The cloud is stopped; its data is in {cloud.folder}.")
    else:
        click.echo("What was left of the cloud is gone.")
