"""A real guest's screen and serial line, through the controller's websocket."""

import pytest
from websockets.sync.client import connect

from tests.live.cloud import Api, LiveCloud, eventually
from tests.spec.compute.test_consoles import token_of

pytestmark = pytest.mark.live


def test_a_guests_screen_and_serial_line_pass_through_the_websocket(live_cloud: LiveCloud) -> None:
    admin = live_cloud.client()
    admin("server create --image cirros --flavor m1.nano --nic none --os-compute-api-version 2.37 look")
    server_id = eventually(lambda: _active(admin("server show look")))
    api = Api(live_cloud.environment())
    address = f"ws://127.0.0.1:{live_cloud.port + 1}/compute/console?token="

    def token(action: str, type: str) -> str:
        status, body = api.call("POST", "compute", f"/servers/{server_id}/action", {action: {"type": type}})
        assert status == 200, body
        return token_of(body["console"]["url"])

    with connect(address + token("os-getVNCConsole", "novnc"), subprotocols=["binary"]) as screen:  # type: ignore[list-item]
        assert screen.recv(timeout=20) == b"RFB 003.008\n"
        screen.send(b"RFB 003.008\n")
        assert screen.recv(timeout=20) == b"\x01\x01"  # one kind of security: none, as the token is
    with connect(address + token("os-getSerialConsole", "serial")) as line:
        line.send(b"\n")  # a guest that has booted says it again, another one has yet to say it
        seen = b""
        while b"login:" not in seen:  # whoever reads slowly does not hear the answers to its pings either
            piece = line.recv(timeout=60)
            assert isinstance(piece, bytes)
            seen = seen[-10:] + piece
    with pytest.raises(Exception, match="403"):
        connect(address + "wrong")
    admin("server delete --wait look")


def _active(shown: dict[str, str]) -> str | None:
    return shown["id"] if shown["status"] == "ACTIVE" else None
