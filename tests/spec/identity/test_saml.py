"""One cloud vouches for its users, another believes it: here both are the same. And all that must not be believed."""

import base64
import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import signxml
from lxml import etree

from pileus.identity.federation import saml
from pileus.identity.federation.saml import ASSERTION, PROTOCOL, SIGNATURE
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import make, unique
from tests.spec.identity.test_federation import AT, put

pytestmark = pytest.mark.slow  # signing XML is slow

PAOS = {"content_type": "application/vnd.paos+xml"}
LOCAL = [{"user": {"name": "{0}"}}, {"groups": "{1}"}]
REMOTE = [{"type": "openstack_user"}, {"type": "openstack_groups"}]


class Far:
    """The cloud as it sees itself from outside: a service provider, and an identity provider."""

    def __init__(self, world: World, admin: Client, **told: Any):
        self.world, self.admin, self.settings = world, admin, world.cloud.settings
        self.issuer = f"{self.settings.url}/v3/OS-FEDERATION/saml2/idp"
        idp = put(admin, "identity_provider", enabled=True, remote_ids=[unique("x")])
        self.id = idp["id"]
        admin.patch(f"{AT}/identity_providers/{self.id}", {"identity_provider": {"remote_ids": []}}).ok()
        rules = [{"local": LOCAL[:1], "remote": REMOTE[:1]}]
        self.mapping = put(admin, "mapping", rules=rules)
        self.path = f"{AT}/identity_providers/{self.id}/protocols/saml2"
        admin.put(self.path, {"protocol": {"mapping_id": self.mapping["id"]}}).ok(201)
        self.url = f"{self.settings.url}{self.path}/auth"
        self.provider = put(admin, "service_provider", auth_url=self.url, sp_url=self.url, enabled=True)
        text = admin.get(f"{AT}/saml2/metadata").ok().decode()
        body = re.findall(r"<ds:X509Certificate>([^<]+)<", text)[0]
        lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
        certificate = f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
        known = {"type": "saml2", "entity_id": self.issuer, "certificates": [certificate], **told}
        path = Path(self.settings.state) / "federation.json"
        path.write_text(json.dumps({"identity_providers": {self.id: known}}))

    def vouch(self, client: Client, at: str = "saml2/ecp") -> Answer:
        identity = {"methods": ["token"], "token": {"id": client.token}}
        scope = {"service_provider": {"id": self.provider["id"]}}
        return client.post(f"/v3/auth/OS-FEDERATION/{at}", {"auth": {"identity": identity, "scope": scope}})

    def bring(self, data: bytes, **headers: str) -> Answer:
        return self.world.anonymous().post(f"{self.path}/auth", data, **(headers or PAOS))

    def response(self, client: Client) -> Any:
        """A fresh response, as an element to tamper with."""
        return etree.fromstring(self.vouch(client, "saml2").ok())


@pytest.fixture
def far(world: World, admin: Client) -> Far:
    return Far(world, admin)


def test_an_assertion_of_one_cloud_buys_a_token_of_another(far: Far, member: Client, admin: Client) -> None:
    answer = far.vouch(member)
    text = answer.ok(200)
    assert answer.headers["content-type"] == "text/xml" and answer.headers["x-sp-url"] == far.url
    assert b"ss:mem:" in text
    token = far.bring(text).ok(201)["token"]
    name = admin.get(f"/v3/users/{member.user_id}").ok()["user"]["name"]
    assert (token["user"]["name"], token["methods"]) == (name, ["saml2"])
    assert token["user"]["OS-FEDERATION"]["identity_provider"] == {"id": far.id}
    assert token["user"]["id"] != member.user_id


def test_groups_go_along(far: Far, member: Client, admin: Client) -> None:
    group = make(admin, "group")
    admin.put(f"/v3/groups/{group['id']}/users/{member.user_id}").ok(204)
    rules = [{"local": LOCAL, "remote": REMOTE}]
    admin.patch(f"{AT}/mappings/{far.mapping['id']}", {"mapping": {"rules": rules}}).ok()
    token = far.bring(far.vouch(member).ok()).ok(201)["token"]
    assert token["user"]["OS-FEDERATION"]["groups"] == [{"id": group["id"]}]


def test_a_browsers_form_brings_one_too(far: Far, member: Client) -> None:
    text = base64.b64encode(far.vouch(member, "saml2").ok()).decode()
    form = urlencode({"SAMLResponse": text}).encode()
    far.bring(form, content_type="application/x-www-form-urlencoded").ok(201)
    for wrong in (b"", b"SAMLResponse=%%%", b"x=1", b"\xff", b"SAMLResponse=AAAA"):
        far.bring(wrong, content_type="application/x-www-form-urlencoded").refused(401)


def test_an_assertion_is_good_once(far: Far, member: Client) -> None:
    text = far.vouch(member).ok()
    far.bring(text).ok(201)
    far.bring(text).refused(401)


