"""`pileus env`: who `openstack` shall be."""

from pathlib import Path

import click

from pileus.cli.state import cloud_errors, existing, state_option


@click.command()
@click.argument("user", type=click.Choice(["admin", "demo"]), default="admin")
@state_option
@cloud_errors
def command(folder: Path, user: str) -> None:
    """Print shell exports for a user of the cloud:  eval "$(pileus env admin)"."""
    from pileus.deploy import state

    click.echo(state.export_lines(existing(folder), user), nl=False)
