"""`pileus status`: what of a cloud runs."""

import json
from pathlib import Path

import click

from pileus.cli.state import cloud_errors, examples, existing, state_option


@click.command(
    short_help="What of a cloud runs.",
    epilog=examples(
        "pileus status                 address, processes, how long they run",
        "pileus status --all           every cloud of this machine",
        "pileus status --json | jq .state",
    ),
)
@state_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--all", "every", is_flag=True, help="One line for each cloud of this machine of which something runs.")
@cloud_errors
def command(folder: Path, as_json: bool, every: bool) -> None:
    """Show a cloud's address and processes. Exits with 1 when not all of them run."""
    from pileus.deploy import machine, status

    if every:
        reports = [status.of(cloud) for cloud in machine.clouds()]
        lines = [f"{report['state']:9} {report['auth_url']:28} {report['folder']}" for report in reports]
        click.echo(json.dumps(reports, indent=2) if as_json else "\n".join(lines) or "No cloud runs on this machine.")
        return
    report = status.of(existing(folder))
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(status.text(report))
    if report["state"] != "running":
        raise SystemExit(1)
