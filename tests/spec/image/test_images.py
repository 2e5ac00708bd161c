"""Images without their bytes: created, shown, changed, tagged, deleted."""

import uuid

import pytest

from tests.harness import Client
from tests.spec.image.images import IMAGES, active, bare, change, create, show


def test_an_image_is_created_queued_and_shared_with_nobody(member: Client) -> None:
    answer = member.post(IMAGES, {"name": "mine", "colour": "blue", "tags": ["a", "b", "a"]})
    made = answer.ok(201)
    assert answer.headers["location"].endswith(f"/image/v2/images/{made['id']}")
    assert made["status"] == "queued" and made["visibility"] == "shared" and made["owner"] == member.project_id
    assert made["colour"] == "blue" and made["tags"] == ["a", "b"]
    assert made["size"] is None and made["checksum"] is None and made["protected"] is False
    assert made["self"] == f"/v2/images/{made['id']}" and made["file"] == f"/v2/images/{made['id']}/file"
    assert made["schema"] == "/v2/schemas/image"
    assert show(member, made) == made


def test_an_image_may_bring_its_own_id_once(member: Client) -> None:
    own = str(uuid.uuid4())
    assert create(member, id=own)["id"] == own
    member.post(IMAGES, {"id": own}).refused(409, "already exists")
    member.post(IMAGES, {"id": "mine"}).refused(400, "id")


def test_an_image_needs_nothing_at_all(member: Client) -> None:
    assert member.post(IMAGES, {}).ok(201)["name"] is None


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("disk_format", "floppy"),
        ("container_format", "box"),
        ("min_disk", -1),
        ("min_ram", "much"),
        ("visibility", "secret"),
        ("protected", "yes"),
        ("name", "x" * 256),
        ("name", 7),
        ("tags", "one"),
        ("tags", ["x" * 256]),
        ("colour", 7),
        ("colour", None),
        ("x" * 256, "v"),
    ],
)
def test_a_wrong_attribute_is_refused_by_its_name(member: Client, attribute: str, value: object) -> None:
    member.post(IMAGES, {attribute: value}).refused(400, attribute.removesuffix("s") if len(attribute) < 200 else "")


@pytest.mark.parametrize(
    "name", ["status", "size", "checksum", "created_at", "self", "file", "stores", "os_hash_value"]
)
def test_what_the_service_sets_nobody_else_does(member: Client, name: str) -> None:
    member.post(IMAGES, {name: "x"}).refused(403, "read-only")
    change(member, create(member), {"op": "replace", "path": f"/{name}", "value": "x"}).refused(403, "read-only")


@pytest.mark.parametrize("name", ["os_glance_foo", "deleted", "location"])
def test_reserved_names_are_refused(member: Client, name: str) -> None:
    member.post(IMAGES, {name: "x"}).refused(403, "reserved")
    change(member, create(member), {"op": "add", "path": f"/{name}", "value": "x"}).refused(403, "reserved")


def test_where_bytes_are_cannot_be_said(member: Client) -> None:
    member.post(IMAGES, {"locations": []}).refused(403)
    change(member, create(member), {"op": "add", "path": "/locations/-", "value": {}}).refused(403, "locations")


def test_attributes_and_properties_are_changed_by_a_patch(member: Client) -> None:
    image = create(member, colour="blue")
    changed = change(
        member, image,
        {"op": "replace", "path": "/name", "value": "other"},
        {"op": "replace", "path": "/min_ram", "value": 64},
        {"op": "add", "path": "/a~1b~0c", "value": "new"},
        {"op": "remove", "path": "/colour"},
    ).ok(200)  # fmt: skip
    assert changed["name"] == "other" and changed["min_ram"] == 64 and changed["a/b~c"] == "new"
    assert "colour" not in changed
    assert show(member, image) == changed


def test_the_older_patch_form_works_too(member: Client) -> None:
    image = create(member)
    media = {"content-type": "application/openstack-images-v2.0-json-patch"}
    answer = member.request("PATCH", f"{IMAGES}/{image['id']}", [{"replace": "/name", "value": "other"}], media)
    assert answer.ok(200)["name"] == "other"


