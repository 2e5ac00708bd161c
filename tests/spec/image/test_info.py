"""Discovery, schemas and what the service says of itself."""

import pytest

from tests.harness import Client
from tests.spec.image.images import active


def test_versions_are_found_without_a_token(anonymous: Client) -> None:
    for path, status in (("/image", 300), ("/image/", 300), ("/image/versions", 200)):
        answer = anonymous.get(path)
        assert answer.status == status
        versions = answer.json["versions"]
        assert versions[0]["status"] == "CURRENT" and versions[-1]["id"] == "v2.0"
        assert versions[0]["links"] == [{"rel": "self", "href": "http://cloud.test:5000/image/v2/"}]


@pytest.mark.parametrize("name", ["image", "images", "member", "members"])
def test_schemas_are_shown(reader: Client, name: str) -> None:
    schema = reader.get(f"/image/v2/schemas/{name}").ok(200)
    assert schema["name"] == name and "schema" in schema["properties"]


def test_the_schema_of_an_image_fits_an_image(member: Client) -> None:
    schema = member.get("/image/v2/schemas/image").ok(200)
    image = active(member, colour="blue")
    assert set(image) - {"colour"} == set(schema["properties"]) - {"direct_url"}
    kinds = {str: "string", int: "integer", bool: "boolean", list: "array", type(None): "null"}
    for name, value in image.items():
        declared = schema["properties"].get(name, schema["additionalProperties"])
        assert kinds[type(value)] in declared["type"], name
        assert value in declared.get("enum", [value]), name


def test_stores_and_ways_to_import_are_told(reader: Client, admin: Client) -> None:
    stores = reader.get("/image/v2/info/stores").ok(200)["stores"]
    assert [store["default"] for store in stores] == ["true"]
    assert reader.get("/image/v2/info/import").ok(200)["import-methods"]["type"] == "array"
    reader.get("/image/v2/info/stores/detail").refused(403)
    assert admin.get("/image/v2/info/stores/detail").ok(200)["stores"][0]["type"] == "file"


def test_usage_is_told_against_no_limit(member: Client) -> None:
    usage = member.get("/image/v2/info/usage").ok(200)["usage"]
    assert usage["image_count_total"] == {"limit": -1, "usage": 0}
