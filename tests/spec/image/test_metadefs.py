"""Metadata definitions: namespaces and what is in them; who sees and who writes them."""

from pathlib import Path
from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Answer, Client, World

M = "/image/v2/metadefs"
TIMES = {"created_at", "updated_at"}


def make(client: Client, **attributes: Any) -> dict[str, Any]:
    body = {"namespace": f"NS::{clock.new_hex_id()}", "visibility": "public", **attributes}
    made: dict[str, Any] = client.post(f"{M}/namespaces", body).ok(201)
    return made


def at(namespace: dict[str, Any], *below: str) -> str:
    return "/".join((f"{M}/namespaces/{namespace['namespace']}", *below))


FULL: dict[str, Any] = {
    "display_name": "Compute",
    "description": "What hosts do.",
    "protected": False,
    "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "hw:", "properties_target": "x"}],
    "objects": [
        {
            "name": "CPU",
            "description": "Processors",
            "required": ["cores"],
            "properties": {"cores": {"title": "Cores", "type": "integer", "minimum": 1, "maximum": 64}},
        }
    ],
    "properties": {
        "speed": {
            "title": "Speed",
            "type": "string",
            "enum": ["slow", "fast"],
            "default": "slow",
            "operators": ["<in>"],
        },
        "names": {"title": "Names", "type": "array", "items": {"type": "string", "enum": ["a"]}, "uniqueItems": True},
    },
    "tags": [{"name": "tag-a"}, {"name": "tag-b"}],
}


class TestNamespaces:
    def test_one_is_made_with_all_that_is_in_it(self, admin: Client) -> None:
        made = make(admin, **FULL)
        shown = admin.get(at(made)).ok(200)
        assert shown == made
        assert shown["self"] == f"/v2/metadefs/namespaces/{made['namespace']}"
        assert shown["schema"] == "/v2/schemas/metadefs/namespace"
        assert shown["owner"] == admin.project_id and set(shown) >= TIMES
        assert shown["objects"][0]["properties"] == FULL["objects"][0]["properties"]
        assert shown["properties"] == FULL["properties"] and shown["tags"] == FULL["tags"]
        association = {"name": "OS::Nova::Flavor", "prefix": "hw:", "properties_target": "x"}
        assert association.items() <= shown["resource_type_associations"][0].items()

    def test_what_is_not_said_has_a_default(self, admin: Client) -> None:
        made = admin.post(f"{M}/namespaces", {"namespace": f"ns-{clock.new_hex_id()}"}).ok(201)
        assert made["visibility"] == "private" and made["protected"] is False
        assert not {"description", "display_name", "objects", "properties", "tags"} & set(made)

    def test_where_it_is_is_told(self, admin: Client) -> None:
        answer = admin.post(f"{M}/namespaces", {"namespace": "Told::Here"})
        assert answer.headers["location"] == "http://cloud.test:5000/image/v2/metadefs/namespaces/Told::Here"

    def test_for_a_type_of_resources_names_have_its_prefix(self, admin: Client) -> None:
        made = make(admin, **FULL)
        shown = admin.get(at(made) + "?resource_type=OS::Nova::Flavor").ok(200)
        assert set(shown["properties"]) == {"hw:speed", "hw:names"}
        assert set(shown["objects"][0]["properties"]) == {"hw:cores"} and shown["objects"][0]["required"] == [
            "hw:cores"
        ]
        assert set(admin.get(at(made) + "?resource_type=Other").ok(200)["properties"]) == {"speed", "names"}

    def test_an_update_says_all_anew_and_leaves_what_is_in_it(self, admin: Client) -> None:
        made = make(admin, **FULL)
        name = f"renamed-{clock.new_hex_id()}"
        changed = admin.put(at(made), {"namespace": name, "description": "new"}).ok(200)
        assert changed["visibility"] == "private" and changed["description"] == "new" and "display_name" not in changed
        admin.get(at(made)).refused(404, "not found")
        assert admin.get(at(changed)).ok(200)["tags"] == FULL["tags"]

    def test_names_are_had_once(self, admin: Client) -> None:
        one, other = make(admin), make(admin)
        admin.post(f"{M}/namespaces", {"namespace": one["namespace"]}).refused(409, "already exists")
        admin.put(at(other), {"namespace": one["namespace"]}).refused(409, "already exists")
        admin.put(at(one), {"namespace": one["namespace"], "visibility": "public"}).ok(200)

    def test_it_goes_with_all_that_is_in_it(self, admin: Client) -> None:
        made = make(admin, **FULL)
        admin.delete(at(made)).ok(204)
        for below in ((), ("objects",), ("properties",), ("tags",), ("resource_types",), ("objects", "CPU")):
            admin.get(at(made, *below)).refused(404)

    def test_a_protected_one_loses_nothing(self, admin: Client) -> None:
        made = make(admin, **{**FULL, "protected": True})
        for below in ((), ("objects",), ("objects", "CPU"), ("properties",), ("properties", "speed"), ("tags",),
                      ("tags", "tag-a"), ("resource_types", "OS::Nova::Flavor")):  # fmt: skip
            admin.delete(at(made, *below)).refused(403, "protected")
        admin.put(at(made), {"namespace": made["namespace"], "protected": False}).ok(200)
        admin.delete(at(made)).ok(204)


