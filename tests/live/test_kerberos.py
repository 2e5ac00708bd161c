"""Log-in by Kerberos, against a real key distribution centre (MIT's) on loopback."""

import base64
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.settings import Kerberos
from tests.harness import Answer, Client, World, eventually
from tests.spec.identity.identities import make

pytestmark = pytest.mark.live
gssapi = pytest.importorskip("gssapi", reason="the library for Kerberos is not installed")
REALM, HOST = "PILEUS.TEST", "cloud.test"
KDC = shutil.which("krb5kdc", path="/usr/sbin:/usr/bin")


class Realm:
    """A realm of its own in a folder: its database, its server, a keytab for the cloud."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n"
            f" dns_canonicalize_hostname = false\n[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
            f"[domain_realm]\n {HOST} = {REALM}\n"
        )
        (folder / "kdc.conf").write_text(
            f'[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = ""\n'
            f"[realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n"
            f"  acl_file = {folder}/acl\n }}\n[logging]\n kdc = FILE:{folder}/kdc.log\n"
        )
        self.environment = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5RCACHENAME": f"dfl:{folder}/replays",
        }
        self.keytab = folder / "cloud.keytab"
        self.run("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master secret")
        self.run("/usr/sbin/kadmin.local", "-q", f"addprinc -randkey HTTP/{HOST}")
        self.run("/usr/sbin/kadmin.local", "-q", f"ktadd -k {self.keytab} HTTP/{HOST}")
        self.server = subprocess.Popen([str(KDC), "-n"], env={**os.environ, **self.environment})

    def run(self, *command: str, text: str = "") -> None:
        env = {**os.environ, **self.environment}
        done = subprocess.run(command, env=env, input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def add(self, name: str) -> None:
        self.run("/usr/sbin/kadmin.local", "-q", f'addprinc -pw "secret of {name}" {name}')

    def ticket(self, name: str) -> str:
        """What a client sends after `kinit`: a ticket for the cloud, in the form of SPNEGO."""
        cache = f"FILE:{self.folder}/{name.replace('/', '-')}.ccache"

        def kinit() -> bool:
            command = ["kinit", "-c", cache, name]
            env = {**os.environ, **self.environment}
            done = subprocess.run(
                command, env=env, input=f"secret of {name}\n", capture_output=True, text=True, timeout=60
            )
            return done.returncode == 0

        eventually(kinit)
        own: Any = gssapi.Credentials(usage="initiate", store={"ccache": cache})
        service = gssapi.Name(f"HTTP@{HOST}", gssapi.NameType.hostbased_service)
        spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
        context = gssapi.SecurityContext(name=service, creds=own, mech=spnego, usage="initiate")
        return base64.b64encode(context.step()).decode()

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(10)


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    if KDC is None:
        pytest.skip("there is no krb5kdc: pileus/deploy/host-packages.sh tests")
    made = Realm(tmp_path_factory.mktemp("realm"))
    before = {name: os.environ.get(name) for name in made.environment}
    os.environ.update(made.environment)
    try:
        yield made
    finally:
        made.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture
def world(fresh: World, realm: Realm) -> World:
    fresh.cloud.settings.kerberos = Kerberos(keytab=str(realm.keytab), realms={REALM: "Default"})
    return fresh


def send(client: Client, ticket: str | None, method: str = "kerberos") -> Answer:
    body = {"auth": {"identity": {"methods": [method], method: {}}}}
    headers = {} if ticket is None else {"authorization": f"Negotiate {ticket}"}
    return client.request("POST", "/v3/auth/tokens", body, headers)


def test_a_ticket_gives_a_token_to_the_user_of_its_principal(world: World, realm: Realm) -> None:
    realm.add("alice")
    user = make(world.client("admin"), "user", name="alice")
    asked = send(world.anonymous(), None)
    asked.refused(401)
    assert asked.headers["www-authenticate"] == "Negotiate"
    for method in ("kerberos", "external"):
        answer = send(world.anonymous(), realm.ticket("alice"), method)
        token = answer.ok(201)["token"]
        assert token["user"]["id"] == user["id"] and token["methods"] == [method]
        assert answer.headers["www-authenticate"].startswith("Negotiate ")


def test_a_ticket_counts_once(world: World, realm: Realm) -> None:
    realm.add("bob")
    make(world.client("admin"), "user", name="bob")
    ticket = realm.ticket("bob")
    send(world.anonymous(), ticket).ok(201)
    send(world.anonymous(), ticket).refused(401)


def test_what_is_no_ticket_of_ours_is_refused(world: World, realm: Realm) -> None:
    realm.add("carol")
    anonymous = world.anonymous()
    good = realm.ticket("carol")
    send(anonymous, good).refused(401)  # nobody of that name in the domain
    make(world.client("admin"), "user", name="carol")
    broken = base64.b64encode(base64.b64decode(good)[:-40] + bytes(40)).decode()
    for ticket in ("", "nonsense", "AAAA", "YII=", broken, "A" * 100_000, "💥"):
        send(anonymous, ticket).refused(401)
    world.cloud.settings.kerberos.realms = {"OTHER.TEST": "Default"}
    send(anonymous, realm.ticket("carol")).refused(401)
    world.cloud.settings.kerberos = Kerberos()
    send(anonymous, realm.ticket("carol")).refused(401, "unsupported")
