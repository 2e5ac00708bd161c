"""What this cloud vouches for elsewhere: signed SAML 2.0 assertions about its users, and the metadata to check them by.

Signatures are signxml's, RSA with SHA-256; the key and its certificate are made with the first use, in the state folder.
"""

import datetime
import json
import os
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import Forbidden
from pileus.identity import projects, users
from pileus.identity.federation import providers
from pileus.identity.federation.settings import OwnSaml
from pileus.identity.federation.store import ServiceProvider
from pileus.identity.tokens.provider import Token

FOLDER = "keys-saml"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ECP = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_DAYS = 3650


class Signer(NamedTuple):
    key: bytes
    certificate: str  # PEM


def signer(state: Path, entity_id: str) -> Signer:
    """The key of this cloud, made when there is none."""
    folder = state / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "signing.pem"
    if not path.exists():
        _write(path, _new_pair(entity_id))
    pair = path.read_bytes()
    marker = b"-----BEGIN CERTIFICATE-----"
    key, _, rest = pair.partition(marker)
    return Signer(key, (marker + rest).decode())


def _write(path: Path, data: bytes) -> None:
    """Written aside and linked, so that two processes that start together end with one whole pair."""
    aside = path.with_name(f"new-{os.getpid()}-{uuid.uuid4().hex}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _new_pair(entity_id: str) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (entity_id or "pileus")[-64:])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def entity_id(settings: Any, own: OwnSaml) -> str:
    return own.entity_id or f"{settings.url}/v3/OS-FEDERATION/saml2/idp"


# -- what is said --------------------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """Of whom, and to whom."""

    user: str
    attributes: dict[str, list[str]]
    provider: ServiceProvider


def said(tx: Tx, token: Token | None, provider_id: str) -> Said:
    """Raises NotFound, Forbidden for a provider that is disabled, or a token that is not for a project or is delegated."""
    provider = providers.get_service_provider(tx, provider_id)
    if not provider.enabled:
        raise Forbidden(f"Service Provider {provider_id} is disabled.")
    if token is None or token.project is None or token.project_domain is None or token.payload.scope != "project":
        raise Forbidden("Use a project scoped token when attempting to create a SAML assertion.")
    if token.payload.delegated:
        raise Forbidden("A token got by delegation cannot be exchanged for an assertion.")
    named = {row.domain_id: projects.get_domain(tx, row.domain_id).name for row in users.groups_of(tx, token.user.id)}
    groups = [
        "JSON:" + json.dumps({"name": row.name, "domain": {"name": named[row.domain_id]}}, separators=(",", ":"))
        for row in users.groups_of(tx, token.user.id)
    ]
    attributes = {
        "openstack_user": [token.user.name],
        "openstack_user_domain": [token.user_domain.name],
        "openstack_roles": [role.name for role in token.roles],
        "openstack_project": [token.project.name],
        "openstack_project_domain": [token.project_domain.name],
        "openstack_groups": groups,
    }
    return Said(token.user.name, {name: values for name, values in attributes.items() if values}, provider)


# -- in XML --------------------------------------------------------------------------------------------------------------


def add(parent: Any, space: str, name: str, text: str | None = None, **attributes: str) -> Any:
    element = etree.SubElement(parent, f"{{{space}}}{name}", attributes)
    element.text = printable(text) if text is not None else None
    return element


def printable(text: str) -> str:
    """XML has no place for control characters, which names here may have."""
    return "".join(sign if sign in "\t\n" or (sign >= " " and sign not in "\ufffe\uffff") else "?" for sign in text)


def response(said: Said, issuer: str, signer: Signer, seconds: int) -> Any:
    """A Response with one signed assertion, as an element."""
    now, until = clock.seconds(clock.now()) or "", clock.seconds(clock.after(seconds)) or ""
    recipient = said.provider.sp_url
    assertion = signed(_assertion(said, issuer, now, until), signer)
    id = f"_{uuid.uuid4().hex}"
    root = etree.Element(
        f"{{{PROTOCOL}}}Response",
        {"ID": id, "Version": "2.0", "IssueInstant": now, "Destination": recipient},
        nsmap={"samlp": PROTOCOL, "saml": ASSERTION},
    )
    add(root, ASSERTION, "Issuer", issuer, Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity")
    add(add(root, PROTOCOL, "Status"), PROTOCOL, "StatusCode", Value=SUCCESS)
    root.append(assertion)
    return root


def _assertion(said: Said, issuer: str, now: str, until: str) -> Any:
    id = f"_{uuid.uuid4().hex}"
    # one prefix for what is signed, or moving the assertion into a response would rename parts of it
    root = etree.Element(
        f"{{{ASSERTION}}}Assertion",
        {"ID": id, "Version": "2.0", "IssueInstant": now},
        nsmap={"saml": ASSERTION, "ds": SIGNATURE},
    )
    add(root, ASSERTION, "Issuer", issuer, Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity")
    add(root, SIGNATURE, "Signature", Id="placeholder")
    subject = add(root, ASSERTION, "Subject")
    add(subject, ASSERTION, "NameID", said.user)
    confirmation = add(subject, ASSERTION, "SubjectConfirmation", Method=BEARER)
    add(confirmation, ASSERTION, "SubjectConfirmationData", NotOnOrAfter=until, Recipient=said.provider.sp_url)
    conditions = add(root, ASSERTION, "Conditions", NotBefore=now, NotOnOrAfter=until)
    add(add(conditions, ASSERTION, "AudienceRestriction"), ASSERTION, "Audience", said.provider.sp_url)
    authn = add(
        root, ASSERTION, "AuthnStatement", AuthnInstant=now, SessionIndex=uuid.uuid4().hex, SessionNotOnOrAfter=until
    )
    context = add(authn, ASSERTION, "AuthnContext")
    add(context, ASSERTION, "AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password")
    add(context, ASSERTION, "AuthenticatingAuthority", issuer)
    statement = add(root, ASSERTION, "AttributeStatement")
    for name, values in said.attributes.items():
        attribute = add(statement, ASSERTION, "Attribute", Name=name)
        for value in values:
            add(attribute, ASSERTION, "AttributeValue", value)
    return root


def signed(element: Any, signer: Signer) -> Any:
    """With a signature of it in its placeholder."""
    made = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    return made.sign(
        element, key=signer.key, cert=signer.certificate, reference_uri=element.get("ID"), id_attribute="ID"
    )


def envelope(response: Any, said: Said) -> Any:
    """The response as a client carries it (SAML 2.0 profiles, "Enhanced Client or Proxy")."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "ecp": ECP})
    header = add(root, SOAP, "Header")
    marks = {f"{{{SOAP}}}actor": "http://schemas.xmlsoap.org/soap/actor/next", f"{{{SOAP}}}mustUnderstand": "1"}
    relay = etree.SubElement(header, f"{{{ECP}}}RelayState", marks)
    relay.text = printable(said.provider.relay_state_prefix) + uuid.uuid4().hex
    add(root, SOAP, "Body").append(response)
    return root


def metadata(issuer: str, own: OwnSaml, signer: Signer) -> Any:
    root = etree.Element(
        f"{{{METADATA}}}EntityDescriptor", {"entityID": issuer}, nsmap={"md": METADATA, "ds": SIGNATURE}
    )
    descriptor = add(root, METADATA, "IDPSSODescriptor", protocolSupportEnumeration=PROTOCOL)
    described_key(descriptor, signer)
    add(descriptor, METADATA, "NameIDFormat", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient")
    binding = "urn:oasis:names:tc:SAML:2.0:bindings:URI"
    location = issuer.rpartition("/")[0] + "/sso" if issuer.endswith("/idp") else issuer
    add(descriptor, METADATA, "SingleSignOnService", Binding=binding, Location=location)
    if own.organization:
        organization = add(root, METADATA, "Organization")
        language = {"{http://www.w3.org/XML/1998/namespace}lang": "en"}
        for name in ("OrganizationName", "OrganizationDisplayName", "OrganizationURL"):
            etree.SubElement(organization, f"{{{METADATA}}}{name}", language).text = printable(own.organization)
    return root


def described_key(descriptor: Any, signer: Signer) -> None:
    """In metadata: what signatures are checked by. None is told for encrypting, so nobody does."""
    key = add(add(descriptor, METADATA, "KeyDescriptor", use="signing"), SIGNATURE, "KeyInfo")
    body = "".join(line for line in signer.certificate.splitlines() if "-----" not in line)
    add(add(key, SIGNATURE, "X509Data"), SIGNATURE, "X509Certificate", body)


def text(element: Any) -> bytes:
    found: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return found
