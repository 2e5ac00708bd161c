"""`pileus image load-metadefs | export-metadefs`: the catalogue of metadata definitions, from files and into files."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pileus.cli.state import cloud_errors, state_option

if TYPE_CHECKING:
    from pileus.core.db import Database


@click.command("load-metadefs")
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--merge", is_flag=True, help="Add to namespaces that are there what they lack.")
@click.option("--prefer-new", is_flag=True, help="While merging, change what is there too.")
@click.option("--replace", is_flag=True, help="Begin namespaces that are there anew.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@state_option
@cloud_errors
def load(path: Path | None, merge: bool, prefer_new: bool, replace: bool, as_json: bool, folder: Path) -> None:
    """Load metadata definitions from a file or a folder of files; from pileus's own without PATH.

    A namespace that is there already is left alone, unless an option says otherwise.
    """
    from pileus.core.errors import Fault
    from pileus.image.metadefs import catalogue

    if replace and (merge or prefer_new):
        raise click.UsageError("--replace begins anew: there is nothing to merge.")
    options = catalogue.Options(merge or prefer_new, prefer_new, replace)
    db = _database(folder)
    done: dict[str, str] = {}
    try:
        definitions = list(catalogue.read(path or catalogue.STANDARD))
        with db.write() as tx:  # all files or none
            for _, definition in definitions:
                done[definition["namespace"]] = catalogue.load(tx, definition, options)
    except (ValueError, Fault) as error:
        raise click.ClickException(str(error)) from error
    finally:
        db.close()
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    for namespace, what in done.items():
        click.echo(f"{what:8}  {namespace}")


@click.command("export-metadefs")
@click.argument("path", type=click.Path(file_okay=False, path_type=Path))
@state_option
@cloud_errors
def export(path: Path, folder: Path) -> None:
    """Write all metadata definitions into a folder, a file for each namespace."""
    from pileus.image.metadefs import catalogue
    from pileus.image.metadefs.store import Namespace

    path.mkdir(parents=True, exist_ok=True)
    db = _database(folder)
    try:
        with db.read() as tx:
            for row in tx.select(Namespace, order="namespace"):
                # names are the users': none may lead out of the folder
                file = (
                    path / f"{re.sub(r'[^A-Za-z0-9]+', '-', row.namespace).strip('-') or 'unnamed'}-{row.id[:8]}.json"
                )
                file.write_text(json.dumps(catalogue.export(tx, row), indent=2) + "\n", encoding="utf-8")
                click.echo(file)
    finally:
        db.close()


def _database(folder: Path) -> "Database":
    from pileus import services
    from pileus.core.db import Database
    from pileus.settings import CONFIG
    from pileus.settings import load as settings

    if not (folder / CONFIG).exists():
        raise click.ClickException(
            f"There is no cloud in {folder}: start one with `pileus up`, or name it with --state."
        )
    services.stores()
    return Database(settings(folder).database)