class TestLists:
    def test_pages_follow_one_another(self, world: World) -> None:
        admin = world.client("admin", "member", "reader")
        made = [make(admin)["namespace"] for _ in range(5)]
        body = admin.get(f"{M}/namespaces?limit=2&sort_key=created_at").ok(200)
        assert [row["namespace"] for row in body["namespaces"]] == made[:2:-1]
        assert body["first"] == "/v2/metadefs/namespaces?limit=2&sort_key=created_at"
        assert body["schema"] == "/v2/schemas/metadefs/namespaces"
        following = admin.get("/image" + body["next"]).ok(200)
        assert [row["namespace"] for row in following["namespaces"]] == made[2:0:-1]

    def test_the_last_page_names_no_next(self, admin: Client) -> None:
        make(admin)
        assert "next" not in admin.get(f"{M}/namespaces?limit=1000").ok(200)

    def test_they_are_sorted(self, admin: Client) -> None:
        names = [make(admin, namespace=f"{letter}-{clock.new_hex_id()}")["namespace"] for letter in "bac"]
        found = [row["namespace"] for row in admin.get(f"{M}/namespaces?sort_key=namespace&sort_dir=asc&limit=999").ok()[
            "namespaces"] if row["namespace"] in names]  # fmt: skip
        assert found == sorted(names)

    def test_they_are_found_by_visibility_and_type(self, admin: Client) -> None:
        kind = f"OS::Kind::{clock.new_hex_id()}"
        public = make(admin, resource_type_associations=[{"name": kind, "prefix": "p:"}])
        private = make(admin, visibility="private", resource_type_associations=[{"name": kind}])

        def names(query: str) -> set[str]:
            return {row["namespace"] for row in admin.get(f"{M}/namespaces?limit=1000&{query}").ok(200)["namespaces"]}

        both = {public["namespace"], private["namespace"]}
        assert names(f"resource_types={kind}") == names(f"resource_types=other,{kind}") == both
        assert names(f"resource_types={kind}&visibility=private") == {private["namespace"]}
        assert names("resource_types=nothing") == set() and both <= names("")
        listed = admin.get(f"{M}/namespaces?resource_types={kind}&visibility=public").ok(200)["namespaces"]
        assert listed[0]["resource_type_associations"][0]["prefix"] == "p:"

    @pytest.mark.parametrize(
        "query", ["visibility=secret", "sort_dir=up", "sort_key=colour", "limit=-1", "limit=x", "sort_key=data"]
    )
    def test_wrong_questions_are_refused(self, admin: Client, query: str) -> None:
        admin.get(f"{M}/namespaces?{query}").refused(400)

    def test_a_marker_must_be_there(self, admin: Client) -> None:
        admin.get(f"{M}/namespaces?marker=nothing").refused(404, "not found")