def test_only_a_tokens_own_user_of_a_project_is_vouched_for(far: Far, member: Client, admin: Client) -> None:
    unscoped, _ = far.world.cloud.tokens.issue(member.user_id, ["password"])
    far.vouch(Client(member.application, unscoped)).refused(403, "project scoped")
    far.vouch(Client(member.application, "made-up")).refused(401)
    body = {"application_credential": {"name": unique()}}
    made = member.post(f"/v3/users/{member.user_id}/application_credentials", body).ok(201)["application_credential"]
    identity = {
        "methods": ["application_credential"],
        "application_credential": {"id": made["id"], "secret": made["secret"]},
    }
    answer = member.post("/v3/auth/tokens", {"auth": {"identity": identity}})
    answer.ok(201)
    far.vouch(Client(member.application, answer.headers["x-subject-token"])).refused(403, "delegation")
    at = f"{AT}/service_providers/{far.provider['id']}"
    admin.patch(at, {"service_provider": {"enabled": False}}).ok()
    far.vouch(member).refused(403, "disabled")
    admin.delete(at).ok(204)
    far.vouch(member).refused(404, "service provider")
    for wrong in ({}, {"auth": {}}, {"auth": {"identity": {}, "scope": {}}}, {"auth": 1}):
        member.post("/v3/auth/OS-FEDERATION/saml2", wrong).refused(400, "auth")


def test_the_key_stays_private(far: Far, member: Client) -> None:
    path = Path(far.settings.state) / saml.FOLDER
    assert path.stat().st_mode & 0o777 == 0o700 and (path / "signing.pem").stat().st_mode & 0o777 == 0o600
    metadata = member.get(f"{AT}/saml2/metadata").ok()
    assert b"PRIVATE" not in metadata and far.issuer.encode() in metadata


# -- what must not be believed -------------------------------------------------------------------------------------------


def assertion(response: Any) -> Any:
    return response.find(f"{{{ASSERTION}}}Assertion")


def forged(original: Any) -> Any:
    """The same about somebody else, unsigned."""
    evil = copy.deepcopy(original)
    signature = evil.find(f"{{{SIGNATURE}}}Signature")
    if signature is not None:
        evil.remove(signature)
    for value in evil.iter(f"{{{ASSERTION}}}AttributeValue", f"{{{ASSERTION}}}NameID"):
        value.text = "admin"
    return evil


def other_name(response: Any) -> None:
    for value in assertion(response).iter(f"{{{ASSERTION}}}AttributeValue"):
        value.text = "admin"


def no_signature(response: Any) -> None:
    found = assertion(response)
    response.replace(found, forged(found))


def second_assertion_first(response: Any) -> None:
    response.insert(0, forged(assertion(response)))


def second_assertion_last(response: Any) -> None:
    response.append(forged(assertion(response)))


def wrapped_in_extensions(response: Any) -> None:
    original = assertion(response)
    evil = forged(original)
    response.replace(original, evil)
    etree.SubElement(response, f"{{{PROTOCOL}}}Extensions").append(original)


def wrapped_inside(response: Any) -> None:
    """The signed one within a forged one that bears its ID and its signature."""
    original = assertion(response)
    evil = forged(original)
    signature = copy.deepcopy(original.find(f"{{{SIGNATURE}}}Signature"))
    response.replace(original, evil)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{SIGNATURE}}}Object").append(original)


def signature_of_another_part(response: Any) -> None:
    assertion(response).set("ID", "_other")


def another_issuer(response: Any) -> None:
    assertion(response).find(f"{{{ASSERTION}}}Issuer").text = "https://evil.test"


def failure(response: Any) -> None:
    code = response.find(f".//{{{PROTOCOL}}}StatusCode")
    code.set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")


def encrypted(response: Any) -> None:
    etree.SubElement(response, f"{{{ASSERTION}}}EncryptedAssertion")


def no_assertion(response: Any) -> None:
    response.remove(assertion(response))


def another_transform(response: Any) -> None:
    transform = response.find(f".//{{{SIGNATURE}}}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")


def reference_elsewhere(response: Any) -> None:
    response.find(f".//{{{SIGNATURE}}}Reference").set("URI", "http://127.0.0.1:1/x")


def reference_to_a_file(response: Any) -> None:
    response.find(f".//{{{SIGNATURE}}}Reference").set("URI", "file:///etc/passwd")


def symmetric(response: Any) -> None:
    method = response.find(f".//{{{SIGNATURE}}}SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")


@pytest.mark.parametrize(
    "tamper",
    [
        other_name, no_signature, second_assertion_first, second_assertion_last, wrapped_in_extensions, wrapped_inside,
        signature_of_another_part, another_issuer, failure, encrypted, no_assertion, another_transform,
        reference_elsewhere, reference_to_a_file, symmetric,
    ],
)  # fmt: skip
def test_what_was_tampered_with_is_refused(far: Far, member: Client, tamper: Callable[[Any], None]) -> None:
    response = far.response(member)
    tamper(response)
    far.bring(etree.tostring(response)).refused(401)


