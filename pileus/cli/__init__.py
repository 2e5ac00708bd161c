"""The command line: `pileus up | down | status | env | logs | fsck | serve | node | ...`, one module a verb."""

import importlib
from typing import Any

import click

# Verbs are loaded when asked for: `pileus node` need not pay for importing the controller.
COMMANDS = ["serve", "node", "up", "down", "status", "env", "logs", "fsck", "image", "demo", "identity"]


class Verbs(click.Group):
    """A group whose commands live in modules of their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: Any = importlib.import_module(f"pileus.cli.{cmd_name}").command
        return command  # type: ignore[no-any-return]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pileus")
def main() -> None:
    """pileus: a cloud in one package."""
