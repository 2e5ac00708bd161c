"""A guest's screen and serial line: who gets a token for them, and what that opens."""

import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pileus.compute import consoles
from pileus.compute.store import ConsoleToken
from pileus.core import clock
from tests.harness import Client, World
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers

CONSOLE = "/compute/console"


def console(client: Client, server_id: str, type: str = "novnc", protocol: str = "vnc") -> Any:
    body = {"remote_console": {"protocol": protocol, "type": type}}
    return client.at("2.6").post(f"{SERVERS}/{server_id}/remote-consoles", body).ok(200)["remote_console"]


def token_of(url: str) -> str:
    query = parse_qs(urlsplit(url).query)
    return query["token"][0] if "token" in query else parse_qs(query["path"][0].partition("?")[2])["token"][0]


def greeting(client: Client, token: str) -> bytes:
    channel = client.request("WEBSOCKET", f"{CONSOLE}?token={token}")
    channel.ok(101)
    assert channel.channel is not None
    with channel.channel as opened:
        return opened.recv(4096)


@pytest.mark.parametrize(
    ("type", "protocol", "action", "words"),
    [("novnc", "vnc", "os-getVNCConsole", b"RFB 003."), ("serial", "serial", "os-getSerialConsole", b"login:")],
)
def test_whoever_has_the_token_is_joined_to_the_guest(
    servers: Servers, member: Client, anonymous: Client, type: str, protocol: str, action: str, words: bytes
) -> None:
    server_id = servers.active()
    made = console(member, server_id, type, protocol)
    assert (made["type"], made["protocol"]) == (type, protocol)
    assert urlsplit(made["url"]).port == member.cloud.settings.port  # where the fakes live
    assert words in greeting(anonymous, token_of(made["url"]))
    older = servers.do(server_id, action, {"type": type}).ok(200)["console"]
    assert older["type"] == type and token_of(older["url"]) != token_of(made["url"])
    assert words in greeting(anonymous, token_of(older["url"]))
    member.at("2.6").post(f"{SERVERS}/{server_id}/action", {action: {"type": type}}).refused(400)


def test_what_is_typed_reaches_the_guest(servers: Servers, member: Client, anonymous: Client) -> None:
    token = token_of(console(member, servers.active(), "serial", "serial")["url"])
    opened = anonymous.request("WEBSOCKET", f"{CONSOLE}?token={token}").channel
    assert opened is not None
    with opened:
        opened.recv(4096)
        opened.sendall(b"hello")
        assert opened.recv(5, socket.MSG_WAITALL) == b"hello"


def test_a_token_is_kept_as_its_hash_and_opens_one_server_for_a_while(
    servers: Servers, member: Client, anonymous: Client, world: World
) -> None:
    server_id = servers.active()
    token = token_of(console(member, server_id)["url"])
    with world.cloud.db.write() as tx:
        (row,) = tx.select(ConsoleToken, server_id=server_id)
        assert token not in str(row) and row.type == "novnc"
        tx.update(ConsoleToken, row.id, expires_at=clock.after(-1))
    for wrong in (token, "", "x" * 9000, "%00"):
        anonymous.request("WEBSOCKET", f"{CONSOLE}?token={wrong}").refused(404)
    anonymous.request("WEBSOCKET", CONSOLE).refused(404)
    with world.cloud.db.write() as tx:
        assert consoles.forget_expired(tx) >= 1
        assert not tx.select(ConsoleToken, server_id=server_id)


def test_an_end_of_the_server_ends_its_tokens(servers: Servers, member: Client, anonymous: Client) -> None:
    server_id = servers.active()
    token = token_of(console(member, server_id)["url"])
    servers.do(server_id, "os-stop").ok(202)
    servers.reaches("SHUTOFF", server_id)
    assert anonymous.request("WEBSOCKET", f"{CONSOLE}?token={token}").status == 503
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    member.at("2.6").post(f"{SERVERS}/{server_id}/remote-consoles", body).refused(409, "not ready")
    member.delete(f"{SERVERS}/{server_id}").ok(204)
    servers.gone(server_id)
    anonymous.request("WEBSOCKET", f"{CONSOLE}?token={token}").refused(404)


def test_an_administrator_sees_where_a_token_leads(servers: Servers, member: Client, admin: Client) -> None:
    server_id = servers.active()
    path = f"{COMPUTE}/os-console-auth-tokens/{token_of(console(member, server_id)['url'])}"
    assert admin.at("2.31").get(path).ok()["console"]["instance_uuid"] == server_id
    admin.at("2.98").get(f"{path}?a=b").ok()
    admin.at("2.99").get(f"{path}?a=b").refused(400)
    admin.at("2.31").get(f"{COMPUTE}/os-console-auth-tokens/nothing").refused(404)
    admin.at("2.30").get(path).refused(404)
    member.at("2.31").get(path).refused(403)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"protocol": "vnc", "type": "serial"}, "type"),
        ({"protocol": "vnc", "type": "xvpvnc"}, "Unavailable"),
        ({"protocol": "spice", "type": "spice-html5"}, "Unavailable"),
        ({"protocol": "radio", "type": "novnc"}, "protocol"),
        ({"protocol": "vnc"}, "type"),
        ({"protocol": "vnc", "type": "novnc", "colour": "red"}, "colour"),
    ],
)
def test_a_console_that_is_none_is_refused(servers: Servers, member: Client, given: Any, words: str) -> None:
    path = f"{SERVERS}/{servers.active()}/remote-consoles"
    member.at("2.6").post(path, {"remote_console": given}).refused(400, words)


def test_others_get_no_token(servers: Servers, reader: Client, stranger: Client, world: World) -> None:
    server_id = servers.active()
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    path = f"{SERVERS}/{server_id}/remote-consoles"
    stranger.at("2.6").post(path, body).refused(404)
    world.client("reader", project_id=servers.client.project_id).at("2.6").post(path, body).refused(403)


def test_the_page_is_shown_or_says_what_is_missing(anonymous: Client) -> None:
    assert b"noVNC" in anonymous.get("/compute/novnc/vnc_lite.html").ok(200)
    for name in (
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "none.js",
        "core/\0.js",
        "a" * 300 + ".js",
    ):
        assert anonymous.get(f"/compute/novnc/{name}").status in (400, 404)
