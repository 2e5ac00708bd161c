"""A small SAML 2.0 identity provider, for tests: it answers requests that are signed well, and can be told to lie.

`running()` puts it on loopback: a page that browsers are redirected to, and an address that clients ask with a password.
"""

import base64
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner
from signxml.verifier import XMLVerifier

from tests import outside, signing
from tests.outside import Outside

NS = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#",
    "soap": "http://schemas.xmlsoap.org/soap/envelope/", "ecp": "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp",
}  # fmt: skip
_RESPONSE = """<p:Response xmlns:p="{p}" xmlns:a="{a}" xmlns:ds="{ds}" ID="_{response}" Version="2.0" IssueInstant="{now}"
 Destination="{destination}" InResponseTo="{response_to}"><a:Issuer>{issuer}</a:Issuer>
 <p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status></p:Response>"""
_ASSERTION = """<a:Assertion xmlns:a="{a}" xmlns:ds="{ds}" ID="_{assertion}" Version="2.0" IssueInstant="{now}">
<a:Issuer>{issuer}</a:Issuer><ds:Signature Id="placeholder"/>
<a:Subject><a:NameID>{user}</a:NameID><a:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<a:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{recipient}" InResponseTo="{answers}"/>
</a:SubjectConfirmation></a:Subject>
<a:Conditions NotBefore="{since}" NotOnOrAfter="{until}">{restriction}</a:Conditions>
<a:AuthnStatement AuthnInstant="{now}"/>
<a:AttributeStatement><a:Attribute Name="uid">
<a:AttributeValue>{user}</a:AttributeValue></a:Attribute></a:AttributeStatement>
</a:Assertion>"""


class Asked(NamedTuple):
    """A request for an assertion."""

    id: str
    issuer: str
    address: str
    binding: str
    relay_state: str = ""


class Provider:
    def __init__(self) -> None:
        self.issuer = "https://saml.test/idp"
        self.url = "https://saml.test/sso"
        self.user = "alice"
        self.passwords = {"alice": "wonder land"}
        self.certificate = signing.certificate("RSA-PSS").decode()
        self.wrong: dict[str, str] = {}  # what answers say instead of the truth
        self.service: Any = None  # the metadata of the cloud it answers

    def settings(self, **more: Any) -> dict[str, Any]:
        """What pileus has to be told of it."""
        known = {"entity_id": self.issuer, "certificates": [self.certificate], "sso_url": self.url}
        return {"type": "saml2", **known, **more}

    def learn(self, metadata: bytes) -> None:
        self.service = etree.fromstring(metadata)

    @property
    def service_certificate(self) -> x509.Certificate:
        text = self.service.findtext(".//ds:X509Certificate", namespaces=NS)
        return x509.load_der_x509_certificate(base64.b64decode(text))

    # -- requests --------------------------------------------------------------------------------------------------

    def redirected(self, query: str) -> Asked:
        """What a browser brings; its signature has to be good (bindings, 3.4.4.1)."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        covered, _, _ = query.partition("&Signature=")
        key: Any = self.service_certificate.public_key()
        key.verify(base64.b64decode(given["Signature"]), covered.encode(), padding.PKCS1v15(), hashes.SHA256())
        text = zlib.decompress(base64.b64decode(given["SAMLRequest"]), -15)
        assert len(given["RelayState"]) <= 80, "there is no room for more"
        return self._asked(etree.fromstring(text), given["RelayState"])

    def enveloped(self, data: bytes) -> Asked:
        """What a client brings in the envelope that it got, without its header."""
        request = etree.fromstring(data).find("soap:Body/p:AuthnRequest", NS)
        pem = self.service_certificate.public_bytes(serialization.Encoding.PEM).decode()
        alone = etree.fromstring(etree.tostring(request, with_tail=False))
        XMLVerifier().verify(alone, x509_cert=pem, id_attribute="ID")
        return self._asked(request, "")

    def _asked(self, request: Any, relay_state: str) -> Asked:
        issuer, address = request.findtext("a:Issuer", namespaces=NS), request.get("AssertionConsumerServiceURL")
        binding = request.get("ProtocolBinding")
        known = self.service.findall(".//md:AssertionConsumerService", NS)
        assert issuer == self.service.get("entityID")
        assert (binding, address) in {(place.get("Binding"), place.get("Location")) for place in known}
        return Asked(request.get("ID"), issuer, address, binding, relay_state)

    # -- answers ---------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked, user: str = "") -> Any:
        """A Response with one signed assertion, as an element; `wrong` changes what it says."""
        now = datetime.now(UTC).replace(tzinfo=None)
        stamps = {
            name: f"{now + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
            for name, minutes in (("now", 0), ("since", -1), ("until", 5))
        }
        said = {
            **NS, **stamps, "response": uuid.uuid4().hex, "assertion": uuid.uuid4().hex, "issuer": self.issuer,
            "user": user or self.user, "destination": asked.address, "recipient": asked.address,
            "response_to": asked.id, "answers": asked.id, "audience": asked.issuer, **self.wrong,
        }  # fmt: skip
        restriction = "<a:AudienceRestriction><a:Audience>{audience}</a:Audience></a:AudienceRestriction>"
        said["restriction"] = restriction.format(**said) if said["audience"] else ""
        response = etree.fromstring(_RESPONSE.format(**said))
        response.append(signed(etree.fromstring(_ASSERTION.format(**said))))
        return response

    def page(self, asked: Asked) -> str:
        """A form that a browser posts by itself."""
        text = base64.b64encode(etree.tostring(self.answer(asked))).decode()
        fields = {"SAMLResponse": text, "RelayState": asked.relay_state}
        inputs = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in fields.items())
        return f'<form method="post" action="{escape(asked.address)}">{inputs}</form>'

    def envelope(self, asked: Asked, user: str) -> bytes:
        root = etree.Element(f"{{{NS['soap']}}}Envelope", nsmap={"soap": NS["soap"], "ecp": NS["ecp"]})
        header = etree.SubElement(root, f"{{{NS['soap']}}}Header")
        etree.SubElement(header, f"{{{NS['ecp']}}}Response", AssertionConsumerServiceURL=asked.address)
        etree.SubElement(root, f"{{{NS['soap']}}}Body").append(self.answer(asked, user))
        return bytes(etree.tostring(root))


def signed(element: Any) -> Any:
    made = XMLSigner(
        method=SignatureConstructionMethod.enveloped, signature_algorithm="rsa-sha256", digest_algorithm="sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )  # fmt: skip
    pem = signing.key("RSA-PSS").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = signing.certificate("RSA-PSS").decode()
    return made.sign(element, key=pem, cert=certificate, reference_uri=element.get("ID"), id_attribute="ID")


class _Served(Outside):
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__()

    def answer(self, asked: outside.Asked) -> outside.Answer:
        provider = self.provider
        if asked.verb == "GET":
            return 200, provider.page(provider.redirected(asked.query_text)), {"content-type": "text/html"}
        encoded = asked.headers.get("authorization", "").partition(" ")[2]
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        if provider.passwords.get(user) != password:
            return 401, "", {}
        return 200, provider.envelope(provider.enveloped(asked.body), user), {"content-type": "text/xml"}


@contextmanager
def running() -> Iterator[Provider]:
    """A provider at an address of its own on loopback."""
    provider = Provider()
    served = _Served(provider)
    provider.url = f"{served.url}/sso"
    try:
        yield provider
    finally:
        served.stop()
