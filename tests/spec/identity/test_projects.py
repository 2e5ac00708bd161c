"""Domains and projects: a tree, tags, who may change what, what goes with them."""

import uuid
from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.identity.identities import make, unique


@pytest.fixture
def domain(admin: Client) -> Any:
    return make(admin, "domain")


def test_a_domain_can_be_created_changed_and_deleted_once_it_is_disabled(admin: Client) -> None:
    domain = make(admin, "domain", description="first")
    assert domain["enabled"] is True and domain["tags"] == []
    assert domain["links"]["self"].endswith(f"/v3/domains/{domain['id']}")
    changed = admin.patch(f"/v3/domains/{domain['id']}", {"domain": {"name": "n" + domain["name"]}}).ok(200)["domain"]
    assert changed["name"] == "n" + domain["name"] and changed["description"] == "first"
    admin.delete(f"/v3/domains/{domain['id']}").refused(403, "disable it first")
    admin.patch(f"/v3/domains/{domain['id']}", {"domain": {"enabled": False}}).ok(200)
    admin.delete(f"/v3/domains/{domain['id']}").ok(204)
    admin.get(f"/v3/domains/{domain['id']}").refused(404)


def test_a_domain_may_be_given_its_id(admin: Client) -> None:
    chosen = uuid.uuid4().hex
    made = make(admin, "domain", explicit_domain_id=chosen)
    assert made["id"] == chosen and "explicit_domain_id" not in made
    body = {"name": "another", "explicit_domain_id": chosen}
    admin.post("/v3/domains", {"domain": body}).refused(409, chosen)
    for wrong in ("bad!", "", chosen[:15], chosen * 2, 5, str(uuid.uuid4()), f"{chosen}\n"):
        body["explicit_domain_id"] = wrong
        admin.post("/v3/domains", {"domain": body}).refused(400, "explicit_domain_id")


def test_the_default_domain_stays(admin: Client) -> None:
    admin.patch("/v3/domains/default", {"domain": {"enabled": False}}).refused(403, "default")
    admin.delete("/v3/domains/default").refused(403)


def test_a_domain_goes_with_its_users_groups_projects_and_roles(admin: Client, domain: Any) -> None:
    inside = {"domain_id": domain["id"]}
    paths = []
    for kind in ("user", "group", "project", "role"):
        paths.append(f"/v3/{kind}s/{make(admin, kind, **inside)['id']}")
    parent = make(admin, "project", **inside)
    paths.append(f"/v3/projects/{make(admin, 'project', parent_id=parent['id'], **inside)['id']}")
    admin.patch(f"/v3/domains/{domain['id']}", {"domain": {"enabled": False}}).ok()
    admin.delete(f"/v3/domains/{domain['id']}").ok(204)
    for path in paths:
        admin.get(path).refused(404)


def test_names_are_unique_where_they_must_be(admin: Client, domain: Any) -> None:
    admin.post("/v3/domains", {"domain": {"name": domain["name"]}}).refused(409, "in use")
    project = make(admin, "project")
    admin.post("/v3/projects", {"project": {"name": project["name"]}}).refused(409, "in use")
    admin.post("/v3/projects", {"project": {"name": project["name"], "domain_id": domain["id"]}}).ok(201)
    other = make(admin, "project")
    admin.patch(f"/v3/projects/{other['id']}", {"project": {"name": project["name"]}}).refused(409)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "project"),
        ({"project": {}}, "name"),
        ({"project": {"name": "  "}}, "name"),
        ({"project": {"name": "x" * 65}}, "name"),
        ({"project": {"name": "x", "enabled": "maybe"}}, "enabled"),
        ({"project": {"name": "x", "tags": ["a", "a"]}}, "tags"),
        ({"project": {"name": "x", "tags": ["a,b"]}}, "tag"),
        ({"project": {"name": "x", "description": 1}}, "description"),
    ],
)
def test_a_malformed_project_is_refused_by_field(admin: Client, body: Any, word: str) -> None:
    admin.post("/v3/projects", body).refused(400, word)


def test_a_project_lies_below_its_domain_unless_a_parent_is_named(admin: Client, domain: Any) -> None:
    top = make(admin, "project", domain_id=domain["id"])
    assert top["parent_id"] == domain["id"] and top["is_domain"] is False
    leaf = make(admin, "project", parent_id=top["id"])
    assert (leaf["parent_id"], leaf["domain_id"]) == (top["id"], domain["id"])
    admin.delete(f"/v3/projects/{top['id']}").refused(403, "below")
    admin.patch(f"/v3/projects/{leaf['id']}", {"project": {"parent_id": domain["id"]}}).refused(400, "parent_id")
    shown = admin.get(f"/v3/projects/{leaf['id']}?parents_as_list").ok()["project"]
    assert [item["project"]["id"] for item in shown["parents"]] == [top["id"], domain["id"]]
    shown = admin.get(f"/v3/projects/{top['id']}?subtree_as_ids&parents_as_ids").ok()["project"]
    assert shown["subtree"] == {leaf["id"]: None} and shown["parents"] == {domain["id"]: None}


