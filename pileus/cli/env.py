"""`pileus env`: who `openstack` shall be."""

from pathlib import Path

import click

from pileus.cli.state import cloud_errors, examples, existing, state_option


@click.command(
    short_help="Shell exports for the `openstack` client.",
    epilog=examples(
        'eval "$(pileus env)"          be the admin, in this shell',
        'eval "$(pileus env demo)"     be the demo user',
        "export OS_CLIENT_CONFIG_FILE=STATE/clouds.yaml OS_CLOUD=pileus-demo    the same, by file",
    ),
)
@click.argument("user", type=click.Choice(["admin", "demo"]), default="admin")
@state_option
@cloud_errors
def command(folder: Path, user: str) -> None:
    """Print shell exports for a user of the cloud:  eval "$(pileus env admin)"."""
    from pileus.deploy import state, up

    cloud = existing(folder)
    if not up.is_up(cloud):
        click.echo("The cloud is not running: start it with `pileus up`.", err=True)
    click.echo(state.export_lines(cloud, user), nl=False)
