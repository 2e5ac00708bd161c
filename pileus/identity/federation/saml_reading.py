"""SAML 2.0 assertions that others made: read as if each were an attack, believed as far as its signature reaches.

Documents with a type declaration are refused before anything in them is looked at (no entities, no bombs, nothing is
fetched). The assertion's signature is checked on the assertion alone, cut out of all that surrounds it, and only what the
signature covers is read: there is nothing to wrap.
"""

import base64
import binascii
import hashlib
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from pileus.core import clock
from pileus.core.db import Tx
from pileus.identity.federation.login import Vouched
from pileus.identity.federation.saml import ASSERTION, BEARER, ECP, PROTOCOL, SIGNATURE, SOAP, SUCCESS
from pileus.identity.federation.settings import Saml
from pileus.identity.federation.shadow import refuse
from pileus.identity.federation.store import UsedAssertion

_LARGEST = 256 << 10
_LEEWAY = 60  # seconds that clocks may differ
# nothing that uses SHA-1, and nothing symmetric: the certificate is known to everybody
_METHODS = frozenset(
    method
    for method in SignatureMethod
    if re.fullmatch(r"(RSA|ECDSA)_SHA(256|384|512)|SHA(256|384|512)_RSA_MGF1", method.name)
)
_DIGESTS = frozenset(digest for digest in DigestAlgorithm if digest.name in ("SHA256", "SHA384", "SHA512"))
_CHECKS = SignatureConfiguration(
    location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS
)
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class Message(NamedTuple):
    """A Response that somebody brought, nothing of it believed, and the state that came along."""

    response: Any
    relay_state: str


class Meant(NamedTuple):
    """What an assertion that is meant for us says: the addresses it may be sent to, and the names we have there.

    `answers` is the id of the request of ours that it answers; "" for one that nobody asked for.
    """

    recipients: set[str]
    audiences: set[str]
    answers: str = ""


def posted(body: bytes, content_type: str) -> Message:
    """From a request: the document itself, an envelope around it, or the form that a browser posts. Raises Unauthorized."""
    if len(body) > 2 * _LARGEST:
        raise refuse("the SAML message is too large")
    if "form-urlencoded" not in content_type:
        return _message(_parsed(body))
    try:
        form = parse_qs(body.decode("ascii"), max_num_fields=20)
        data, relay_state = base64.b64decode(form["SAMLResponse"][0], validate=False), form.get("RelayState", [""])[0]
    except (UnicodeDecodeError, ValueError, KeyError, binascii.Error):
        raise refuse("the form has no SAMLResponse") from None
    return _message(_parsed(data))._replace(relay_state=relay_state)


def read(message: Message, settings: Saml, meant: Meant) -> tuple[Vouched, str, str]:
    """What is said, the assertion's own mark, and until when it is good. Raises Unauthorized."""
    found = message.response
    code = found.find(f"{{{PROTOCOL}}}Status/{{{PROTOCOL}}}StatusCode")
    if code is None or code.get("Value") != SUCCESS:
        raise refuse("the identity provider reports no success")
    if found.get("Destination") and found.get("Destination") not in meant.recipients:
        raise refuse("the response was sent to another place")
    if found.get("InResponseTo", meant.answers) != meant.answers:
        raise refuse("the response answers another request")
    assertion = _believed(found, settings)
    issuer = _text(assertion.find(f"{{{ASSERTION}}}Issuer"))
    if issuer != settings.entity_id:
        raise refuse(f"the assertion is of another issuer: {issuer[:200]}")
    until = min(_confirmed(assertion, meant), *_conditions(assertion, meant))
    mark = hashlib.sha256(f"{issuer}\0{assertion.get('ID')}".encode()).hexdigest()
    name = _text(assertion.find(f"{{{ASSERTION}}}Subject/{{{ASSERTION}}}NameID"))
    return Vouched(issuer, _attributes(assertion, issuer, name), name, "Shib-Identity-Provider"), mark, until


def use(tx: Tx, mark: str, until: str) -> None:
    """An assertion is good once. Raises Unauthorized."""
    if tx.find(UsedAssertion, id=mark) is not None:
        raise refuse("the assertion was used before")
    tx.insert(UsedAssertion(mark, until))


# -- the document --------------------------------------------------------------------------------------------------------


def safe_parser() -> Any:
    """Comments are left out: text around one would be read in part."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _parsed(data: bytes) -> Any:
    if len(data) > _LARGEST:
        raise refuse("the SAML message is too large")
    # in the encodings where this search would not see it the parser still refuses: below
    if _DOCTYPE.search(data):
        raise refuse("the SAML message has a document type")
    try:
        root = etree.fromstring(data, safe_parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise refuse(f"the SAML message is not XML: {str(error)[:200]}") from None
    if root.getroottree().docinfo.internalDTD is not None or root.getroottree().docinfo.doctype:
        raise refuse("the SAML message has a document type")
    return root


def _message(root: Any) -> Message:
    """The Response, alone or in a client's envelope."""
    relay_state = ""
    if root.tag == f"{{{SOAP}}}Envelope":
        relay_state = _text(root.find(f"{{{SOAP}}}Header/{{{ECP}}}RelayState"))
        bodies = root.findall(f"{{{SOAP}}}Body")
        found = list(bodies[0]) if len(bodies) == 1 else []
        if len(found) != 1:
            raise refuse("the envelope has not one message")
        root = found[0]
    if root.tag != f"{{{PROTOCOL}}}Response":
        raise refuse("the message is no SAML response")
    return Message(root, relay_state)