WRONG: list[tuple[str, Any, int]] = [
    ("namespaces", {}, 400),
    ("namespaces", {"namespace": ""}, 400),
    ("namespaces", {"namespace": 7}, 400),
    ("namespaces", {"namespace": "x" * 81}, 400),
    ("namespaces", {"namespace": "x", "visibility": "shared"}, 400),
    ("namespaces", {"namespace": "x", "protected": "yes"}, 400),
    ("namespaces", {"namespace": "x", "description": "x" * 501}, 400),
    ("namespaces", {"namespace": "x", "colour": "blue"}, 400),
    ("namespaces", {"namespace": "x", "created_at": "2026-01-01T00:00:00Z"}, 403),
    ("namespaces", {"namespace": "x", "self": "/"}, 403),
    ("namespaces", {"namespace": "x", "schema": "/"}, 403),
    ("namespaces", {"namespace": "x", "objects": [{}]}, 400),
    ("namespaces", {"namespace": "x", "objects": [{"name": "a"}, {"name": "a"}]}, 409),
    ("namespaces", {"namespace": "x", "tags": ["a"]}, 400),
    ("namespaces", {"namespace": "x", "properties": []}, 400),
    ("namespaces", {"namespace": "x", "properties": {"a": {"title": "A"}}}, 400),
    ("namespaces", {"namespace": "x", "resource_type_associations": [{"prefix": "a"}]}, 400),
    ("objects", {}, 400),
    ("objects", {"name": "x" * 81}, 400),
    ("objects", {"name": "x", "required": ["a", "a"]}, 400),
    ("objects", {"name": "x", "required": "a"}, 400),
    ("objects", {"name": "x", "properties": {"a": {"title": "A", "type": "colour"}}}, 400),
    ("objects", {"name": "x", "colour": "blue"}, 400),
    ("objects", {"name": "x", "updated_at": None}, 403),
    ("properties", {"name": "x", "title": "X"}, 400),
    ("properties", {"name": "x", "type": "string"}, 400),
    ("properties", {"title": "X", "type": "string"}, 400),
    ("properties", {"name": "x", "title": "X", "type": "string", "minLength": -1}, 400),
    ("properties", {"name": "x", "title": "X", "type": "string", "maximum": "9"}, 400),
    ("properties", {"name": "x", "title": "X", "type": "string", "readonly": "no"}, 400),
    ("properties", {"name": "x", "title": "X", "type": "array", "items": {"type": "x"}}, 400),
    ("properties", {"name": "x", "title": "X", "type": "string", "colour": 1}, 400),
    ("properties", {"name": "x", "title": "X", "type": "string", "created_at": ""}, 403),
    ("tags", {}, 400),
    ("tags", {"tags": [{"name": "x" * 81}]}, 400),
    ("tags", {"tags": [{"name": "a", "more": 1}]}, 400),
    ("tags", {"tags": [{"name": "a"}, {"name": "a"}]}, 409),
    ("tags/" + "x" * 81, None, 400),
    ("resource_types", {}, 400),
    ("resource_types", {"name": "x", "prefix": "x" * 81}, 400),
    ("resource_types", {"name": "x", "created_at": "now"}, 403),
]


@pytest.mark.parametrize(("place", "body", "status"), WRONG)
def test_wrong_bodies_are_refused(admin: Client, place: str, body: Any, status: int) -> None:
    path = f"{M}/namespaces" if place == "namespaces" else at(make(admin), place)
    admin.post(path, body).refused(status)


