"""Users from elsewhere, with the stock client: as `docs/users-from-elsewhere.md` has it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import oidc_provider, saml_provider
from tests.live.cloud import Cli, LiveCloud
from tests.oidc_provider import Provider

pytestmark = pytest.mark.live
DASHBOARD = "https://dash.test/auth/websso/"


@pytest.fixture(scope="module")
def cloud() -> Iterator[LiveCloud]:
    made = LiveCloud("--fake")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider.running() as running:
        yield running


def client(cloud: LiveCloud, **given: str) -> Cli:
    """With just these words about who it is: the plugins take no others."""
    made = cloud.client(**given)
    for name in {"OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID"} - set(given):
        made.environment.pop(name, None)
    return made


def test_the_stock_client_and_a_browser_log_in_through_a_provider(
    cloud: LiveCloud, provider: Provider, tmp_path: Path
) -> None:
    told = {"trusted_dashboards": [DASHBOARD], "identity_providers": {"corp": provider.settings()}}
    (cloud.state / "federation.json").write_text(json.dumps(told))
    admin = cloud.client()
    admin("domain create corp")
    admin("group create --domain corp staff")
    admin("project create --domain corp work")
    admin("role add --group staff --group-domain corp --project work --project-domain corp member")
    rules = [
        {
            "local": [{"user": {"name": "{0}"}, "group": {"name": "staff", "domain": {"name": "corp"}}}],
            "remote": [{"type": "OIDC-preferred_username"}],
        }
    ]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    admin("mapping create --rules", str(tmp_path / "rules.json"), "corp")
    admin(f"identity provider create --domain corp --remote-id {provider.issuer} corp")
    admin("federation protocol create --identity-provider corp --mapping corp openid")

    common = {
        "OS_IDENTITY_PROVIDER": "corp",
        "OS_PROTOCOL": "openid",
        "OS_PROJECT_NAME": "work",
        "OS_PROJECT_DOMAIN_NAME": "corp",
    }
    password = {
        "OS_AUTH_TYPE": "v3oidcpassword",
        "OS_CLIENT_ID": provider.client_id,
        "OS_CLIENT_SECRET": provider.client_secret,
        "OS_DISCOVERY_ENDPOINT": f"{provider.issuer}/.well-known/openid-configuration",
        "OS_USERNAME": "alice",
        "OS_PASSWORD": provider.passwords["alice"],
    }
    alice = client(cloud, **common, **password)
    [project] = alice("federation project list")
    issued = alice("token issue")
    assert issued["project_id"] == project["ID"] == admin("project show --domain corp work")["id"]
    assert alice("server list") == []
    refused = client(cloud, **common, **{**password, "OS_PASSWORD": "wrong"})("token issue", check=False)
    assert refused.returncode != 0

    provider.opaque = True
    bearer = {"OS_AUTH_TYPE": "v3oidcaccesstoken", "OS_ACCESS_TOKEN": provider.access_token("alice")}
    assert client(cloud, **common, **bearer)("token issue")["user_id"] == issued["user_id"]

    with httpx.Client(follow_redirects=False) as browser:
        path = "/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/openid/websso"
        away = browser.get(f"http://127.0.0.1:{cloud.port}{path}", params={"origin": DASHBOARD})
        back = browser.get(away.headers["location"])
        page = browser.get(back.headers["location"])
    assert page.status_code == 200 and f'action="{DASHBOARD}"' in page.text
    token = re.findall(r'name="token" id="token" value="([^"]+)"', page.text)[0]
    found = httpx.get(f"http://127.0.0.1:{cloud.port}/v3/auth/projects", headers={"x-auth-token": token})
    assert [row["name"] for row in found.json()["projects"]] == ["work"]


def test_a_cloud_vouches_for_its_users_at_another(cloud: LiveCloud, tmp_path: Path) -> None:
    """Here the other is the same cloud: its address is what matters."""
    url = f"http://127.0.0.1:{cloud.port}"
    metadata = httpx.get(f"{url}/v3/OS-FEDERATION/saml2/metadata").text
    body = re.findall(r"<ds:X509Certificate>([^<]+)<", metadata)[0]
    certificate = "\n".join(
        ["-----BEGIN CERTIFICATE-----", *re.findall(".{1,64}", body), "-----END CERTIFICATE-----", ""]
    )
    issuer = re.findall(r'entityID="([^"]+)"', metadata)[0]
    told = {"identity_providers": {"home": {"type": "saml2", "entity_id": issuer, "certificates": [certificate]}}}
    (cloud.state / "federation.json").write_text(json.dumps(told))
    admin = cloud.client()
    projects = [{"name": "home of {0}", "roles": [{"name": "member"}]}]
    rules = [{"local": [{"user": {"name": "{0}"}, "projects": projects}], "remote": [{"type": "openstack_user"}]}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    admin("domain create far")
    admin("mapping create --rules", str(tmp_path / "rules.json"), "home")
    admin("identity provider create --domain far home")
    admin("federation protocol create --identity-provider home --mapping home saml2")
    address = f"{url}/v3/OS-FEDERATION/identity_providers/home/protocols/saml2/auth"
    admin(f"service provider create far --auth-url {address} --service-provider-url {address}")
    there = ["--os-service-provider", "far", "--os-remote-project-domain-name", "far"]
    issued = admin("token issue", *there, "--os-remote-project-name", "home of admin")
    shown = admin(f"user show {issued['user_id']}")
    assert shown["name"] == "admin" and shown["domain_id"] == admin("domain show far")["id"]
    assert admin("project show --domain far", "home of admin")["id"] == issued["project_id"]


def test_the_stock_client_and_a_browser_log_in_at_a_saml_provider(cloud: LiveCloud, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{cloud.port}"
    with saml_provider.running() as provider:
        told = {"trusted_dashboards": [DASHBOARD], "identity_providers": {"campus": provider.settings()}}
        (cloud.state / "federation.json").write_text(json.dumps(told))
        admin = cloud.client()
        projects = [{"name": "home of {0}", "roles": [{"name": "member"}]}]
        rules = [{"local": [{"user": {"name": "{0}"}, "projects": projects}], "remote": [{"type": "uid"}]}]
        (tmp_path / "rules.json").write_text(json.dumps(rules))
        admin("domain create campus")
        admin("mapping create --rules", str(tmp_path / "rules.json"), "campus")
        admin("identity provider create --domain campus campus")
        admin("federation protocol create --identity-provider campus --mapping campus saml2")
        path = f"{url}/v3/auth/OS-FEDERATION/identity_providers/campus/protocols/saml2/websso"
        provider.learn(httpx.get(f"{path}/metadata").content)

        with httpx.Client(follow_redirects=False) as browser:
            away = browser.get(path, params={"origin": DASHBOARD})
            form = browser.get(away.headers["location"]).text
            address = re.findall('action="([^"]+)"', form)[0]
            page = browser.post(address, data=dict(re.findall('name="([^"]+)" value="([^"]+)"', form)))
        assert page.status_code == 200 and f'action="{DASHBOARD}"' in page.text

        given = {
            "OS_AUTH_TYPE": "v3samlpassword",
            "OS_IDENTITY_PROVIDER": "campus",
            "OS_PROTOCOL": "saml2",
            "OS_IDENTITY_PROVIDER_URL": provider.url,
            "OS_USERNAME": "alice",
            "OS_PASSWORD": provider.passwords["alice"],
            "OS_PROJECT_NAME": "home of alice",
            "OS_PROJECT_DOMAIN_NAME": "campus",
        }
        issued = client(cloud, **given)("token issue")
        assert issued["project_id"] == admin("project show --domain campus", "home of alice")["id"]
        refused = client(cloud, **{**given, "OS_PASSWORD": "wrong"})("token issue", check=False)
        assert refused.returncode != 0
