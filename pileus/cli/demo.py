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

    from pileus.deploy import demo, state, up

    cloud = existing(folder)
    if not up.is_up(cloud):
        raise click.ClickException("The cloud is not running: start it with `pileus up`.")
    shown = demo.run_demo(cloud, (cache or default_cache()).absolute(), stopwatch())
    if shown.greeting:
        click.echo(f"\n{shown.greeting}\n")
    here = "" if cloud.folder == state.default_folder() else f" --state {shlex.quote(str(cloud.folder))}"
    pileus, openstack = up.program("pileus"), up.program("openstack")
    click.echo(f"The server demo is up at {shown.address}. What to try next:")
    if not cloud.fake:
        click.echo(f"  {shlex.join(demo.ssh(shown.address, shown.key))}")
    click.echo(f"""\
  . {shlex.quote(str(cloud.folder / "keystonerc_demo"))}
  {openstack} server list
  {openstack} console log show demo
  {openstack} server create --image cirros --flavor m1.nano --network demo --key-name demo second
  {pileus} down{here}""")
