"""`pileus fsck`: compare what the database says with what is on hosts, in OVN and in files."""

import json
import time
from pathlib import Path
from typing import Any

import click

from pileus.cli.state import cloud_errors, examples, existing, state_option

PAUSE = 2.0  # between the two looks that a difference has to be seen in


class Look:
    """As much of a cloud as a comparison needs. Nothing is written: the cloud may be running beside it."""

    def __init__(self, folder: Path):
        from pileus import services
        from pileus.cloud import Drivers
        from pileus.core.db import Database
        from pileus.settings import load

        services.stores()
        self.settings = load(folder)
        self.db = Database(self.settings.database)
        self.drivers: Any = Drivers(self)  # type: ignore[arg-type]

    def differences(self) -> list[Any]:
        from pileus import services

        found: list[Any] = []
        for name, compare in services.comparisons():
            # the engine of a fake cloud's network is in its controller's memory
            if name == "network" and not self.settings.ovn_nb:
                continue
            if name == "block_storage" and not self.settings.nodes:  # likewise a fake node's volumes
                continue
            found += compare(self)
        return found

    def close(self) -> None:
        for driver in list(self.drivers.values()):
            if hasattr(driver, "stop"):
                driver.stop()
        self.db.close()


@click.command(
    short_help="Compare the records with what is there.",
    epilog=examples(
        "pileus fsck && echo clean", "pileus fsck --json      one object for each difference: where, kind, id, what"
    ),
)
@state_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@cloud_errors
def command(folder: Path, as_json: bool) -> None:
    """Compare rows with domains, disks, taps, OVN and image files. Exits with 1 when something differs.

    Repairs nothing: the running cloud does, within a minute or two. What is in the middle of a change is no difference.
    """
    from pileus.compute.compare import twice

    existing(folder)
    look = Look(folder)
    try:
        found = look.differences()
        if found:
            time.sleep(PAUSE)
            found = twice(found, look.differences())
    finally:
        look.close()
    if as_json:
        click.echo(json.dumps([difference._asdict() for difference in found], indent=2))
    else:
        for difference in found:
            click.echo(f"{difference.where}: {difference.kind} {difference.id}: {difference.what}")
        if not found:
            click.echo("nothing differs")
        if look.settings.fake_nodes:
            click.echo("this cloud's hosts and network are fakes: only its database and files were compared", err=True)
    if found:
        raise SystemExit(1)
