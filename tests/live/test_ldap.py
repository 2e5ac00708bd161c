"""A domain on a real OpenLDAP server."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from pileus.core.errors import Unavailable
from pileus.identity.drivers.ldap import LdapDirectory
from pileus.identity.ldap.entries import Person, nested, plain
from pileus.identity.ldap.login import around
from pileus.identity.ldap.options import Options
from pileus.identity.ldap.reconcile import follow_directories
from tests.harness import Client, World
from tests.live.slapd import SUFFIX, Slapd, running
from tests.spec.identity.identities import log_in, make

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with running() as server:
        yield server


def given(slapd: Slapd, **change: Any) -> dict[str, Any]:
    options = {
        "url": slapd.url, "suffix": SUFFIX, "user": f"cn=reader,{SUFFIX}", "password": "reader secret", "page_size": 2,
        "user_id_attribute": "uid", "connection_timeout": 2,
    }  # fmt: skip
    return {**options, **change}


def directory(slapd: Slapd, **change: Any) -> LdapDirectory:
    return LdapDirectory(Options(**given(slapd, **change)))


def found(directory: LdapDirectory, name: str) -> Person:
    person = directory.find(name=name)
    assert person is not None
    return person


def test_everybody_is_told_of_page_by_page(slapd: Slapd) -> None:
    people = {person.local_id: person for person in directory(slapd).people()}
    assert set(people) == {"alice", "bob", "carol", "dave", "erin", "frank", "star", "slash"}
    assert (people["alice"].email, people["alice"].description) == ("alice@corp.test", "alice of corp")
    circles = {circle.name: circle.members for circle in directory(slapd).circles()}
    assert sorted(circles["ops"]) == [f"cn={name},ou=users,{SUFFIX}" for name in ("alice", "bob")]
    with pytest.raises(Unavailable):
        directory(slapd, page_size=0).people()  # more than this server tells at once
    assert directory(slapd, user_tree_dn=f"ou=None,{SUFFIX}").people() == []
    assert len(directory(slapd, user_filter="(|(uid=bob)(uid=alice))", page_size=0).people()) == 2
    assert len(directory(slapd, user_tree_dn=SUFFIX, query_scope="sub").people()) == 8


def test_a_password_is_proved_by_binding(slapd: Slapd) -> None:
    corp = directory(slapd)
    alice = found(corp, "alice")
    assert corp.proves(alice.dn, "alice secret")
    for wrong in ("bob secret", "", "\0", "x" * 5000, "é"):
        assert not corp.proves(alice.dn, wrong)
    for nobody in ("cn=nobody", f"cn=nobody,{SUFFIX}", "no dn at all", ""):
        assert not corp.proves(nobody, "secret")
    assert [circle.name for circle in corp.circles_of([found(corp, "bob").dn])] == ["ops"]
    assert sorted(circle.name for circle in corp.circles_of([alice.dn])) == ["dev", "ops"]
    assert corp.circles_of([found(corp, "dave").dn]) == []


def test_groups_in_groups_count_where_the_options_say_so(slapd: Slapd) -> None:
    for nesting, wanted in ((False, ["dev", "ops"]), (True, ["dev", "ops", "staff"])):
        options = Options(**given(slapd, group_ad_nesting=nesting))
        corp = LdapDirectory(options)
        assert sorted(circle.name for circle in around(corp, options, found(corp, "alice"))) == wanted
    staff = next(circle for circle in nested(corp.circles()) if circle.name == "staff")
    users = {f"cn={name},ou=users,{SUFFIX}" for name in ("alice", "bob", "carol")}
    assert set(staff.members) == users | {f"cn=ops,ou=usergroups,{SUFFIX}"}


@pytest.mark.parametrize(
    "name", ["*", "a*", "alice)(uid=*", "*)(objectClass=*", "\\2a", "\0", "ali\\63e", "(", "x" * 9999]
)
def test_a_name_is_never_a_filter(slapd: Slapd, name: str) -> None:
    corp = directory(slapd)
    assert corp.find(name=name) is None and corp.find(local_id=name) is None


def test_names_with_a_filters_signs_are_found_by_them(slapd: Slapd) -> None:
    corp = directory(slapd)
    for name, local_id, password in (("star *)(cn=*", "star", "star secret"), ("back\\slash", "slash", "slash secret")):
        person = found(corp, name)
        assert person.local_id == local_id and corp.proves(person.dn, password)
        assert corp.circles_of([person.dn]) == []
        again = corp.find(local_id=local_id)
        assert again is not None and plain(again.dn) == plain(person.dn)


def test_enabled_may_be_membership(slapd: Slapd) -> None:
    options = {"user_enabled_emulation": True, "user_enabled_emulation_dn": f"cn=ops,ou=UserGroups,{SUFFIX}"}
    enabled = {person.name for person in directory(slapd, **options).people() if person.enabled}
    assert enabled == {"alice", "bob"}


def test_a_wrong_password_of_the_cloud_itself_is_no_users_fault(slapd: Slapd) -> None:
    with pytest.raises(Unavailable):
        directory(slapd, password="wrong").find(name="alice")


def test_a_directory_is_encrypted_and_known_by_its_certificate(slapd: Slapd) -> None:
    certificate = str(slapd.folder / "server.pem")
    good = directory(slapd, use_tls=True, tls_cacertfile=certificate)
    assert good.proves(found(good, "alice").dn, "alice secret")
    with pytest.raises(Unavailable):
        directory(slapd, use_tls=True).people()  # nobody that is trusted knows it
    with pytest.raises(Unavailable):  # it is not the one of that name
        directory(slapd, url=f"ldap://localhost:{slapd.port}", use_tls=True, tls_cacertfile=certificate).people()
    assert directory(slapd, use_tls=True, tls_req_cert="never").people()


def test_silence_ends_in_seconds_and_is_not_waited_for_twice() -> None:
    with closing(socket.socket()) as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()  # it takes connections and says nothing
        url = f"ldap://127.0.0.1:{mute.getsockname()[1]}"
        corp = LdapDirectory(Options(url=url, connection_timeout=1))
        for _ in range(20):  # without the memory of it this is most of a minute
            with pytest.raises(Unavailable):
                corp.find(name="alice")
    with pytest.raises(Unavailable):
        LdapDirectory(Options(url=url, connection_timeout=1)).proves("cn=alice", "x")


def test_a_domain_lives_on_it(slapd: Slapd, world: World, admin: Client) -> None:
    domain = make(admin, "domain")
    config = {"identity": {"driver": "ldap"}, "ldap": given(slapd)}
    admin.put(f"/v3/domains/{domain['id']}/config", {"config": config}).ok(201)
    follow_directories(world.cloud)
    users = admin.get(f"/v3/users?domain_id={domain['id']}&limit=50").ok()["users"]
    assert len(users) == 8
    ids = {row["name"]: row["id"] for row in users}
    [ops] = admin.get(f"/v3/groups?domain_id={domain['id']}&name=ops").ok()["groups"]
    project = make(admin, "project")
    admin.put(f"/v3/projects/{project['id']}/groups/{ops['id']}/roles/{world.roles['member']}").ok(204)
    scope = {"project": {"id": project["id"]}}
    token = log_in(admin, ids["alice"], "alice secret", scope).ok(201)["token"]
    assert "member" in {role["name"] for role in token["roles"]}
    log_in(admin, ids["alice"], "wrong", scope).refused(401)
    log_in(admin, ids["carol"], "carol secret", scope).refused(401)
    slapd.stop()
    try:
        log_in(admin, ids["alice"], "alice secret", scope).refused(503, "directory")
        follow_directories(world.cloud)
        assert len(admin.get(f"/v3/users?domain_id={domain['id']}").ok()["users"]) == 8
    finally:
        slapd.start()
    admin.delete(f"/v3/domains/{domain['id']}/config").ok(204)