def test_a_parent_must_be_enabled_and_in_the_same_domain(admin: Client, domain: Any) -> None:
    top = make(admin, "project", domain_id=domain["id"])
    body = {"project": {"name": unique(), "domain_id": "default", "parent_id": top["id"]}}
    admin.post("/v3/projects", body).refused(400, "parent_id")
    admin.patch(f"/v3/projects/{top['id']}", {"project": {"enabled": False}}).ok()
    body["project"]["domain_id"] = domain["id"]
    admin.post("/v3/projects", body).refused(400, "disabled")


def test_a_tree_has_five_levels(admin: Client) -> None:
    parent_id = None
    for _ in range(5):
        parent_id = make(admin, "project", parent_id=parent_id)["id"]
    admin.post("/v3/projects", {"project": {"name": unique(), "parent_id": parent_id}}).refused(403, "deep")


def test_a_project_is_disabled_from_below_and_enabled_from_above(admin: Client) -> None:
    top = make(admin, "project")
    leaf = make(admin, "project", parent_id=top["id"])
    admin.patch(f"/v3/projects/{top['id']}", {"project": {"enabled": False}}).refused(403, "below")
    for project in (leaf, top):
        admin.patch(f"/v3/projects/{project['id']}", {"project": {"enabled": False}}).ok()
    admin.patch(f"/v3/projects/{leaf['id']}", {"project": {"enabled": True}}).refused(403, "above")


def test_a_project_that_acts_as_a_domain_is_one(admin: Client) -> None:
    made = make(admin, "project", is_domain=True)
    assert made["domain_id"] is None and made["parent_id"] is None
    assert admin.get(f"/v3/domains/{made['id']}").ok()["domain"]["name"] == made["name"]
    assert made["id"] in {row["id"] for row in admin.get("/v3/projects?is_domain=true").ok()["projects"]}
    assert made["id"] not in {row["id"] for row in admin.get("/v3/projects").ok()["projects"]}


def test_what_nobody_declared_is_kept_and_merged(admin: Client) -> None:
    made = make(admin, "project", colour="red", shape={"round": True})
    changed = admin.patch(f"/v3/projects/{made['id']}", {"project": {"colour": "blue"}}).ok()["project"]
    assert changed["colour"] == "blue" and changed["shape"] == {"round": True}


def test_projects_are_listed_by_filter_in_pages(admin: Client, domain: Any) -> None:
    for name in ("apple", "Apricot", "banana"):
        make(admin, "project", domain_id=domain["id"], name=name, enabled=name != "banana")
    here = f"/v3/projects?domain_id={domain['id']}"

    def names(query: str) -> list[str]:
        return sorted(row["name"] for row in admin.get(here + query).ok()["projects"])

    assert names("") == ["Apricot", "apple", "banana"]
    assert names("&name=apple") == ["apple"]
    assert names("&name__contains=an") == names("&name__contains=AN") == ["banana"]
    assert names("&name__istartswith=AP") == ["Apricot", "apple"]
    assert names("&enabled=false") == ["banana"]
    assert names("&enabled") == ["Apricot", "apple"]
    first = admin.get(here + "&limit=2").ok()
    assert len(first["projects"]) == 2
    rest = admin.get(first["links"]["next"].partition("5000")[2]).ok()
    assert len(rest["projects"]) == 1 and rest["links"]["next"] is None
    admin.get(here + "&limit=many").refused(400, "limit")
    admin.get(here + "&marker=nobody").refused(400, "marker")


