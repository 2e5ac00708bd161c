"""`pileus identity`: what an operator does to the keys of tokens and stored secrets, and for identity providers."""

from pathlib import Path

import click
import msgspec

from pileus.cli.state import cloud_errors, examples, existing, state_option

_KINDS = ["tokens", "signatures", "receipts", "credentials", "federation"]  # `rotation.KINDS`, which costs its imports


@click.group(
    short_help="Look after the keys of the identity service.",
    epilog=examples("pileus identity rotate-keys                   new keys for all, now",
                    "pileus identity rotate-keys --older-than 30   the same from a daily timer",
                    "pileus identity saml-provider campus idp.xml  what federation.json has to say of it"),
)  # fmt: skip
def command() -> None:
    """Look after the keys of the identity service, and who else may vouch for users."""


@command.command("rotate-keys")
@state_option
@click.option("--only", "kinds", multiple=True, type=click.Choice(_KINDS),
              help="Rotate only these keys; may be repeated.  [default: all that the cloud has]")  # fmt: skip
@click.option("--keep", type=click.IntRange(1), default=3, show_default=True,
              help="How many keys stay good, the new one included. What was made with an older one is void.")  # fmt: skip
@click.option("--older-than", "days", type=click.FloatRange(0), default=0.0,
              help="Leave keys that came into use less than so many days ago.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@cloud_errors
def rotate_keys(folder: Path, kinds: tuple[str, ...], keep: int, days: float, as_json: bool) -> None:
    """Bring new keys into use; the cloud may be running, and needs no restart.

    Tokens made with the KEEP newest keys stay good. Stored credentials are encrypted anew, so the last key is the only one
    they need. May be repeated, and run again when it was interrupted. Where controllers run on several machines, copy the
    keys* folders to the others afterwards: the key that comes next is already known there.
    """
    existing(folder)
    from pileus import services
    from pileus.core.db import Database
    from pileus.core.errors import Fault
    from pileus.identity.tokens import rotation
    from pileus.settings import load

    services.stores()
    try:
        db = Database(load(folder).database)
        done = []
        for kind in kinds or rotation.present(folder):
            if kind not in rotation.present(folder):
                raise click.ClickException(f"this cloud has no keys for {kind}")
            done.append(rotation.rotate(db, folder, kind, keep, days * 86400, _progress))
            if not as_json:
                click.echo(_sentence(done[-1]))
        db.close()
    except (ValueError, Fault) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2))


@command.command("saml-provider")
@click.argument("name")
@click.argument("metadata", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--entity-id", default="", help="Which one is meant, where the metadata has several.")
def saml_provider(name: str, metadata: Path, entity_id: str) -> None:
    """Print what federation.json has to say of a SAML identity provider, from the file METADATA that it gives away.

    NAME is what it is called here: `openstack identity provider create NAME`. Nothing is changed.
    """
    from pileus.identity.federation import saml_metadata, settings

    try:
        found = saml_metadata.read(metadata.read_bytes(), entity_id)
    except ValueError as error:
        raise click.ClickException(f"{metadata} cannot be used: {error}.") from None
    told = msgspec.json.encode(settings.Federation(identity_providers={name: found}))
    kept = msgspec.json.decode(told)["identity_providers"]
    shown = {key: {part: value for part, value in kept[key].items() if value != ""} for key in kept}
    click.echo(msgspec.json.format(msgspec.json.encode({"identity_providers": shown}), indent=2))


def _progress(done: int, total: int) -> None:
    if total > 1000:
        click.echo(f"  {done} of {total} secrets looked at", err=True)


def _sentence(rotated: "msgspec.Struct") -> str:
    from pileus.identity.tokens.rotation import Rotated

    assert isinstance(rotated, Rotated)
    if rotated.skipped:
        return f"{rotated.kind}: key {rotated.in_use} stays in use, {rotated.skipped}"
    parts = [f"key {rotated.in_use} is in use"]
    if rotated.dropped:
        parts.append(f"dropped {', '.join(map(str, rotated.dropped))}")
    if rotated.kind == "credentials":
        parts.append(f"{rotated.reencrypted} secrets encrypted anew")
    return f"{rotated.kind}: {'; '.join(parts)}"