class TestObjects:
    def test_they_are_made_shown_changed_and_deleted(self, admin: Client) -> None:
        namespace = make(admin)
        made = admin.post(at(namespace, "objects"), FULL["objects"][0]).ok(201)
        assert made == admin.get(at(namespace, "objects", "CPU")).ok(200)
        assert made["self"].endswith("/objects/CPU") and made["schema"] == "/v2/schemas/metadefs/object"
        admin.post(at(namespace, "objects"), {"name": "CPU"}).refused(409, "already")
        changed = admin.put(at(namespace, "objects", "CPU"), {"name": "GPU", "required": []}).ok(200)
        assert changed["name"] == "GPU" and changed["properties"] == {} and "description" not in changed
        admin.get(at(namespace, "objects", "CPU")).refused(404, "CPU")
        admin.delete(at(namespace, "objects", "GPU")).ok(204)
        admin.delete(at(namespace, "objects", "GPU")).refused(404)
        assert admin.get(at(namespace, "objects")).ok(200) == {"objects": [], "schema": "v2/schemas/metadefs/objects"}

    def test_they_are_listed_in_pages(self, admin: Client) -> None:
        namespace = make(admin, objects=[{"name": name} for name in "abc"])

        def names(query: str) -> list[str]:
            return [row["name"] for row in admin.get(at(namespace, f"objects?{query}")).ok(200)["objects"]]

        assert names("sort_key=name&sort_dir=asc") == ["a", "b", "c"] and names("sort_key=name") == ["c", "b", "a"]
        assert names("sort_key=name&limit=1&marker=c") == ["b"] and len(names("")) == 3
        for query, status in (("limit=0", 400), ("sort_key=size", 400), ("visibility=odd", 400), ("marker=z", 404)):
            admin.get(at(namespace, f"objects?{query}")).refused(status)

    def test_a_name_that_is_taken_is_not_given_again(self, admin: Client) -> None:
        namespace = make(admin, objects=[{"name": "a"}, {"name": "b"}])
        admin.put(at(namespace, "objects", "a"), {"name": "b"}).refused(409, "already")

    def test_all_go_at_once(self, admin: Client) -> None:
        namespace = make(admin, **FULL)
        admin.delete(at(namespace, "objects")).ok(204)
        shown = admin.get(at(namespace)).ok(200)
        assert "objects" not in shown and shown["tags"]


class TestProperties:
    BODY = {"name": "speed", "title": "Speed", "type": "string", "enum": ["a", 1, None], "default": True}

    def test_they_are_made_shown_changed_and_deleted(self, admin: Client) -> None:
        namespace = make(admin)
        assert admin.post(at(namespace, "properties"), self.BODY).ok(201) == self.BODY
        assert admin.get(at(namespace, "properties", "speed")).ok(200) == self.BODY
        said = {key: value for key, value in self.BODY.items() if key != "name"}
        assert admin.get(at(namespace, "properties")).ok(200) == {"properties": {"speed": said}}
        admin.post(at(namespace, "properties"), self.BODY).refused(409, "already")
        changed = {"name": "pace", "title": "Pace", "type": "integer"}
        assert admin.put(at(namespace, "properties", "speed"), changed).ok(200) == changed
        admin.get(at(namespace, "properties", "speed")).refused(404, "speed")
        admin.delete(at(namespace, "properties", "pace")).ok(204)
        admin.delete(at(namespace, "properties", "pace")).refused(404)

    def test_one_is_shown_by_the_name_it_has_on_a_type_of_resources(self, admin: Client) -> None:
        namespace = make(admin, **FULL)
        shown = admin.get(at(namespace, "properties", "hw:speed?resource_type=OS::Nova::Flavor")).ok(200)
        assert shown["name"] == "speed"
        admin.get(at(namespace, "properties", "speed?resource_type=OS::Nova::Flavor")).refused(404, "prefix")
        admin.get(at(namespace, "properties", "hw:speed?resource_type=Other")).refused(404, "not associated")

    def test_all_go_at_once(self, admin: Client) -> None:
        namespace = make(admin, **FULL)
        admin.delete(at(namespace, "properties")).ok(204)
        assert admin.get(at(namespace, "properties")).ok(200) == {"properties": {}}


