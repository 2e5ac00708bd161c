"""How each identity provider is reached and recognised: `federation.json` in the state folder.

    {"trusted_dashboards": ["https://cloud.example.org/auth/websso/"],
     "identity_providers": {"corp": {"type": "oidc", "issuer": "https://sso.example.org/realms/corp",
                                     "client_id": "pileus", "client_secret": "..."}}}

A file, and not rows: it has secrets, and what it says is the operator's to decide. It is read again when it changes.
"""

from pathlib import Path

import msgspec

FILE = "federation.json"


class Oidc(msgspec.Struct, tag="oidc", forbid_unknown_fields=True):
    """An OpenID Connect provider. `audiences`: whose tokens are taken besides those for `client_id`."""

    issuer: str
    client_id: str
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    audiences: list[str] = []
    userinfo: bool = True  # ask it for claims that the token does not have
    ca_file: str = ""


class Saml(msgspec.Struct, tag="saml2", forbid_unknown_fields=True):
    """A SAML 2.0 identity provider, another cloud among them. `certificates`: PEM text of those it signs with."""

    entity_id: str
    certificates: list[str]
    sso_url: str = ""  # where browsers are redirected to log in; without it nobody is
    audience: str = ""  # what it calls this cloud, if not by the address of its metadata


class OwnSaml(msgspec.Struct, forbid_unknown_fields=True):
    """What this cloud says of itself where it vouches for its users elsewhere."""

    entity_id: str = ""
    organization: str = ""
    assertion_seconds: int = 3600


class Federation(msgspec.Struct, forbid_unknown_fields=True):
    trusted_dashboards: list[str] = []  # exactly these addresses get tokens from a log-in in the browser
    identity_providers: dict[str, Oidc | Saml] = {}
    saml: OwnSaml = msgspec.field(default_factory=OwnSaml)


def load(path: Path) -> Federation:
    """Raises ValueError with a reason a person can act on."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Federation)
    except FileNotFoundError:
        return Federation()
    except (msgspec.DecodeError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
