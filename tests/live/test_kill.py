"""Kill -9 of the controller and of nodes in the middle of creates and deletes: everything finishes or is undone."""

import os
import random
import signal
import time
from typing import Any

import pytest

from tests.live.cloud import Api, LiveCloud, eventually, guest_image

pytestmark = pytest.mark.live
ROUNDS = 5


def _kill(cloud: LiveCloud, which: str) -> None:
    """Kill -9; one that the supervisor has not started again since the last time is waited for."""

    def kill() -> bool:
        try:
            os.kill(int((cloud.state / which).read_text()), signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError):
            return False
        return True

    eventually(kill)


def _servers(api: Api) -> list[dict[str, Any]]:
    status, body = api.call("GET", "compute", "/servers/detail")
    assert status == 200, body
    found: list[dict[str, Any]] = body["servers"]
    return found


def test_nothing_is_stuck_or_orphaned_after_kills(live_cloud: LiveCloud) -> None:
    admin = live_cloud.client()
    if not any(image["Name"] == "kill" for image in admin("image list")):
        path = str(guest_image())
        admin("image create --public --disk-format qcow2 --container-format bare --file", path, "kill")
    if not any(flavor["Name"] == "kill.nano" for flavor in admin("flavor list")):
        admin("flavor create --ram 128 --disk 1 --vcpus 1 kill.nano")
    network = admin("network create kill-net")["id"]
    admin("subnet create --network kill-net --subnet-range 10.66.0.0/24 kill-v4")
    image, flavor = admin("image show kill")["id"], admin("flavor show kill.nano")["id"]
    api = Api(live_cloud.environment())
    dice = random.Random(1)
    victims = ["run/serve.pid", "hosts/node-1/run/node.pid", "hosts/node-2/run/node.pid"]

    for number in range(ROUNDS):
        for name in ("a", "b", "c"):
            body = {
                "name": f"kill-{number}{name}",
                "imageRef": image,
                "flavorRef": flavor,
                "networks": [{"uuid": network}],
            }
            api.call("POST", "compute", "/servers", {"server": body})
        time.sleep(dice.uniform(0, 1.5))
        _kill(live_cloud, victims[number % 3])
        eventually(lambda: all(server["status"] in ("ACTIVE", "ERROR") for server in _servers(api)), tries=240)
        for server in _servers(api):
            api.call("DELETE", "compute", f"/servers/{server['id']}")
        time.sleep(dice.uniform(0, 1.0))
        _kill(live_cloud, victims[(number + 1) % 3])
        eventually(lambda: _servers(api) == [], tries=240)

    admin("network delete kill-net")
    live_cloud.pileus("fsck")
