"""Roles, what they imply, granting them, and the list of assignments."""

from typing import Any

import pytest

from pileus.identity.access.assignments import Wanted, list_assignments, names
from pileus.identity.store import Assignment
from tests.harness import Client, World
from tests.spec.identity.identities import caller, make, unique

SECRET = "a secret worth keeping"


@pytest.fixture
def role(admin: Client) -> Any:
    return make(admin, "role")


@pytest.fixture
def user(admin: Client) -> Any:
    return make(admin, "user", password=SECRET)


@pytest.fixture
def project(admin: Client) -> Any:
    return make(admin, "project")


def test_a_role_is_created_changed_and_deleted(admin: Client, role: Any) -> None:
    at = f"/v3/roles/{role['id']}"
    assert role["domain_id"] is None and role["links"]["self"].endswith(at)
    assert admin.patch(at, {"role": {"description": "d"}}).ok()["role"]["description"] == "d"
    admin.post("/v3/roles", {"role": {"name": role["name"]}}).refused(409, "in use")
    admin.post("/v3/roles", {"role": {}}).refused(400, "name")
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_roles_of_a_domain_stand_apart(admin: Client, role: Any) -> None:
    domain = make(admin, "domain")
    inside = make(admin, "role", name=role["name"], domain_id=domain["id"])
    assert inside["id"] not in {row["id"] for row in admin.get("/v3/roles").ok()["roles"]}
    assert [row["id"] for row in admin.get(f"/v3/roles?domain_id={domain['id']}").ok()["roles"]] == [inside["id"]]


@pytest.mark.parametrize("target", ["project", "domain", "system"])
@pytest.mark.parametrize("actor", ["user", "group"])
def test_a_role_is_granted_checked_listed_and_revoked(admin: Client, role: Any, target: str, actor: str) -> None:
    where = "/v3/system" if target == "system" else f"/v3/{target}s/{make(admin, target)['id']}"
    at = f"{where}/{actor}s/{make(admin, actor)['id']}/roles"
    one = f"{at}/{role['id']}"
    admin.get(one).refused(404)
    for _ in range(2):
        admin.put(one).ok(204)
    admin.get(one).ok(204)
    admin.request("HEAD", one).ok(204)
    assert [row["id"] for row in admin.get(at).ok()["roles"]] == [role["id"]]
    admin.delete(one).ok(204)
    admin.delete(one).refused(404)
    assert admin.get(at).ok()["roles"] == []


@pytest.mark.parametrize("target", ["project", "domain"])
def test_an_inherited_grant_is_another_than_a_direct_one(admin: Client, role: Any, user: Any, target: str) -> None:
    at = f"{target}s/{make(admin, target)['id']}/users/{user['id']}/roles"
    inherited = f"/v3/OS-INHERIT/{at}/{role['id']}/inherited_to_projects"
    admin.put(inherited).ok(204)
    admin.request("HEAD", inherited).ok(204)
    admin.get(f"/v3/{at}/{role['id']}").refused(404)
    assert admin.get(f"/v3/{at}").ok()["roles"] == []
    listed = admin.get(f"/v3/OS-INHERIT/{at}/inherited_to_projects").ok()["roles"]
    assert [row["id"] for row in listed] == [role["id"]]
    admin.delete(inherited).ok(204)


def test_what_is_missing_cannot_be_granted(admin: Client, role: Any, user: Any, project: Any) -> None:
    admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/none").refused(404, "role")
    admin.put(f"/v3/projects/{project['id']}/users/none/roles/{role['id']}").refused(404, "user")
    admin.put(f"/v3/projects/none/users/{user['id']}/roles/{role['id']}").refused(404, "project")


def test_a_domains_role_is_granted_only_inside_it(admin: Client, user: Any, project: Any) -> None:
    domain = make(admin, "domain")
    role = make(admin, "role", domain_id=domain["id"])
    admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}").refused(403, "domain")


