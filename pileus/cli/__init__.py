"""The command line: `pileus up | down | status | env | logs | fsck | serve | node | ...`, one module a verb."""

import difflib
import importlib
from typing import Any

import click

# Verbs are loaded when asked for: `pileus node` need not pay for importing the controller.
# In the order in which a newcomer meets them; the last two are for machines.
COMMANDS = ["up", "demo", "status", "env", "logs", "fsck", "down", "image", "identity", "serve", "node"]

EXAMPLES = """\b
Examples:
  pileus up --fake              every API, without root and virtual machines
  pileus up                     as root: a real cloud on this machine
  pileus demo                   a first server in it, and a login
  eval "$(pileus env demo)"     whom the `openstack` command speaks for
  pileus down                   stop it; `pileus up` brings it back

\b
Every verb has --help. Several clouds: give each its own --state and --port."""


class Verbs(click.Group):
    """A group whose commands live in modules of their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: Any = importlib.import_module(f"pileus.cli.{cmd_name}").command
        return command  # type: ignore[no-any-return]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}. {meant}")
        return super().resolve_command(ctx, args)


def print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib import metadata

    try:
        version = metadata.version("pileus")
    except metadata.PackageNotFoundError:
        version = "of a source folder that was not installed"
    click.echo(f"pileus {version}")
    ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Print it.")
def main() -> None:
    """pileus: a cloud in one package, which speaks OpenStack's APIs."""
