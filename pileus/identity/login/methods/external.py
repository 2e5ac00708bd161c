"""`kerberos` and `external`: a ticket of a Kerberos realm instead of a password (SPNEGO, RFC 4559).

The client sends `Authorization: Negotiate ...` beside the body, whose method is empty; without it, it is asked to. Which
realms are trusted, and in which domain their users are, the settings say; the user must exist there, by its principal.
"""

import base64
import binascii
import importlib
from typing import Any

import msgspec

from pileus.core import log
from pileus.core.errors import Unauthorized, Unavailable
from pileus.identity.login.methods.claims import WRONG, Attempt, Claim, Method
from pileus.identity.store import Project, User

_log = log.logger("pileus.identity")
_MOST = 65_536  # bytes of a ticket: those with many groups are long


class Given(msgspec.Struct):
    """Nothing: the ticket is in a header."""


def claim(attempt: Attempt, given: Given, name: str) -> Claim:
    settings = attempt.settings.kerberos
    if not settings.keytab:
        raise Unauthorized(f"Attempted to authenticate with an unsupported method: {name}.")
    scheme, _, encoded = attempt.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "negotiate":
        raise Unauthorized(WRONG, headers={"www-authenticate": "Negotiate"})
    principal, answer = accept(settings.keytab, encoded)
    user_name, _, realm = principal.rpartition("@")
    domain_name = settings.realms.get(realm)
    if domain_name is None:
        raise Unauthorized(WRONG, detail=f"no domain is set for the realm of {principal}")
    domain = attempt.tx.find(Project, domain_id=None, name=domain_name)
    user = attempt.tx.find(User, domain_id=domain.id, name=user_name) if domain and user_name else None
    if answer:
        attempt.answer["www-authenticate"] = f"Negotiate {answer}"
    return Claim(name, user, named=principal)


def accept(keytab: str, encoded: str) -> tuple[str, str]:
    """The principal that a ticket proves, and our proof for the client. Raises Unauthorized.

    Nothing is asked of the key distribution centre; the library itself remembers tickets, so that none counts twice.
    """
    try:
        gssapi: Any = importlib.import_module("gssapi")
    except ImportError as error:
        raise Unavailable("Log-in by Kerberos is set up, but its library is missing.", detail=str(error)) from None
    try:
        ticket = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        ticket = b""
    if not 0 < len(ticket) <= _MOST:
        raise Unauthorized(WRONG, detail="the ticket is no base64, or too long")
    try:
        own = gssapi.Credentials(usage="accept", store={"keytab": keytab})
        context = gssapi.SecurityContext(creds=own, usage="accept")
        answer = context.step(ticket)
        # one leg is all that Kerberos needs; what wants more is another mechanism
        principal = str(context.initiator_name) if context.complete else ""
    except gssapi.exceptions.GSSError as error:
        _log.warning("a ticket was refused", extra={"why": str(error)[:500]})
        raise Unauthorized(WRONG, detail="the ticket is not good") from None
    if not principal or "\\" in principal or "\0" in principal:
        raise Unauthorized(WRONG, detail="the ticket names nobody, or somebody whose name is not plain")
    return principal, base64.b64encode(answer or b"").decode()


KERBEROS = Method("kerberos", Given, lambda attempt, given: claim(attempt, given, "kerberos"))
EXTERNAL = Method("external", Given, lambda attempt, given: claim(attempt, given, "external"))
