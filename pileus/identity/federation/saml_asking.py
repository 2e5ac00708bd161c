"""What this cloud asks of a SAML 2.0 identity provider: requests, signed by the key it vouches for its own users with.

A browser is redirected with the request (SAML bindings, 3.4); a client that speaks to both sides carries it in an envelope
(SAML profiles, 4.2: the enhanced client). What an identity provider has to know of this cloud is in its metadata.
"""

import base64
import uuid
import zlib
from typing import Any, NamedTuple
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from pileus.core import clock
from pileus.identity.federation.saml import (
    ASSERTION,
    ECP,
    METADATA,
    PROTOCOL,
    SIGNATURE,
    SOAP,
    Signer,
    add,
    described_key,
    printable,
    signed,
)

PAOS = "urn:liberty:paos:2003-08"
PAOS_TYPE = "application/vnd.paos+xml"
BY_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BY_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
BY_PAOS = "urn:oasis:names:tc:SAML:2.0:bindings:PAOS"
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_NEXT = {f"{{{SOAP}}}actor": "http://schemas.xmlsoap.org/soap/actor/next", f"{{{SOAP}}}mustUnderstand": "1"}


class Place(NamedTuple):
    """What this cloud is to one identity provider: its name, and where answers are sent."""

    entity_id: str
    by_post: str
    by_paos: str


def _request(place: Place, id: str, to: str, address: str, binding: str, signature: bool) -> Any:
    root = etree.Element(
        f"{{{PROTOCOL}}}AuthnRequest",
        {"ID": id, "Version": "2.0", "IssueInstant": clock.seconds(clock.now()) or ""},
        nsmap={"samlp": PROTOCOL, "saml": ASSERTION, "ds": SIGNATURE},
    )
    if to:
        root.set("Destination", to)
    root.set("AssertionConsumerServiceURL", address)
    root.set("ProtocolBinding", binding)
    add(root, ASSERTION, "Issuer", place.entity_id)
    if signature:
        add(root, SIGNATURE, "Signature", Id="placeholder")
    add(root, PROTOCOL, "NameIDPolicy", AllowCreate="true")
    return root


def redirect(place: Place, id: str, to: str, relay_state: str, signer: Signer) -> str:
    """Where a browser is sent. The signature is over the query itself (SAML bindings, 3.4.4.1)."""
    made = zlib.compressobj(wbits=-15)
    text = etree.tostring(_request(place, id, to, place.by_post, BY_POST, signature=False))
    packed = base64.b64encode(made.compress(text) + made.flush()).decode()
    query = urlencode({"SAMLRequest": packed, "RelayState": relay_state, "SigAlg": _RSA_SHA256})
    key = serialization.load_pem_private_key(signer.key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = base64.b64encode(key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    return f"{to}{'&' if '?' in to else '?'}{query}&{urlencode({'Signature': signature})}"


def envelope(place: Place, id: str, relay_state: str, signer: Signer) -> Any:
    """For a client that asks the identity provider by itself. The `RelayState` has to come back with the answer."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "paos": PAOS, "ecp": ECP})
    header = add(root, SOAP, "Header")
    told = {"responseConsumerURL": place.by_paos, "service": ECP, "messageID": uuid.uuid4().hex}
    etree.SubElement(header, f"{{{PAOS}}}Request", {**_NEXT, **told})
    add(etree.SubElement(header, f"{{{ECP}}}Request", _NEXT), ASSERTION, "Issuer", place.entity_id)
    etree.SubElement(header, f"{{{ECP}}}RelayState", _NEXT).text = printable(relay_state)
    request = signed(_request(place, id, "", place.by_paos, BY_PAOS, signature=True), signer)
    add(root, SOAP, "Body").append(request)
    return root


def metadata(place: Place, signer: Signer) -> Any:
    root = etree.Element(
        f"{{{METADATA}}}EntityDescriptor", {"entityID": place.entity_id}, nsmap={"md": METADATA, "ds": SIGNATURE}
    )
    wishes = {"AuthnRequestsSigned": "true", "WantAssertionsSigned": "true"}
    descriptor = add(root, METADATA, "SPSSODescriptor", protocolSupportEnumeration=PROTOCOL, **wishes)
    described_key(descriptor, signer)
    for index, (binding, address) in enumerate(((BY_POST, place.by_post), (BY_PAOS, place.by_paos))):
        more = {"index": str(index), "isDefault": "true" if index == 0 else "false"}
        add(descriptor, METADATA, "AssertionConsumerService", Binding=binding, Location=address, **more)
    return root
