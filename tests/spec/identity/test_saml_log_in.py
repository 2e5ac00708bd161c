"""Log-in at a SAML identity provider that this cloud sends people to: by browser, and by clients that carry envelopes."""

import base64
import json
import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest
from click.testing import CliRunner
from lxml import etree

from pileus.cli.identity import command
from tests.harness import Answer, Client, World
from tests.saml_provider import NS, Asked, Provider
from tests.spec.identity.identities import unique
from tests.spec.identity.test_federation import AT, put
from tests.spec.identity.test_saml import (
    no_signature,
    other_name,
    second_assertion_first,
    second_assertion_last,
    symmetric,
    wrapped_in_extensions,
    wrapped_inside,
)

pytestmark = pytest.mark.slow  # signing XML is slow

DASHBOARD = "https://dash.test/auth/websso/"
PAOS = {
    "accept": "text/html, application/vnd.paos+xml",
    "paos": 'ver="urn:liberty:paos:2003-08";"urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp"',
}
FORM = {"content_type": "application/x-www-form-urlencoded"}


class Corp:
    """An identity provider of the cloud, and the real one behind it."""

    def __init__(self, world: World, admin: Client, protocol: str = "saml2"):
        self.world, self.admin, self.provider = world, admin, Provider()
        self.browser = world.anonymous()
        self.idp = put(admin, "identity_provider", enabled=True, remote_ids=[])
        self.id, self.protocol = self.idp["id"], protocol
        rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "MELLON_uid"}]}]
        mapping = put(admin, "mapping", rules=rules)
        self.path = f"{AT}/identity_providers/{self.id}/protocols/{protocol}"
        admin.put(self.path, {"protocol": {"mapping_id": mapping["id"]}}).ok(201)
        self.websso = f"/v3/auth/OS-FEDERATION/identity_providers/{self.id}/protocols/{protocol}/websso"
        self.connect()
        self.provider.learn(self.browser.get(f"{self.websso}/metadata").ok())

    def connect(self, **more: Any) -> None:
        known = {self.id: self.provider.settings(**more)}
        told = {"trusted_dashboards": [DASHBOARD], "identity_providers": known}
        (Path(self.world.cloud.settings.state) / "federation.json").write_text(json.dumps(told))

    def away(self, path: str = "") -> Answer:
        answer = self.browser.get(f"{path or self.websso}?origin={quote(DASHBOARD)}")
        assert answer.status == 302, answer.raw
        return answer

    def back(self, response: Any, relay_state: str, **cookie: str) -> Answer:
        text = base64.b64encode(etree.tostring(response)).decode()
        form = urlencode({"SAMLResponse": text, "RelayState": relay_state}).encode()
        return self.browser.post(self.websso, form, **FORM, **cookie)


@pytest.fixture
def corp(world: World, admin: Client) -> Corp:
    return Corp(world, admin)


def kept(answer: Answer) -> str:
    found: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in found.items())


def asked(corp: Corp, away: Answer) -> Asked:
    return corp.provider.redirected(urlsplit(away.headers["location"]).query)


# -- in the browser ------------------------------------------------------------------------------------------------------


def test_a_browser_logs_in_there_and_brings_a_token_to_the_dashboard(corp: Corp) -> None:
    away = corp.away()
    assert away.headers["location"].startswith(f"{corp.provider.url}?SAMLRequest=")
    assert "HttpOnly" in away.headers["set-cookie"] and "SameSite" not in away.headers["set-cookie"]
    request = asked(corp, away)
    page = corp.back(corp.provider.answer(request), request.relay_state, cookie=f"other=1; {kept(away)}")
    text = page.ok(200).decode()
    assert f'action="{DASHBOARD}"' in text and "Max-Age=0" in page.headers["set-cookie"]
    token = re.findall(r'name="token" id="token" value="([^"]+)"', text)[0]
    shown = Client(corp.world.application, token).get("/v3/auth/tokens", x_subject_token=token).ok()["token"]
    assert (shown["user"]["name"], shown["methods"]) == ("alice", ["saml2"])
    assert shown["user"]["OS-FEDERATION"]["identity_provider"] == {"id": corp.id}