class TestTags:
    def test_they_are_made_shown_renamed_and_deleted(self, admin: Client) -> None:
        namespace = make(admin)
        assert admin.post(at(namespace, "tags", "one")).ok(201)["name"] == "one"
        admin.post(at(namespace, "tags", "one")).refused(409, "already")
        assert set(admin.get(at(namespace, "tags", "one")).ok(200)) == {"name", *TIMES}
        assert admin.put(at(namespace, "tags", "one"), {"name": "two"}).ok(200)["name"] == "two"
        admin.put(at(namespace, "tags", "two"), {"name": "two"}).ok(200)
        admin.get(at(namespace, "tags", "one")).refused(404)
        admin.delete(at(namespace, "tags", "two")).ok(204)
        admin.delete(at(namespace, "tags", "two")).refused(404)

    def test_several_take_the_place_of_those_there_were_or_come_beside_them(self, admin: Client) -> None:
        namespace = make(admin, tags=[{"name": "old"}])
        place = at(namespace, "tags")

        def names() -> set[str]:
            return {tag["name"] for tag in admin.get(place).ok(200)["tags"]}

        made = admin.post(place, {"tags": [{"name": "a"}, {"name": "b"}]}).ok(201)
        assert made == {"tags": [{"name": "a"}, {"name": "b"}]} and names() == {"a", "b"}
        admin.post(place, {"tags": [{"name": "c"}]}, x_openstack_append="True").ok(201)
        assert names() == {"a", "b", "c"}
        admin.post(place, {"tags": [{"name": "c"}]}, x_openstack_append="True").refused(409)
        admin.delete(place).ok(204)
        assert names() == set()

    def test_they_are_listed_in_pages(self, admin: Client) -> None:
        namespace = make(admin, tags=[{"name": name} for name in "abc"])
        place = at(namespace, "tags")
        found = admin.get(f"{place}?sort_key=name&sort_dir=asc&limit=1&marker=a").ok(200)["tags"]
        assert found == [{"name": "b"}]
        admin.get(f"{place}?marker=z").refused(404)
        admin.get(f"{place}?limit=-1").refused(400)


class TestResourceTypes:
    def test_some_are_known_and_others_become_so(self, admin: Client, reader: Client) -> None:
        namespace, kind = make(admin), f"OS::Kind::{clock.new_hex_id()}"
        made = admin.post(at(namespace, "resource_types"), {"name": kind, "prefix": "k:"}).ok(201)
        assert made["prefix"] == "k:" and "properties_target" not in made
        known = [row["name"] for row in reader.get(f"{M}/resource_types").ok(200)["resource_types"]]
        assert {"OS::Glance::Image", "OS::Nova::Server", kind} <= set(known)

    def test_they_are_associated_once_and_dissociated(self, admin: Client) -> None:
        namespace, body = make(admin), {"name": "OS::Nova::Server"}
        place = at(namespace, "resource_types")
        admin.post(place, body).ok(201)
        admin.post(place, body).refused(409, "already")
        assert [row["name"] for row in admin.get(place).ok(200)["resource_type_associations"]] == ["OS::Nova::Server"]
        admin.delete(f"{place}/OS::Nova::Server").ok(204)
        admin.delete(f"{place}/OS::Nova::Server").refused(404, "not associated")
        assert admin.get(place).ok(200) == {"resource_type_associations": []}


READS = ["", "/objects", "/objects/CPU", "/properties", "/properties/speed", "/tags", "/tags/tag-a", "/resource_types"]
WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "", {"namespace": "x"}),
    ("DELETE", "", None),
    ("POST", "/objects", {"name": "x"}),
    ("PUT", "/objects/CPU", {"name": "x"}),
    ("DELETE", "/objects/CPU", None),
    ("DELETE", "/objects", None),
    ("POST", "/properties", {"name": "x", "title": "x", "type": "string"}),
    ("PUT", "/properties/speed", {"name": "x", "title": "x", "type": "string"}),
    ("DELETE", "/properties/speed", None),
    ("DELETE", "/properties", None),
    ("POST", "/tags", {"tags": []}),
    ("POST", "/tags/x", None),
    ("PUT", "/tags/tag-a", {"name": "x"}),
    ("DELETE", "/tags/tag-a", None),
    ("DELETE", "/tags", None),
    ("POST", "/resource_types", {"name": "x"}),
    ("DELETE", "/resource_types/OS::Nova::Flavor", None),
]


