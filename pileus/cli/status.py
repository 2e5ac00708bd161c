"""`pileus status`: what of a cloud runs."""

import json
from pathlib import Path

import click

from pileus.cli.state import cloud_errors, existing, state_option


@click.command()
@state_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@cloud_errors
def command(folder: Path, as_json: bool) -> None:
    """Show a cloud's address and processes. Exits with 1 when not all of them run."""
    from pileus.deploy import status

    report = status.of(existing(folder))
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(status.text(report))
    if report["state"] != "running":
        raise SystemExit(1)