def test_a_patch_is_all_or_nothing(member: Client) -> None:
    image = create(member)
    change(
        member, image, {"op": "replace", "path": "/name", "value": "x"}, {"op": "remove", "path": "/nothing"}
    ).refused(409, "nothing")  # fmt: skip
    assert show(member, image)["name"] == "mine"


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/nothing", "value": "x"}, 409),
        ({"op": "remove", "path": "/nothing"}, 409),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "replace", "path": "/name"}, 400),
        ({"op": "replace", "path": "name", "value": "x"}, 400),
        ({"op": "replace", "path": "/a/b", "value": "x"}, 400),
        ({"op": "replace", "path": "/", "value": "x"}, 400),
        ({"op": "replace", "path": "/a~2", "value": "x"}, 400),
        ({"op": "replace", "path": 7, "value": "x"}, 400),
        ({"op": "move", "path": "/name", "value": "x"}, 400),
        ({"op": "replace", "path": "/min_disk", "value": "x"}, 400),
        ({"op": "replace", "path": "/tags", "value": None}, 400),
        ({}, 400),
    ],
)
def test_a_wrong_patch_is_refused(member: Client, operation: dict[str, object], status: int) -> None:
    change(member, create(member), operation).refused(status)


def test_a_patch_of_another_kind_is_refused(member: Client) -> None:
    path = f"{IMAGES}/{create(member)['id']}"
    member.request("PATCH", path, []).refused(415, "media type")
    member.request("PATCH", path, {"name": "x"}, {"content-type": "application/json-patch+json"}).refused(400, "array")
    member.request("PATCH", path, b"[", {"content-type": "application/json-patch+json"}).refused(400, "JSON")
    member.request("PATCH", path, [7], {"content-type": "application/json-patch+json"}).refused(400, "objects")


def test_formats_of_an_active_image_stay(member: Client) -> None:
    image = active(member)
    change(member, image, {"op": "replace", "path": "/disk_format", "value": "iso"}).refused(403, "queued")
    change(member, image, {"op": "replace", "path": "/disk_format", "value": "raw"}).ok(200)
    change(member, bare(member), {"op": "replace", "path": "/disk_format", "value": "iso"}).ok(200)


def test_tags_come_and_go(member: Client) -> None:
    image = create(member)
    member.put(f"{IMAGES}/{image['id']}/tags/one").ok(204)
    member.put(f"{IMAGES}/{image['id']}/tags/one").ok(204)
    assert show(member, image)["tags"] == ["one"]
    member.put(f"{IMAGES}/{image['id']}/tags/{'x' * 256}").refused(400)
    member.delete(f"{IMAGES}/{image['id']}/tags/one").ok(204)
    member.delete(f"{IMAGES}/{image['id']}/tags/one").refused(404)


def test_there_is_an_end_to_tags_and_properties(member: Client) -> None:
    member.post(IMAGES, {"tags": [f"t{n}" for n in range(129)]}).refused(413, "tags")
    member.post(IMAGES, {f"p{n}": "x" for n in range(129)}).refused(413, "properties")


def test_a_deleted_image_is_gone(member: Client) -> None:
    image = create(member)
    member.delete(f"{IMAGES}/{image['id']}").ok(204)
    member.get(f"{IMAGES}/{image['id']}").refused(404, image["id"])
    member.delete(f"{IMAGES}/{image['id']}").refused(404)


def test_a_protected_image_is_not_deleted(member: Client) -> None:
    image = create(member, protected=True)
    member.delete(f"{IMAGES}/{image['id']}").refused(403, "protected")
    change(member, image, {"op": "replace", "path": "/protected", "value": False}).ok(200)
    member.delete(f"{IMAGES}/{image['id']}").ok(204)


def test_an_image_is_deactivated_and_reactivated(member: Client, admin: Client) -> None:
    queued, image = create(member), active(member)
    member.post(f"{IMAGES}/{queued['id']}/actions/deactivate").refused(403, "queued")
    for _ in range(2):
        member.post(f"{IMAGES}/{image['id']}/actions/deactivate").ok(204)
    assert show(member, image)["status"] == "deactivated"
    member.get(f"{IMAGES}/{image['id']}/file").refused(403, "deactivated")
    assert admin.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"
    for _ in range(2):
        member.post(f"{IMAGES}/{image['id']}/actions/reactivate").ok(204)
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"


def test_an_image_without_a_name_in_its_path_is_not_found(member: Client) -> None:
    member.get(f"{IMAGES}/").refused(404)
    member.delete(f"{IMAGES}/").refused(404)


def test_refusals_are_html_pages(member: Client) -> None:
    answer = member.get(f"{IMAGES}/<none>")
    assert answer.headers["content-type"].startswith("text/html")
    answer.refused(404, "<h1>404 Not Found</h1>")
    answer.refused(404, "&lt;none&gt;")
