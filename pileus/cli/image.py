"""`pileus image build | fetch | list-known`: images to start with, made here or brought from a distribution."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pileus.cli import metadefs
from pileus.cli.state import examples
from pileus.image.guest import GuestImageError
from pileus.image.guest import build as build_guest
from pileus.image.guest import fetch as fetching


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pileus" / "guest"


@click.group(
    short_help="Build or fetch images to boot servers from.",
    epilog=examples(
        "pileus image build --output tiny.qcow2    a tiny Linux, from this distribution's packages",
        "pileus image fetch debian-12              a distribution's own image, checked",
        "pileus image list-known                   those that have a name here",
    ),
)
def command() -> None:
    """Build or fetch images to boot servers from."""


command.add_command(metadefs.load)
command.add_command(metadefs.export)


@command.command(epilog=examples("pileus image build", "pileus image build --output tiny.qcow2"))
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("pileus-guest.qcow2"),
    show_default=True,
    help="Where to put the image.",
)
@click.option("--arch", default="x86_64", show_default=True, help="Architecture of the guest.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="Keeps packages and the last image.  [default: ~/.cache/pileus/guest]")  # fmt: skip
def build(output: Path, arch: str, cache: Path | None) -> None:
    """Build a tiny Linux image from this distribution's packages.

    It takes half a minute and needs no root; the second time nothing is built that has not changed. The image has what
    servers need to be tried out: DHCP, SSH with the key pair of the server, user data, a console with a login.
    """
    if arch not in ("x86_64", "amd64"):
        raise click.ClickException(f"no guest image for {arch} yet: only x86_64 can be built")
    try:
        with _steps(output.name) as (say, show):
            build_guest(output.absolute(), (cache or default_cache()).absolute(), say, show)
    except GuestImageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{output} ({output.stat().st_size / 1e6:.1f} MB); user cirros, password gocubsgo")
    click.echo(how_to_create("pileus-guest", output))


@contextlib.contextmanager
def _steps(name: str) -> Iterator[tuple[Callable[[str], None], Callable[[float], None]]]:
    """A bar with the step that runs on a terminal; elsewhere a line a step."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(line, err=True), lambda part: None
        return
    with click.progressbar(length=1000, label=name, file=sys.stderr, item_show_func=str, show_eta=False) as bar:

        def show(part: float) -> None:
            bar.update(max(0, int(part * 1000) - bar.pos), bar.current_item)

        yield lambda line: bar.update(0, line), show
        bar.update(1000 - bar.pos, "")


@command.command(
    epilog=examples(
        "pileus image fetch debian-12",
        "pileus image fetch https://example.org/disk.qcow2 --checksum SHA256 --output disk.qcow2",
    )
)
@click.argument("source", metavar="NAME|URL")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where to put the image.  [default: the file's own name]",
)
@click.option("--checksum", default=None, help="md5, sha256 or sha512 the image must have.")  # fmt: skip
def fetch(source: str, output: Path | None, checksum: str | None) -> None:
    """Download a distribution's cloud image and check it.

    A NAME is one of `pileus image list-known`; its image is checked against the checksums that are published beside it. Any
    other image comes by its URL, and is checked when its checksum is given. What is not as it should be is not kept.
    """
    try:
        image = fetching.source_of(source)
        target = output or Path(image.url.split("?")[0].rsplit("/", 1)[-1])
        with click.progressbar(length=1, label=target.name) as bar:

            def show(done: int, total: int) -> None:
                bar.length = max(total, done)
                bar.update(done - bar.pos)

            checked = fetching.fetch(image, target.absolute(), checksum, show)
    except GuestImageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: checked against {checked}" if checked else f"{target}: no checksum known, not checked")
    if image.user:
        click.echo(f"The image's user is {image.user}; log in with the server's key pair.")
    click.echo(how_to_create(image.name, target))


@command.command(
    "list-known", epilog=examples("pileus image list-known", "pileus image list-known --json | jq -r .[].url")
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--urls", is_flag=True, help="Where each comes from, too.")
def list_known(as_json: bool, urls: bool) -> None:
    """List the images `fetch` knows by name, with the user to log in as."""
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(image) for image in fetching.KNOWN], indent=2))
        return
    names, users = (max(len(getattr(image, part)) for image in fetching.KNOWN) for part in ("name", "user"))
    click.echo(f"{'NAME':{names}}  {'USER':{users}}  WHAT IT IS")
    for image in fetching.KNOWN:
        click.echo(f"{image.name:{names}}  {image.user:{users}}  {image.title}")
        if urls:
            click.echo(f"{'':{names}}  {'':{users}}  {image.url}")
    click.echo("Any other: `pileus image fetch URL`.")


def how_to_create(name: str, file: Path) -> str:
    form = "raw" if file.suffix == ".raw" else "qcow2"
    return (
        f"Create the image in your cloud with:\n"
        f"  openstack image create --disk-format {form} --container-format bare --file {file} {name}"
    )
