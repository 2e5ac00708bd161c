"""Domains whose users and groups a directory keeps. Here it is a fake one; `tests/live/test_ldap.py` has a real one."""

import asyncio
from typing import Any

import httpx
import pytest

from pileus.identity.drivers.fake import FakeDirectory
from pileus.identity.ldap.entries import Circle, Person, plain
from pileus.identity.ldap.reconcile import follow_directories
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import log_in, make, unique

BELOW = "ou=Users,dc=corp,dc=test"


class Corp:
    """A domain with a directory behind it."""

    def __init__(self, world: World, admin: Client, **options: Any):
        self.world, self.admin = world, admin
        self.domain = make(admin, "domain")
        self.url = f"fake:{unique()}"
        given = {"url": self.url, **options}
        config = {"config": {"identity": {"driver": "ldap"}, "ldap": given}}
        admin.put(f"/v3/domains/{self.domain['id']}/config", config).ok(201)
        self.directory: FakeDirectory = world.cloud.drivers["identity"].fake(self.url)

    def add(self, name: str, password: str = "secret", **more: Any) -> Person:
        person = Person(name, f"cn={name},{BELOW}", name, **more)
        self.directory.add(person, password)
        return person

    def group(self, name: str, *members: Person) -> None:
        dn = f"cn={name},ou=UserGroups,dc=corp,dc=test"
        self.directory.groups[dn] = Circle(name, dn, name, members=[plain(member.dn) for member in members])

    def follow(self) -> None:
        follow_directories(self.world.cloud)

    def log_in(self, who: str, password: str = "secret", **domain: str) -> Answer:
        user = {"name": who, "domain": domain or {"id": self.domain["id"]}, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        return self.admin.post("/v3/auth/tokens", {"auth": {"identity": identity}})

    def rows(self, kind: str, query: str = "") -> list[Any]:
        found: list[Any] = self.admin.get(f"/v3/{kind}?domain_id={self.domain['id']}&{query}").ok()[kind]
        return found

    def names(self, kind: str, query: str = "") -> list[str]:
        return sorted(row["name"] for row in self.rows(kind, query))


@pytest.fixture
def corp(world: World, admin: Client) -> Corp:
    return Corp(world, admin)


def test_a_directorys_user_logs_in_with_its_password_there(corp: Corp) -> None:
    corp.add("alice", email="alice@corp.test", description="the first")
    token = corp.log_in("alice").ok(201)["token"]
    assert (token["user"]["name"], token["user"]["domain"]["id"]) == ("alice", corp.domain["id"])
    assert len(token["user"]["id"]) == 64 and token["methods"] == ["password"]
    corp.log_in("alice", name=corp.domain["name"]).ok(201)
    log_in(corp.admin, token["user"]["id"], "secret").ok(201)
    corp.log_in("alice", "wrong").refused(401)
    corp.log_in("alice", "").refused(401)
    corp.log_in("nobody").refused(401)
    log_in(corp.admin, token["user"]["id"], "wrong").refused(401)
    shown = corp.admin.get(f"/v3/users/{token['user']['id']}").ok()["user"]
    assert (shown["email"], shown["description"]) == ("alice@corp.test", "the first")


def test_its_people_and_groups_are_listed_filtered_and_paged(corp: Corp) -> None:
    people = [corp.add(f"user-{number}") for number in range(5)]
    corp.group("odd", *people[1::2])
    corp.follow()
    assert corp.names("users") == [f"user-{number}" for number in range(5)]
    assert corp.names("users", "name=user-3") == ["user-3"]
    assert corp.names("users", "name__contains=r-4") == ["user-4"]
    page = corp.admin.get(f"/v3/users?domain_id={corp.domain['id']}&limit=2").ok()
    assert len(page["users"]) == 2 and page["links"]["next"]
    [group] = corp.rows("groups")
    members = corp.admin.get(f"/v3/groups/{group['id']}/users").ok()["users"]
    assert sorted(row["name"] for row in members) == ["user-1", "user-3"]
    corp.admin.request("HEAD", f"/v3/groups/{group['id']}/users/{members[0]['id']}").ok(204)


def test_roles_come_through_its_groups_and_go_with_them(corp: Corp) -> None:
    alice = corp.add("alice")
    corp.group("ops", alice)
    corp.follow()
    [group], project = corp.rows("groups"), make(corp.admin, "project")
    roles = {row["name"]: row["id"] for row in corp.admin.get("/v3/roles").ok()["roles"]}
    corp.admin.put(f"/v3/projects/{project['id']}/groups/{group['id']}/roles/{roles['member']}").ok(204)
    user_id = corp.log_in("alice").ok(201)["token"]["user"]["id"]
    scope = {"project": {"id": project["id"]}}
    answer = log_in(corp.admin, user_id, "secret", scope)
    assert "member" in {role["name"] for role in answer.ok(201)["token"]["roles"]}
    mine = Client(corp.admin.application, answer.headers["x-subject-token"])
    mine.get("/v3/auth/projects").ok()
    corp.group("ops")
    corp.follow()
    mine.get("/v3/auth/projects").refused(401)
    corp.group("ops", alice)
    log_in(corp.admin, user_id, "secret", scope).ok(201)  # at once, without waiting for the task


@pytest.mark.parametrize(("nesting", "levels"), [(True, 10), (False, 1)])
def test_groups_in_groups_count_where_the_options_say_so(
    world: World, admin: Client, nesting: bool, levels: int
) -> None:
    """Up to a depth, and also in a circle; the same from one log-in as from the whole directory."""
    corp = Corp(world, admin, group_ad_nesting=nesting)
    alice = inner = corp.add("alice")
    for level in range(12):
        corp.group(f"level-{level}", inner)
        inner = Person("", f"cn=level-{level},ou=UserGroups,dc=corp,dc=test", "")
    corp.group("level-0", alice, inner)
    user_id = corp.log_in("alice").ok(201)["token"]["user"]["id"]
    for _ in range(2):
        found = admin.get(f"/v3/users/{user_id}/groups").ok()["groups"]
        assert {row["name"] for row in found} == {f"level-{level}" for level in range(levels)}
        corp.follow()
    admin.delete(f"/v3/domains/{corp.domain['id']}/config").ok(204)


def test_who_leaves_is_disabled_and_keeps_what_is_theirs(corp: Corp) -> None:
    alice = corp.add("alice")
    answer = corp.log_in("alice")
    user_id = answer.ok(201)["token"]["user"]["id"]
    mine = Client(corp.admin.application, answer.headers["x-subject-token"])
    corp.admin.put(f"/v3/domains/{corp.domain['id']}/users/{user_id}/roles/{corp.world.roles['member']}").ok(204)
    del corp.directory.persons[alice.dn]
    corp.follow()
    mine.get("/v3/auth/projects").refused(401)
    corp.log_in("alice").refused(401)
    assert corp.admin.get(f"/v3/users/{user_id}").ok()["user"]["enabled"] is False
    corp.add("alice")
    corp.follow()
    assert corp.log_in("alice").ok(201)["token"]["user"]["id"] == user_id
    assert corp.admin.get(f"/v3/role_assignments?user.id={user_id}").ok()["role_assignments"]


def test_who_is_disabled_there_is_so_here(corp: Corp) -> None:
    corp.add("alice")
    answer = corp.log_in("alice")
    answer.ok(201)
    corp.add("alice", enabled=False)
    corp.log_in("alice").refused(401)
    Client(corp.admin.application, answer.headers["x-subject-token"]).get("/v3/auth/projects").refused(401)
    assert corp.names("users", "enabled=false") == ["alice"]


def test_changes_there_show_here(corp: Corp) -> None:
    person = corp.add("alice")
    corp.group("ops", person)
    corp.follow()
    person.name, person.email = "Alice", "new@corp.test"
    [group] = corp.directory.groups.values()
    group.name, group.description = "Operations", "they run it"
    corp.follow()
    [user], [shown] = corp.rows("users"), corp.rows("groups")
    assert (user["name"], user["email"]) == ("Alice", "new@corp.test")
    assert (shown["name"], shown["description"]) == ("Operations", "they run it")


def test_nothing_can_be_changed_from_here(corp: Corp) -> None:
    corp.group("ops", corp.add("alice"))
    corp.follow()
    [user], [group], admin = corp.rows("users"), corp.rows("groups"), corp.admin
    domain = {"domain_id": corp.domain["id"]}
    admin.post("/v3/users", {"user": {"name": "bob", **domain}}).refused(403, "directory")
    admin.post("/v3/groups", {"group": {"name": "dev", **domain}}).refused(403, "directory")
    admin.patch(f"/v3/users/{user['id']}", {"user": {"enabled": False}}).refused(403, "directory")
    admin.patch(f"/v3/users/{user['id']}", {"user": {"password": "Other-secret-1"}}).refused(403, "directory")
    admin.delete(f"/v3/users/{user['id']}").refused(403, "directory")
    admin.patch(f"/v3/groups/{group['id']}", {"group": {"name": "x"}}).refused(403, "directory")
    admin.delete(f"/v3/groups/{group['id']}").refused(403, "directory")
    admin.put(f"/v3/groups/{group['id']}/users/{admin.user_id}").refused(403, "directory")
    admin.delete(f"/v3/groups/{group['id']}/users/{user['id']}").refused(403, "directory")


def test_a_directory_that_is_down_refuses_log_ins_and_nothing_else(corp: Corp) -> None:
    corp.add("alice")
    answer = corp.log_in("alice")
    answer.ok(201)
    corp.directory.down = True
    corp.log_in("alice").refused(503, "directory")
    corp.follow()
    assert corp.names("users") == ["alice"]
    Client(corp.admin.application, answer.headers["x-subject-token"]).get("/v3/auth/projects").ok()


def test_log_ins_that_hang_keep_nobody_else_waiting(corp: Corp) -> None:
    """More of them than there are threads for requests: the quick one alone lets them go."""
    corp.add("alice")
    user = {"name": "alice", "domain": {"id": corp.domain["id"]}, "password": "secret"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}

    async def go() -> list[int]:
        transport = httpx.ASGITransport(app=corp.world.application.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test:5000") as client:
            hanging = [asyncio.create_task(client.post("/v3/auth/tokens", json=body)) for _ in range(9)]
            while corp.directory.waiting < len(hanging):
                await asyncio.sleep(0.005)
            listed = await client.get("/v3/users", headers={"x-auth-token": corp.admin.token or ""})
            assert listed.status_code == 200 and not any(task.done() for task in hanging)
            corp.directory.let_go.set()
            return [answer.status_code for answer in await asyncio.gather(*hanging)]

    corp.directory.let_go.clear()
    try:
        assert asyncio.run(asyncio.wait_for(go(), 30)) == [201] * 9
    finally:
        corp.directory.let_go.set()


def test_two_of_a_name_are_told_apart(corp: Corp) -> None:
    corp.add("alice")
    corp.directory.add(Person("alice2", f"cn=alice2,{BELOW}", "alice"), "other")
    corp.follow()
    assert corp.names("users") == ["alice", "alice (alice2)"]
    corp.follow()
    assert corp.names("users") == ["alice", "alice (alice2)"]


def test_a_domain_without_its_directory_has_ordinary_users_again(corp: Corp) -> None:
    corp.add("alice")
    corp.follow()
    corp.admin.delete(f"/v3/domains/{corp.domain['id']}/config").ok(204)
    corp.follow()
    [user] = corp.rows("users")
    corp.log_in("alice").refused(401)
    corp.admin.delete(f"/v3/users/{user['id']}").ok(204)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"query_scope": "everywhere"}, "query_scope"),
        ({"page_size": "many"}, "page_size"),
        ({"group_ad_nesting": True, "group_members_are_ids": True}, "group_ad_nesting"),
        ({"tls_req_cert": "perhaps"}, "tls_req_cert"),
    ],
)
def test_a_directory_that_is_not_well_configured_says_so(
    world: World, admin: Client, options: dict[str, Any], word: str
) -> None:
    corp = Corp(world, admin, **options)
    corp.log_in("alice").refused(503, word)
    corp.follow()
    admin.delete(f"/v3/domains/{corp.domain['id']}/config").ok(204)
