"""Discovery: which versions of the compute API there are."""

from tests.harness import Client


def test_both_versions_are_listed_and_served(anonymous: Client, member: Client) -> None:
    listed = anonymous.get("/compute/").ok(200)["versions"]
    assert [(entry["id"], entry["status"]) for entry in listed] == [("v2.0", "SUPPORTED"), ("v2.1", "CURRENT")]
    assert anonymous.get("/compute/v2/").ok(200)["version"]["id"] == "v2.0"
    assert anonymous.get("/compute/v2.1/").ok(200)["version"]["version"] == listed[1]["version"]
    assert member.get("/compute/v2/servers").ok(200) == {"servers": []}
