"""`pileus down`: stop a cloud."""

from pathlib import Path

import click

from pileus.cli.state import cloud_errors, existing, state_option
from pileus.cli.up import stopwatch


@click.command()
@state_option
@click.option("--purge", is_flag=True, help="Delete what is in the state folder too: servers, images, everything.")
@cloud_errors
def command(folder: Path, purge: bool) -> None:
    """Stop a cloud and remove what it made on this machine; its data stays for the next `pileus up`."""
    from pileus.deploy import teardown

    cloud = existing(folder)
    teardown.stop_cloud(cloud, stopwatch())
    if purge:
        teardown.purge(cloud)
        click.echo(f"The cloud is stopped and {cloud.folder} is empty.")
    else:
        click.echo(f"The cloud is stopped; its data is in {cloud.folder}.")
