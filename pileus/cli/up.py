"""`pileus up`: start a cloud."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from pileus.cli.state import cloud_errors, examples, state_option


def _process(_context: click.Context, _option: click.Parameter, pid: int | None) -> int | None:
    if pid is not None and not Path(f"/proc/{pid}").exists():
        raise click.ClickException(f"There is no process {pid}, for which this cloud was to be.")
    return pid


settings_option = click.option(
    "--settings",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON with settings of the cloud, kept from then on, such as security_compliance.",
)


@click.command(
    short_help="Start a cloud.",
    epilog=examples(
        "pileus up                                 on this machine, as root",
        "pileus up --nodes 2                       two hosts on it, in namespaces",
        "pileus up --fake                          every API, without root and virtual machines",
        "pileus up --state /srv/blue --port 5100   one more cloud beside the first",
        "pileus up --settings strict.json          with settings of yours, kept from then on",
        "pileus up --fake --for-pid $$             gone with this shell: for test suites",
    ),
)
@state_option
@click.option("--port", type=click.IntRange(1, 65534), help="Of the APIs; the next one serves bodies.  [default: 5000]")
@click.option(
    "--nodes", type=click.IntRange(1, 99), help="How many hosts, each in namespaces of its own.  [default: 1]"
)
@click.option("--fake", is_flag=True, help="No virtual machines, no networks, no root: every API on a stateful fake.")
@settings_option
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C, then stop the cloud.")
@click.option("--for-pid", type=click.IntRange(1), metavar="PID", callback=_process,
              help="Stop the cloud when this process ends, however it ends, and empty the state folder.")  # fmt: skip
@click.option("--brief", is_flag=True, help="Do not tell what to do next.")
@cloud_errors
def command(
    folder: Path,
    port: int | None,
    nodes: int | None,
    fake: bool,
    file: Path | None,
    foreground: bool,
    for_pid: int | None,
    brief: bool,
) -> None:
    """Start an all-in-one cloud, and keep it running.

    A cloud that runs is left as it is; one that was stopped or lost its machine comes back with all it had.
    """
    from pileus.deploy import state, teardown, up
    from pileus.deploy.process import environment

    cloud = up.prepare(folder, port=port, nodes=nodes, fake=fake)
    options = state.options(file) if file else {}
    if up.is_up(cloud):
        if cloud != state.read(folder) or options:
            raise click.ClickException(
                "The cloud is running: `pileus down` it first to give it another port, more nodes or settings."
            )
        click.echo(f"The cloud in {cloud.folder} is running already: `pileus status` shows it.")
        return
    up.check_machine(cloud)
    up.save(cloud, options)
    if foreground:
        argv = up.supervisor_argv(cloud, for_pid, [])
        os.execvpe(argv[0], argv, environment(cloud.hash))  # noqa: S606
    try:
        up.launch(cloud, stopwatch(), for_pid=for_pid)
    except KeyboardInterrupt:
        teardown.stop_cloud(cloud, stopwatch())
        raise click.ClickException("Interrupted; what had been started is stopped again.") from None
    click.echo(f"The cloud is ready: {cloud.auth_url}" if brief else up.what_next(cloud))


def stopwatch() -> Callable[[str], None]:
    begin = time.monotonic()
    return lambda line: click.echo(f"{time.monotonic() - begin:5.1f} s  {line}")