def test_a_token_carries_inherited_group_and_implied_roles(admin: Client, anonymous: Client, user: Any) -> None:
    domain = make(admin, "domain")
    top = make(admin, "project", domain_id=domain["id"])
    leaf = make(admin, "project", parent_id=top["id"])
    group = make(admin, "group")
    admin.put(f"/v3/groups/{group['id']}/users/{user['id']}").ok()
    roles = [make(admin, "role") for _ in range(4)]
    ids = [row["id"] for row in roles]
    admin.put(f"/v3/projects/{leaf['id']}/users/{user['id']}/roles/{ids[0]}").ok()
    admin.put(f"/v3/OS-INHERIT/domains/{domain['id']}/users/{user['id']}/roles/{ids[1]}/inherited_to_projects").ok()
    admin.put(f"/v3/OS-INHERIT/projects/{top['id']}/groups/{group['id']}/roles/{ids[2]}/inherited_to_projects").ok()
    admin.put(f"/v3/roles/{ids[2]}/implies/{ids[3]}").ok(201)
    scope = {"project": {"id": leaf["id"]}}
    own = caller(anonymous, user["id"], SECRET, scope)
    shown = own.get("/v3/auth/tokens", x_subject_token=own.token or "").ok()["token"]
    assert {row["id"] for row in shown["roles"]} == set(ids)
    listed = admin.get(f"/v3/role_assignments?effective&user.id={user['id']}&scope.project.id={leaf['id']}").ok()
    assert {row["role"]["id"] for row in listed["role_assignments"]} == set(ids)
    assert {row["id"] for row in own.get("/v3/auth/projects").ok()["projects"]} == {top["id"], leaf["id"]}
    admin.delete(f"/v3/groups/{group['id']}/users/{user['id']}").ok()
    shown = own.get("/v3/auth/tokens", x_subject_token=own.token or "").ok()["token"]
    assert {row["id"] for row in shown["roles"]} == set(ids[:2])


def test_implied_roles(admin: Client) -> None:
    prior, below = make(admin, "role"), make(admin, "role")
    at = f"/v3/roles/{prior['id']}/implies"
    admin.get(f"{at}/{below['id']}").refused(404)
    made = admin.put(f"{at}/{below['id']}").ok(201)["role_inference"]
    assert made["implies"]["name"] == below["name"] and made["prior_role"]["id"] == prior["id"]
    admin.request("HEAD", f"{at}/{below['id']}").ok(204)
    assert [row["id"] for row in admin.get(at).ok()["role_inference"]["implies"]] == [below["id"]]
    rules = {row["prior_role"]["id"]: row for row in admin.get("/v3/role_inferences").ok()["role_inferences"]}
    assert [row["id"] for row in rules[prior["id"]]["implies"]] == [below["id"]]
    admin.delete(f"{at}/{below['id']}").ok(204)
    admin.delete(f"{at}/{below['id']}").refused(404)


def test_nothing_implies_the_administrators_role(admin: Client, role: Any) -> None:
    found = admin.get("/v3/roles?name=admin").ok()["roles"][0]
    admin.put(f"/v3/roles/{role['id']}/implies/{found['id']}").refused(403)


