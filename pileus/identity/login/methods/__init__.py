"""The ways to say and prove who one is (Identity API v3, "Authentication"), one module each; METHODS lists them.

A method turns what a client sent under its name into a claim, looking things up in a reading transaction. The claim is
proved outside any transaction, because proving is slow by design; what that changes is written afterwards.
"""

from pileus.identity.login.methods import application_credential, external, mapped, oauth1, password, token, totp
from pileus.identity.login.methods.claims import Attempt, Claim, Method
from pileus.settings import Settings

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        password.METHOD,
        token.METHOD,
        *mapped.METHODS,
        totp.METHOD,
        application_credential.METHOD,
        oauth1.METHOD,
        external.KERBEROS,
        external.EXTERNAL,
    )
}


def usable(settings: Settings) -> set[str]:
    """The methods that this cloud is set up for: a rule for several factors asks for no other."""
    return set(METHODS) if settings.kerberos.keytab else set(METHODS) - {"kerberos", "external"}


__all__ = ["METHODS", "Attempt", "Claim", "Method", "usable"]