class TestWhoMay:
    """Who sees a namespace reads all of it; administrators write; who does not see it is told that it is not there."""

    @pytest.fixture
    def cast(self, world: World) -> dict[str, Any]:
        admin = world.client("admin", "member", "reader")
        owner = world.client("member", "reader")
        callers = {
            "owner": owner,
            "owners reader": world.client("reader", project_id=owner.project_id),
            "stranger": world.client("member", "reader"),
            "no role": world.client("service"),
        }
        spaces = {name: make(admin, visibility=name, owner=owner.project_id, **FULL) for name in ("public", "private")}
        return {"callers": callers, "spaces": spaces, "admin": admin}

    @pytest.mark.parametrize("caller", ["owner", "owners reader", "stranger", "no role"])
    @pytest.mark.parametrize("visibility", ["public", "private"])
    def test_each_role_on_each_route(self, cast: dict[str, Any], caller: str, visibility: str) -> None:
        client, space = cast["callers"][caller], cast["spaces"][visibility]
        seen = visibility == "public" or caller.startswith("owner")
        wrong = []

        def expect(status: int, answer: Answer) -> None:
            if answer.status != status:
                wrong.append(f"{answer.request}: {answer.status} instead of {status}")

        for path in READS:
            expect(404 if not seen else 403 if caller == "no role" else 200, client.get(at(space) + path))
        for method, path, body in WRITES:
            expect(403 if seen else 404, client.request(method, at(space) + path, body))
        assert not wrong, "\n".join(wrong)

    def test_lists_have_what_is_seen(self, cast: dict[str, Any]) -> None:
        both = {space["namespace"] for space in cast["spaces"].values()}

        def listed(client: Client) -> set[str]:
            rows = client.get(f"{M}/namespaces?limit=1000").ok(200)["namespaces"]
            return {row["namespace"] for row in rows} & both

        callers = cast["callers"]
        assert listed(callers["owner"]) == listed(callers["owners reader"]) == listed(cast["admin"]) == both
        assert listed(callers["stranger"]) == {cast["spaces"]["public"]["namespace"]}
        callers["no role"].get(f"{M}/namespaces").refused(403)
        callers["no role"].get(f"{M}/resource_types").refused(403)

    def test_only_administrators_create(self, cast: dict[str, Any]) -> None:
        for client in cast["callers"].values():
            client.post(f"{M}/namespaces", {"namespace": "x"}).refused(403, "add_metadef_namespace")


def test_the_rules_of_parts_hold_within_a_new_namespace(tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    rules.write_text('add_metadef_tag: "!"')
    world = World(tmp_path / "cloud", policy_file=str(rules))
    admin = world.client("admin", "member", "reader")
    name = f"ns-{clock.new_hex_id()}"
    admin.post(f"{M}/namespaces", {"namespace": name, "tags": [{"name": "a"}]}).refused(403, "add_metadef_tag")
    admin.post(f"{M}/namespaces", {"namespace": name}).ok(201)
    world.stop()


SCHEMAS = {
    "namespace": "namespace", "namespaces": "namespaces", "object": "object", "objects": "objects", "property": "property",
    "properties": "properties", "tag": "tag", "tags": "tags", "resource_type": "resource_type_association",
    "resource_types": "resource_type_associations",
}  # fmt: skip


@pytest.mark.parametrize(("path", "name"), SCHEMAS.items())
def test_schemas_are_shown(reader: Client, path: str, name: str) -> None:
    schema = reader.get(f"/image/v2/schemas/metadefs/{path}").ok(200)
    assert schema["name"] == name and schema["properties"]


def test_what_is_shown_fits_its_schema(admin: Client) -> None:
    made = make(admin, **FULL)
    schema = admin.get("/image/v2/schemas/metadefs/namespace").ok(200)
    assert set(made) <= set(schema["properties"]) and schema["required"] == ["namespace"]
    one = admin.get(at(made, "objects", "CPU")).ok(200)
    assert set(one) <= set(admin.get("/image/v2/schemas/metadefs/object").ok(200)["properties"])
