"""`pileus demo`: a first server."""

from pathlib import Path

import click

from pileus.cli.image import default_cache
from pileus.cli.state import cloud_errors, examples, existing, state_option
from pileus.cli.up import stopwatch


@click.command(
    short_help="A first server, and a login to it.",
    epilog=examples("pileus up && pileus demo", "pileus up --fake --state /tmp/x && pileus demo --state /tmp/x"),
)
@state_option
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Keeps the guest image's packages.")
@cloud_errors
def command(folder: Path, cache: Path | None) -> None:
    """Make networks, flavors, an image and a server in a running cloud, and log in to it. A second run changes nothing."""
    import shlex

    from pileus.deploy import demo, up

    cloud = existing(folder)
    if not up.is_up(cloud):
        raise click.ClickException(f"The cloud is not running: start it with `pileus up{up.option(cloud)}`.")
    shown = demo.run_demo(cloud, (cache or default_cache()).absolute(), stopwatch())
    if shown.greeting:
        click.echo(f"\n{shown.greeting}\n")
    click.echo(f"The server demo is up at {shown.address}. What to try next:")
    login = [(shlex.join(demo.login(cloud)), "log in to it once more")] if not cloud.fake else []
    lines = [
        *login,
        (f'eval "$(pileus env{up.option(cloud)} demo)"', "now `openstack` speaks for the user demo"),
        ("openstack server list", ""),
        ("openstack console log show demo", "what the guest said while it booted"),
        ("openstack server create --image cirros --flavor m1.nano --network demo --key-name demo --wait second", ""),
        (f"pileus down{up.option(cloud)}", "stops the cloud; the data stays"),
    ]
    click.echo(up.hints(*lines))