def test_a_comment_does_not_shorten_a_name(far: Far, member: Client, admin: Client) -> None:
    """Canonical XML leaves comments out, so the signature still fits: the whole text has to be read."""
    text = far.vouch(member).ok()
    name = admin.get(f"/v3/users/{member.user_id}").ok()["user"]["name"]
    split = f"{name[:6]}<!-- -->{name[6:]}".encode()
    assert text.count(name.encode()) > 1
    token = far.bring(text.replace(name.encode(), split)).ok(201)["token"]
    assert token["user"]["name"] == name


def resigned(response: Any, signer: saml.Signer, algorithm: str = "rsa-sha256", digest: str = "sha256") -> bytes:
    original = assertion(response)
    old = original.find(f"{{{SIGNATURE}}}Signature")
    place = etree.Element(f"{{{SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": SIGNATURE})
    original.replace(old, place)
    made = signxml.XMLSigner(signature_algorithm=algorithm, digest_algorithm=digest, c14n_algorithm=str(old.find(
        f".//{{{SIGNATURE}}}CanonicalizationMethod").get("Algorithm")))  # fmt: skip
    signed = made.sign(
        original, key=signer.key, cert=signer.certificate, reference_uri=original.get("ID"), id_attribute="ID"
    )
    response.replace(original, signed)
    return etree.tostring(response)


def test_another_key_is_refused_whatever_it_says(far: Far, member: Client, tmp_path: Path) -> None:
    stranger = saml.signer(tmp_path, far.issuer)
    response = far.response(member)
    other_name(response)
    far.bring(resigned(response, stranger)).refused(401)


CHANGES: list[tuple[str, str, str | None]] = [
    ("SubjectConfirmationData", "NotOnOrAfter", "2020-01-01T00:00:00Z"),
    ("SubjectConfirmationData", "NotOnOrAfter", None),
    ("SubjectConfirmationData", "NotOnOrAfter", "soon"),
    ("SubjectConfirmationData", "Recipient", "https://evil.test"),
    ("SubjectConfirmationData", "Recipient", None),
    ("SubjectConfirmationData", "InResponseTo", "_x"),
    ("SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
    ("Conditions", "NotOnOrAfter", "2020-01-01T00:00:00Z"),
    ("Conditions", "NotBefore", "2035-01-01T00:00:00Z"),
    ("AuthnStatement", "SessionNotOnOrAfter", "2020-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("element", "attribute", "value"), CHANGES)
def test_an_assertion_not_for_us_or_not_for_now_is_refused(
    far: Far, member: Client, element: str, attribute: str, value: str | None
) -> None:
    response = far.response(member)
    found = assertion(response).find(f".//{{{ASSERTION}}}{element}")
    if value is None:
        del found.attrib[attribute]
    else:
        found.set(attribute, value)
    far.bring(resigned(response, saml.signer(Path(far.settings.state), far.issuer))).refused(401)


def test_audience_and_issuer_have_to_fit(far: Far, member: Client) -> None:
    ours = saml.signer(Path(far.settings.state), far.issuer)
    far.bring(resigned(far.response(member), ours)).ok(201)
    for name in ("Audience", "Issuer"):
        response = far.response(member)
        assertion(response).find(f".//{{{ASSERTION}}}{name}").text = "https://evil.test"
        far.bring(resigned(response, ours)).refused(401)
    response = far.response(member)
    far.bring(resigned(response, ours, algorithm="rsa-sha512", digest="sha512")).ok(201)


BOMB = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(9)
) + b"]><b>&j;</b>"  # fmt: skip
DOCUMENTS = {
    "nothing": b" ",
    "no xml": b"hello",
    "other": b"<a/>",
    "bomb": BOMB,
    "bomb in utf-16": BOMB.decode().encode("utf-16"),
    "bomb in utf-7": b'<?xml version="1.0" encoding="UTF-7"?>' + BOMB.replace(b"<!", b"+ADwAIQ-"),
    "file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "parameter": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><a/>',
    "external dtd": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x"><a/>',
    "deep": b"<a>" * 5000 + b"</a>" * 5000,
    "large": b"<a>" + b"x" * 600_000 + b"</a>",
    "nul": b"<a>\0</a>",
    "inclusion": b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></a>',
    "stylesheet": b'<?xml-stylesheet href="http://127.0.0.1:1/x"?><a/>',
    "empty envelope": b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
    "empty response": b'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_hostile_documents_are_refused(far: Far, name: str) -> None:
    answer = far.bring(DOCUMENTS[name])
    answer.refused(401)
    assert b"root:" not in answer.raw