def test_over_https_the_cookie_comes_along_with_another_sites_form(corp: Corp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corp.world.cloud.settings, "public_url", "https://cloud.test")
    assert "; SameSite=None; Secure" in corp.away().headers["set-cookie"]


def test_the_protocol_alone_is_enough_where_one_provider_has_it(world: World, admin: Client) -> None:
    name = unique("saml")
    corp = Corp(world, admin, name)
    assert asked(corp, corp.away(f"/v3/auth/OS-FEDERATION/websso/{name}")).address.endswith(corp.websso)
    corp.connect(sso_url="")
    corp.browser.get(f"/v3/auth/OS-FEDERATION/websso/{name}?origin={quote(DASHBOARD)}").refused(404)
    corp.browser.get(f"{corp.websso}?origin={quote(DASHBOARD)}").refused(401)


def test_a_protocol_may_be_called_anything(corp: Corp) -> None:
    mapping = corp.admin.get(corp.path).ok()["protocol"]["mapping_id"]
    for name in ("a b", "\1", "<&>", "é"):
        path = f"{AT}/identity_providers/{corp.id}/protocols/{name}"
        corp.admin.put(path, {"protocol": {"mapping_id": mapping}}).ok(201)
        websso = corp.websso.replace("saml2", name)
        corp.provider.learn(corp.browser.get(f"{websso}/metadata").ok())
        away = corp.away(websso)
        request = asked(corp, away)
        text = base64.b64encode(etree.tostring(corp.provider.answer(request))).decode()
        form = urlencode({"SAMLResponse": text, "RelayState": request.relay_state}).encode()
        corp.browser.post(websso, form, **FORM, cookie=kept(away)).ok(200)
        assert unquote(request.address).endswith(websso)


def test_tokens_go_to_trusted_dashboards_only(corp: Corp) -> None:
    corp.browser.get(f"{corp.websso}?origin={quote('https://evil.test/')}").refused(401, "trusted")
    away = corp.away()
    request = asked(corp, away)
    path = Path(corp.world.cloud.settings.state) / "federation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "trusted_dashboards": []}))
    corp.back(corp.provider.answer(request), request.relay_state, cookie=kept(away)).refused(403, "dashboard")


def test_who_comes_back_must_be_who_was_sent_away(corp: Corp) -> None:
    away, other = corp.away(), corp.away()
    request = asked(corp, away)
    response = corp.provider.answer(request)
    corp.back(response, request.relay_state).refused(401)  # another browser
    corp.back(response, request.relay_state, cookie=kept(other)).refused(401)
    corp.back(response, asked(corp, other).relay_state, cookie=kept(other)).refused(401)  # another request's answer
    name, _, value = kept(away).partition("=")
    corp.back(response, request.relay_state, cookie=f"{name}={value[:-4]}AAAA").refused(401)
    corp.back(response, request.relay_state, cookie=f"{name}={kept(other).partition('=')[2]}").refused(401)
    for wrong in ("", "made-up", "é"):
        corp.back(response, wrong, cookie=kept(away)).refused(401)
    corp.back(response, request.relay_state, cookie=kept(away)).ok(200)
    corp.back(response, request.relay_state, cookie=kept(away)).refused(401)  # an assertion is good once


def test_an_answer_for_one_provider_is_none_for_another(corp: Corp, world: World, admin: Client) -> None:
    away = corp.away()
    request = asked(corp, away)
    response = corp.provider.answer(request)
    other = Corp(world, admin)
    other.back(response, request.relay_state, cookie=kept(away)).refused(401)


WRONG = [
    {"answers": "_another"}, {"response_to": "_another"}, {"answers": ""}, {"audience": ""},
    {"audience": "https://evil.test"}, {"recipient": "https://evil.test"}, {"destination": "https://evil.test"},
    {"issuer": "https://evil.test"}, {"until": "2020-01-01T00:00:00Z"}, {"since": "2035-01-01T00:00:00Z"},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: "-".join(f"{key}={value}" for key, value in wrong.items()))