def _believed(response: Any, settings: Saml) -> Any:
    """The one assertion, as far as it is signed."""
    if response.findall(f".//{{{ASSERTION}}}EncryptedAssertion"):
        raise refuse("encrypted assertions are not supported")
    if len(response.findall(f".//{{{ASSERTION}}}Assertion")) != 1:
        raise refuse("the response has not one assertion")
    assertion = response.find(f"{{{ASSERTION}}}Assertion")
    if assertion is None:
        raise refuse("the assertion is not where it should be")
    if assertion.find(f"{{{SIGNATURE}}}Signature") is not None:
        return _verified(assertion, settings)
    if response.find(f"{{{SIGNATURE}}}Signature") is not None:
        signed = _verified(response, settings)
        found = signed.findall(f"{{{ASSERTION}}}Assertion")
        if len(found) == 1:
            return found[0]
    raise refuse("the assertion is not signed")


def _verified(element: Any, settings: Saml) -> Any:
    """The same element, made anew of just what its signature covers."""
    data = etree.tostring(element, with_tail=False)
    reason: Any = "no certificate is known"
    for certificate in settings.certificates:
        try:
            alone = etree.fromstring(data, safe_parser())
            found = XMLVerifier().verify(
                alone, x509_cert=certificate, id_attribute="ID", expect_config=_CHECKS, validate_schema=True
            )
        except Exception as error:  # any at all: two libraries below, and hostile input
            reason = error
            continue
        signed = None if isinstance(found, list) else found.signed_xml
        if signed is not None and signed.tag == element.tag and signed.get("ID") == element.get("ID"):
            return signed
        reason = "it covers something else"
    raise refuse(f"the signature is not believable: {str(reason)[:300]}")


# -- what it says --------------------------------------------------------------------------------------------------------


def _text(element: Any) -> str:
    return "" if element is None else "".join(element.itertext()).strip()


def _moment(text: str | None, name: str) -> str | None:
    if text is None:
        return None
    try:
        return clock.canonical(text)
    except (ValueError, OverflowError):
        raise refuse(f"the assertion's {name} is no time") from None


def _still_good(until: str | None, name: str) -> str | None:
    if until is not None and clock.after(-_LEEWAY) >= until:
        raise refuse(f"the assertion has ended: {name}")
    return until


def _confirmed(assertion: Any, meant: Meant) -> str:
    """Until when whoever brings it is taken for its subject: it has to be meant for us, and to end."""
    path = f"{{{ASSERTION}}}Subject/{{{ASSERTION}}}SubjectConfirmation"
    for confirmation in assertion.findall(path):
        if confirmation.get("Method") != BEARER:
            continue
        for data in confirmation.findall(f"{{{ASSERTION}}}SubjectConfirmationData"):
            until = _moment(data.get("NotOnOrAfter"), "NotOnOrAfter")
            if until is None or data.get("Recipient") not in meant.recipients or data.get("NotBefore") is not None:
                continue
            if data.get("InResponseTo", "") != meant.answers:
                continue
            _still_good(until, "its subject's confirmation")
            return until
    raise refuse("the assertion's subject is not confirmed for us")


def _conditions(assertion: Any, meant: Meant) -> list[str]:
    ends: list[str | None] = []
    restricted = False
    for conditions in assertion.findall(f"{{{ASSERTION}}}Conditions"):
        begins = _moment(conditions.get("NotBefore"), "NotBefore")
        if begins is not None and begins > clock.after(_LEEWAY):
            raise refuse("the assertion is not good yet")
        ends.append(_still_good(_moment(conditions.get("NotOnOrAfter"), "NotOnOrAfter"), "its conditions"))
        for restriction in conditions.findall(f"{{{ASSERTION}}}AudienceRestriction"):
            audiences = {_text(audience) for audience in restriction.findall(f"{{{ASSERTION}}}Audience")}
            if not audiences & meant.audiences:
                raise refuse("the assertion is for another audience")
            restricted = True
    if meant.answers and not restricted:  # who is asked says so (profiles, 4.1.4.2); clouds' own assertions may not
        raise refuse("the assertion is for no audience")
    for statement in assertion.findall(f"{{{ASSERTION}}}AuthnStatement"):
        ends.append(_still_good(_moment(statement.get("SessionNotOnOrAfter"), "SessionNotOnOrAfter"), "its session"))
    return [end for end in ends if end is not None] or [clock.after(86400)]


def _attributes(assertion: Any, issuer: str, name: str) -> dict[str, list[str]]:
    """By name and by friendly name; as Apache's modules call them too, by which most mappings are written."""
    found: dict[str, list[str]] = {}
    for attribute in assertion.findall(f"{{{ASSERTION}}}AttributeStatement/{{{ASSERTION}}}Attribute"):
        values = [_text(value) for value in attribute.findall(f"{{{ASSERTION}}}AttributeValue")]
        for key in {attribute.get("Name"), attribute.get("FriendlyName")} - {None, ""}:
            found.setdefault(key, []).extend(values)
            found.setdefault(f"MELLON_{key}", []).extend(values)
    ours = {"Shib-Identity-Provider": [issuer], "MELLON_IDP": [issuer]}
    if name:
        ours |= {"REMOTE_USER": [name], "MELLON_NAME_ID": [name]}
    return {**found, **ours}
