"""Files that a server's guest finds when it starts (`personality`, until version 2.56)."""

import base64

import pytest

from tests.harness import Client, World
from tests.spec.compute.conftest import SERVERS, Servers

MOTD = {"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}


def told(world: World, server_id: str) -> dict[str, bytes]:
    """What the guest's host says it shall have."""
    nodes = world.cloud.drivers["compute"].fakes.values()
    (found,) = (n.instances[server_id].spec.documents.files for n in nodes if server_id in n.instances)
    return dict(found)


def test_files_come_to_the_guest_and_others_with_a_rebuild(world: World, member: Client, servers: Servers) -> None:
    server_id = servers.active(personality=[MOTD, {"path": "/root/empty", "contents": ""}])
    assert told(world, server_id) == {"/etc/motd": b"hello", "/root/empty": b""}
    rebuild = {"imageRef": servers.image_id, "personality": [{**MOTD, "path": "/etc/issue"}]}
    member.post(f"{SERVERS}/{server_id}/action", {"rebuild": rebuild}).ok(202)
    servers.reaches("ACTIVE", server_id)
    assert told(world, server_id) == {"/etc/issue": b"hello"}


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([MOTD] * 6, 403, "injected_files"),
        ([{**MOTD, "contents": base64.b64encode(bytes(9000)).decode()}], 403, "injected_file_content_bytes"),
        ([{**MOTD, "path": "/" + "x" * 255}], 403, "injected_file_path_bytes"),
        ([{**MOTD, "contents": "no base64"}], 400, "base64"),
        ([{"path": "/etc/motd"}], 400, "contents"),
        ([{"contents": "aGk="}], 400, "path"),
        ([{**MOTD, "owner": "root"}], 400, "owner"),
        (["/etc/motd"], 400, "personality"),
    ],
)
def test_files_have_limits(member: Client, servers: Servers, files: list[object], status: int, words: str) -> None:
    member.post(SERVERS, servers.body(personality=files)).refused(status, words)


def test_newer_versions_know_no_files(member: Client, servers: Servers) -> None:
    body = servers.body(personality=[MOTD], networks="none")
    member.at("2.57").post(SERVERS, body).refused(400, "personality")