def test_an_answer_that_is_not_for_us_or_not_to_our_request_is_refused(corp: Corp, wrong: dict[str, str]) -> None:
    corp.provider.wrong = wrong
    away = corp.away()
    request = asked(corp, away)
    corp.back(corp.provider.answer(request), request.relay_state, cookie=kept(away)).refused(401)


@pytest.mark.parametrize(
    "tamper",
    [
        no_signature, second_assertion_first, second_assertion_last, wrapped_in_extensions, wrapped_inside, symmetric,
        other_name,
    ],
)  # fmt: skip
def test_an_answer_that_was_tampered_with_is_refused(corp: Corp, tamper: Callable[[Any], None]) -> None:
    away = corp.away()
    request = asked(corp, away)
    response = corp.provider.answer(request)
    tamper(response)
    corp.back(response, request.relay_state, cookie=kept(away)).refused(401)


def test_an_assertion_that_nobody_asked_for_is_none_in_the_browser(corp: Corp) -> None:
    """And the other way round: the answer to a browser's request is good nowhere else."""
    away = corp.away()
    request = asked(corp, away)
    response = corp.provider.answer(request)
    form = urlencode({"SAMLResponse": base64.b64encode(etree.tostring(response)).decode()}).encode()
    corp.browser.post(f"{corp.path}/auth", form, **FORM).refused(401)
    for wrong in (b"SAMLResponse=", b"SAMLResponse=%%%", b"SAMLResponse=AAAA&RelayState=x", b"SAMLResponse=\xff"):
        corp.browser.post(corp.websso, wrong, **FORM, cookie=kept(away)).refused(401)


def test_metadata_is_of_saml_providers_only(corp: Corp, admin: Client) -> None:
    text = corp.browser.get(f"{corp.websso}/metadata").ok()
    assert b"PRIVATE" not in text and b'AuthnRequestsSigned="true"' in text
    corp.connect(audience="urn:cloud")
    assert b'entityID="urn:cloud"' in corp.browser.get(f"{corp.websso}/metadata").ok()
    other = put(admin, "identity_provider", enabled=True, remote_ids=[])
    at = f"identity_providers/{other['id']}/protocols/saml2"
    corp.browser.get(f"/v3/auth/OS-FEDERATION/{at}/websso/metadata").refused(404)
    admin.put(f"{AT}/{at}", {"protocol": {"mapping_id": admin.get(corp.path).ok()["protocol"]["mapping_id"]}}).ok(201)
    corp.browser.get(f"/v3/auth/OS-FEDERATION/{at}/websso/metadata").refused(404, "SAML")


# -- by clients that carry envelopes -------------------------------------------------------------------------------------


def carried(corp: Corp) -> tuple[Asked, str]:
    """What a client gets to bring to the provider, and the state that it keeps meanwhile."""
    answer = corp.browser.get(f"{corp.path}/auth", **PAOS)
    envelope = etree.fromstring(answer.ok(200))
    assert answer.headers["content-type"] == "application/vnd.paos+xml"
    state = envelope.findtext("soap:Header/ecp:RelayState", namespaces=NS)
    envelope.remove(envelope[0])
    return corp.provider.enveloped(etree.tostring(envelope)), state


def brought(corp: Corp, request: Asked, state: str) -> Answer:
    envelope = etree.fromstring(corp.provider.envelope(request, "alice"))
    if state:
        etree.SubElement(envelope[0], f"{{{NS['ecp']}}}RelayState").text = state
    return corp.browser.post(f"{corp.path}/auth", etree.tostring(envelope), content_type="application/vnd.paos+xml")


def test_a_client_carries_the_request_and_the_answer(corp: Corp) -> None:
    request, state = carried(corp)
    answer = brought(corp, request, state)
    token = answer.ok(201)["token"]
    assert (token["user"]["name"], token["methods"]) == ("alice", ["saml2"]) and answer.headers["x-subject-token"]