class TestAssignments:
    @pytest.fixture
    def granted(self, admin: Client, user: Any, role: Any, project: Any) -> str:
        admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}").ok()
        return f"/v3/role_assignments?user.id={user['id']}"

    def test_are_listed_as_granted_with_names(
        self, admin: Client, granted: str, user: Any, role: Any, project: Any
    ) -> None:
        [found] = admin.get(granted).ok()["role_assignments"]
        assert found["scope"] == {"project": {"id": project["id"]}} and found["role"] == {"id": role["id"]}
        path = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        assert found["links"]["assignment"].endswith(path)
        [named] = admin.get(granted + "&include_names=True").ok()["role_assignments"]
        domain = {"id": "default", "name": "Default"}
        assert named["user"] == {"id": user["id"], "name": user["name"], "domain": domain}
        assert named["scope"]["project"] == {"id": project["id"], "name": project["name"], "domain": domain}

    def test_filters(self, admin: Client, granted: str, role: Any, project: Any) -> None:
        def count(query: str) -> int:
            return len(admin.get(granted + query).ok()["role_assignments"])

        assert count(f"&role.id={role['id']}&scope.project.id={project['id']}") == 1
        assert count("&role.id=other") == count("&scope.project.id=other") == count("&scope.system=all") == 0
        assert count("&scope.OS-INHERIT:inherited_to=projects") == 0
        admin.get(granted + "&group.id=x").refused(400)
        admin.get(granted + "&scope.project.id=x&scope.domain.id=y").refused(400)
        admin.get(granted + "&include_subtree").refused(400, "scope.project.id")

    def test_of_a_group_are_its_members(self, admin: Client, user: Any, role: Any, project: Any) -> None:
        group = make(admin, "group")
        admin.put(f"/v3/groups/{group['id']}/users/{user['id']}").ok()
        admin.put(f"/v3/projects/{project['id']}/groups/{group['id']}/roles/{role['id']}").ok()
        [found] = admin.get(f"/v3/role_assignments?effective&scope.project.id={project['id']}").ok()["role_assignments"]
        assert found["user"]["id"] == user["id"] and "group" not in found
        assert found["links"]["membership"].endswith(f"/v3/groups/{group['id']}/users/{user['id']}")

    def test_go_down_the_tree(self, admin: Client, user: Any, role: Any, project: Any) -> None:
        leaf = make(admin, "project", parent_id=project["id"])
        at = f"/v3/OS-INHERIT/projects/{project['id']}/users/{user['id']}/roles/{role['id']}/inherited_to_projects"
        admin.put(at).ok()
        [found] = admin.get(f"/v3/role_assignments?effective&user.id={user['id']}").ok()["role_assignments"]
        assert found["scope"]["project"]["id"] == leaf["id"] and found["links"]["assignment"].endswith(at)
        assert found["scope"]["OS-INHERIT:inherited_to"] == "projects"
        tree = f"/v3/role_assignments?include_subtree&scope.project.id={project['id']}"
        assert len(admin.get(tree).ok()["role_assignments"]) == 1

    def test_go_with_what_they_are_of(self, admin: Client, granted: str, role: Any) -> None:
        admin.delete(f"/v3/roles/{role['id']}").ok()
        assert admin.get(granted).ok()["role_assignments"] == []

    def test_of_the_system(self, admin: Client, user: Any, role: Any) -> None:
        admin.put(f"/v3/system/users/{user['id']}/roles/{role['id']}").ok()
        [found] = admin.get(f"/v3/role_assignments?scope.system=all&user.id={user['id']}").ok()["role_assignments"]
        assert found["scope"] == {"system": {"all": True}}

    def test_are_for_administrators(self, member: Client) -> None:
        member.get("/v3/role_assignments").refused(403)
        member.get(f"/v3/role_assignments?include_subtree&scope.project.id={member.project_id}").refused(403)


class TestWithoutTheRightRole:
    def test_a_member_neither_sees_nor_grants_roles(self, member: Client, world: Any) -> None:
        role_id = world.roles["admin"]
        member.get("/v3/roles").refused(403)
        member.post("/v3/roles", {"role": {"name": unique()}}).refused(403)
        member.put(f"/v3/projects/{member.project_id}/users/{member.user_id}/roles/{role_id}").refused(403)
        member.put(f"/v3/system/users/{member.user_id}/roles/{role_id}").refused(403)
        member.get(f"/v3/projects/{member.project_id}/users/{member.user_id}/roles").refused(403)
        member.get("/v3/role_inferences").refused(403)

    def test_a_system_reader_sees_but_does_not_change(self, admin: Client, anonymous: Client, user: Any) -> None:
        reader = admin.get("/v3/roles?name=reader").ok()["roles"][0]
        admin.put(f"/v3/system/users/{user['id']}/roles/{reader['id']}").ok()
        client = caller(anonymous, user["id"], SECRET, {"system": {"all": True}})
        for path in ("users", "projects", "domains", "roles", "groups", "services", "endpoints", "role_assignments"):
            client.get(f"/v3/{path}").ok(200)
        client.post("/v3/users", {"user": {"name": unique()}}).refused(403)


def test_thousands_of_assignments_are_one_query_and_their_names_five_more(world: World, admin: Client) -> None:
    user, role = make(admin, "user"), make(admin, "role")
    targets = [make(admin, "project")["id"] for _ in range(3)]
    with world.cloud.db.write() as tx:
        for number in range(2000):
            tx.insert(Assignment(f"{user['id']}{number}", targets[number % 3], role["id"], 0, "user", "project"))
    wanted = Wanted(role_id=role["id"])
    with world.cloud.db.read() as tx:
        if not world.cloud.db.sqlite:
            pytest.skip("only SQLite tells its statements")
        seen: list[str] = []
        tx.connection.set_trace_callback(seen.append)
        try:
            found = list_assignments(tx, wanted)
            assert (len(found), len(seen)) == (2000, 1)
            names(tx, found)
            assert len(seen) <= 6
        finally:
            tx.connection.set_trace_callback(None)
    admin.delete(f"/v3/roles/{role['id']}").ok(204)