def test_tags(admin: Client, domain: Any) -> None:
    made = make(admin, "project", domain_id=domain["id"], tags=["b", "a"])
    other = make(admin, "project", domain_id=domain["id"], tags=["a%"])
    at = f"/v3/projects/{made['id']}/tags"
    assert admin.get(at).ok()["tags"] == ["a", "b"]
    admin.put(f"{at}/c").ok(201)
    admin.get(f"{at}/c").ok(204)
    admin.delete(f"{at}/a").ok(204)
    admin.get(f"{at}/a").refused(404)
    assert admin.get(at).ok()["tags"] == ["b", "c"]

    def tagged(query: str) -> set[str]:
        return {row["id"] for row in admin.get(f"/v3/projects?domain_id={domain['id']}&{query}").ok()["projects"]}

    assert tagged("tags=b,c") == {made["id"]}
    assert tagged("tags=B") == set()
    assert tagged("tags-any=a%25,b") == {made["id"], other["id"]}
    assert tagged("not-tags=b,c") == {other["id"]}
    assert admin.put(at, {"tags": ["z"]}).ok(200)["tags"] == ["z"]
    admin.put(at, {"tags": "z"}).refused(400, "tags")
    admin.delete(at).ok(204)
    assert admin.get(at).ok()["tags"] == []


def test_an_immutable_project_is_first_unlocked(admin: Client) -> None:
    made = make(admin, "project", options={"immutable": True})
    at = f"/v3/projects/{made['id']}"
    admin.delete(at).refused(403, "immutable")
    admin.patch(at, {"project": {"name": unique()}}).refused(403, "immutable")
    admin.patch(at, {"project": {"options": {"immutable": False}}}).ok()
    admin.delete(at).ok(204)


class TestNobodyButAdministrators:
    @pytest.mark.parametrize("kind", ["domain", "project"])
    def test_a_member_makes_and_lists_none(self, member: Client, kind: str) -> None:
        member.post(f"/v3/{kind}s", {kind: {"name": unique()}}).refused(403)
        member.get(f"/v3/{kind}s").refused(403)

    def test_a_reader_sees_their_own_project_and_domain(self, reader: Client, stranger: Client) -> None:
        assert reader.get(f"/v3/projects/{reader.project_id}").ok()["project"]["id"] == reader.project_id
        assert reader.get("/v3/domains/default").ok()["domain"]["id"] == "default"
        reader.get(f"/v3/projects/{stranger.project_id}").refused(403)
        reader.get("/v3/projects/nothing").refused(403)
        reader.patch(f"/v3/projects/{reader.project_id}", {"project": {"name": unique()}}).refused(403)
        reader.delete(f"/v3/projects/{reader.project_id}").refused(403)

    def test_without_a_token_nothing_is_told(self, anonymous: Client) -> None:
        anonymous.get("/v3/projects").refused(401)
        anonymous.get("/v3/domains/default").refused(401)


def test_a_project_can_be_disabled_and_deleted_with_all_below_it(admin: Client) -> None:
    top = make(admin, "project")
    middle = make(admin, "project", parent_id=top["id"])
    leaf = make(admin, "project", parent_id=middle["id"])
    paths = [f"/v3/projects/{row['id']}" for row in (top, middle, leaf)]

    def enabled() -> list[bool]:
        return [admin.get(path).ok()["project"]["enabled"] for path in paths]

    admin.patch(f"{paths[0]}/cascade", {"project": {"name": "x"}}).refused(400, "enabled")
    admin.delete(f"{paths[0]}/cascade").refused(403, "is enabled")
    assert admin.patch(f"{paths[0]}/cascade", {"project": {"enabled": False}}).ok(200)["project"]["enabled"] is False
    assert enabled() == [False] * 3
    admin.patch(f"{paths[1]}/cascade", {"project": {"enabled": True}}).refused(403, "above it is disabled")
    admin.patch(f"{paths[0]}/cascade", {"project": {"enabled": True}}).ok(200)
    assert enabled() == [True] * 3
    admin.patch(f"{paths[0]}/cascade", {"project": {"enabled": False}}).ok(200)
    admin.patch(paths[2], {"project": {"options": {"immutable": True}}}).ok()
    admin.delete(f"{paths[0]}/cascade").refused(403, "immutable")
    admin.patch(paths[2], {"project": {"options": {"immutable": False}}}).ok()
    admin.delete(f"{paths[0]}/cascade").ok(204)
    for path in paths:
        admin.get(path).refused(404)
    admin.delete("/v3/projects/default/cascade").refused(400)


def test_disabling_a_tree_voids_the_tokens_of_all_in_it(world: World) -> None:
    admin = world.client("admin", "manager", "member", "reader")
    top = make(admin, "project")
    below = world.client("member", project_id=make(admin, "project", parent_id=top["id"])["id"])
    below.get("/v3/auth/projects").ok()
    admin.patch(f"/v3/projects/{top['id']}/cascade", {"project": {"enabled": False}}).ok()
    admin.patch(f"/v3/projects/{top['id']}/cascade", {"project": {"enabled": True}}).ok()
    below.get("/v3/auth/projects").refused(401)