def test_a_client_brings_back_its_own_state_and_an_answer_to_it(corp: Corp, world: World, admin: Client) -> None:
    request, state = carried(corp)
    _, another = carried(corp)
    brought(corp, request, "").refused(401)
    brought(corp, request, "ss:mem:1").refused(401)
    brought(corp, request, another).refused(401)
    away = corp.away()
    brought(corp, request._replace(id=asked(corp, away).id), kept(away).partition("=")[2]).refused(401)
    other = Corp(world, admin)
    theirs, their_state = carried(other)
    brought(other, theirs._replace(id=request.id), state).refused(401)
    brought(other, theirs, their_state).ok(201)
    corp.connect()
    corp.provider.wrong = {"audience": ""}
    brought(corp, request, state).refused(401)
    corp.provider.wrong = {"assertion": "once"}
    brought(corp, request, state).ok(201)
    brought(corp, request, state).refused(401)


def test_only_a_client_that_can_carry_them_gets_an_envelope(corp: Corp) -> None:
    corp.browser.get(f"{corp.path}/auth", accept=PAOS["accept"]).refused(401, "assertion")
    corp.browser.get(f"{corp.path}/auth", paos=PAOS["paos"]).refused(401, "assertion")


# -- an operator reads a provider's metadata -----------------------------------------------------------------------------

ROLE = 'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"'


def described(provider: Provider, role: str = ROLE, use: str = 'use="signing"', certificate: str = "") -> str:
    body = certificate or "".join(line for line in provider.certificate.splitlines() if "-----" not in line)
    binding = 'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
    return f"""<md:EntityDescriptor xmlns:md="{NS["md"]}" xmlns:ds="{NS["ds"]}" entityID="{provider.issuer}">
      <md:IDPSSODescriptor {role}><md:KeyDescriptor {use}><ds:KeyInfo><ds:X509Data>
      <ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
      <md:SingleSignOnService Binding="urn:x" Location="https://wrong.test"/>
      <md:SingleSignOnService {binding} Location="{provider.url}"/></md:IDPSSODescriptor></md:EntityDescriptor>"""


def told(tmp_path: Path, metadata: str, *options: str) -> Any:
    (tmp_path / "idp.xml").write_text(metadata)
    return CliRunner().invoke(command, ["saml-provider", "campus", str(tmp_path / "idp.xml"), *options])


@pytest.mark.parametrize("use", ['use="signing"', ""])
def test_a_providers_metadata_says_what_federation_json_needs(corp: Corp, tmp_path: Path, use: str) -> None:
    done = told(tmp_path, described(corp.provider, use=use))
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"identity_providers": {"campus": corp.provider.settings()}}


def test_one_of_several_providers_has_to_be_named(corp: Corp, tmp_path: Path) -> None:
    other = Provider()
    other.issuer = "https://other.test/idp"
    both = f'<md:EntitiesDescriptor xmlns:md="{NS["md"]}">{described(corp.provider)}{described(other)}'
    both += "</md:EntitiesDescriptor>"
    assert "2 identity providers" in told(tmp_path, both).output
    done = told(tmp_path, both, "--entity-id", other.issuer)
    assert json.loads(done.output)["identity_providers"]["campus"]["entity_id"] == other.issuer
    assert "no identity provider https://none" in told(tmp_path, both, "--entity-id", "https://none").output


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("hello", "no XML"),
        ("<a/>", "no identity provider"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "no identity provider"),
        ({"role": 'protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"'}, "SAML 2.0"),
        ({"use": 'use="encryption"'}, "no certificate"),
        ({"certificate": "%%%"}, "base64"),
    ],
)
def test_metadata_that_is_of_no_use_is_refused_with_a_sentence(tmp_path: Path, metadata: Any, words: str) -> None:
    done = told(tmp_path, metadata if isinstance(metadata, str) else described(Provider(), **metadata))
    assert done.exit_code == 1 and words in done.output and "root:" not in done.output
