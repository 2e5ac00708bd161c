"""Kill -9 of the controller and of nodes in the middle of what is done to servers: everything finishes or is undone."""

import os
import random
import signal
import time
from functools import partial
from typing import Any

import pytest

from tests.live.cloud import Api, LiveCloud, eventually, guest_image

pytestmark = pytest.mark.live
ROUNDS = 3  # in which each victim dies once while servers are made, and once while they are deleted
VICTIMS = ["run/serve.pid", "hosts/node-1/run/node.pid", "hosts/node-2/run/node.pid"]


def _kill(cloud: LiveCloud, which: str) -> None:
    """Kill -9; one that the supervisor has not started again since the last time is waited for."""

    def kill() -> bool:
        try:
            os.kill(int((cloud.state / which).read_text()), signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError):
            return False
        return True

    eventually(kill)


class Servers:
    """What all of the test works on: an image, flavors, a network, and a client that calls again what was not answered."""

    def __init__(self, cloud: LiveCloud):
        self.cloud = cloud
        self.admin = admin = cloud.client()
        if not any(image["Name"] == "kill" for image in admin("image list")):
            path = str(guest_image())
            admin("image create --public --disk-format qcow2 --container-format bare --file", path, "kill")
        if not any(flavor["Name"] == "kill.nano" for flavor in admin("flavor list")):
            admin("flavor create --ram 128 --disk 1 --vcpus 1 kill.nano")
            admin("flavor create --ram 160 --disk 2 --vcpus 1 kill.more")
        self.network = admin("network create kill-net")["id"]
        admin("subnet create --network kill-net --subnet-range 10.66.0.0/24 kill-v4")
        self.image = admin("image show kill")["id"]
        self.flavor, self.larger = (admin(f"flavor show {name}")["id"] for name in ("kill.nano", "kill.more"))
        self.api = Api(cloud.environment())

    def create(self, name: str) -> None:
        body = {"name": name, "imageRef": self.image, "flavorRef": self.flavor, "networks": [{"uuid": self.network}]}
        self.api.call("POST", "compute", "/servers", {"server": body})

    def list(self) -> list[dict[str, Any]]:
        status, body = self.api.call("GET", "compute", "/servers/detail")
        assert status == 200, body
        found: list[dict[str, Any]] = body["servers"]
        return found

    def do(self, name: str, action: str, arguments: Any = None) -> Any:
        server = next(server for server in self.list() if server["name"] == name)
        return self.api.call("POST", "compute", f"/servers/{server['id']}/action", {action: arguments})[1]

    def at_rest(self) -> dict[str, str]:
        """Statuses by name, once nothing is going on."""

        def look() -> dict[str, str] | None:
            found = self.list()
            busy = any(server["OS-EXT-STS:task_state"] or server["status"] == "BUILD" for server in found)
            return None if busy else {server["name"]: server["status"] for server in found}

        statuses: dict[str, str] = eventually(look, tries=240)
        return statuses

    def delete_all(self) -> None:
        for server in self.list():
            self.api.call("DELETE", "compute", f"/servers/{server['id']}")

    def gone(self) -> None:
        eventually(lambda: self.list() == [], tries=240)

    def close(self) -> None:
        self.admin("network delete kill-net")
        self.cloud.pileus("fsck")


def _has_booted(servers: Servers, name: str) -> bool:
    return "login:" in servers.do(name, "os-getConsoleOutput", {})["output"]


def test_nothing_is_stuck_or_orphaned_after_kills(live_cloud: LiveCloud) -> None:
    servers, dice = Servers(live_cloud), random.Random(1)
    for number in range(ROUNDS):
        for name in ("a", "b", "c"):
            servers.create(f"kill-{number}{name}")
        time.sleep(dice.uniform(0, 1.5))
        _kill(live_cloud, VICTIMS[number % 3])
        assert set(servers.at_rest().values()) <= {"ACTIVE", "ERROR"}
        servers.delete_all()
        time.sleep(dice.uniform(0, 1.0))
        _kill(live_cloud, VICTIMS[(number + 1) % 3])
        servers.gone()
    servers.close()


def test_what_is_done_to_servers_survives_kills(live_cloud: LiveCloud) -> None:
    """Images, other sizes, rescues and shelves, there and back, of servers that are off; then live migrations."""
    servers, dice = Servers(live_cloud), random.Random(2)
    there = {
        "image": ("createImage", {"name": "kill-copy"}, {"SHUTOFF"}),
        "size": ("resize", {"flavorRef": servers.larger}, {"VERIFY_RESIZE", "SHUTOFF"}),
        "rescue": ("rescue", None, {"RESCUE", "ERROR"}),
        "shelve": ("shelve", None, {"SHELVED_OFFLOADED", "SHUTOFF"}),
    }
    back = {
        "image": ("createImage", {"name": "kill-again"}, {"SHUTOFF"}),
        "size": ("revertResize", None, {"SHUTOFF"}),
        "rescue": ("unrescue", None, {"ACTIVE", "ERROR"}),
        "shelve": ("unshelve", None, {"ACTIVE", "SHELVED_OFFLOADED", "SHUTOFF"}),
    }
    for name in there:
        servers.create(name)
    assert set(servers.at_rest().values()) == {"ACTIVE"}
    for name in there:
        eventually(partial(_has_booted, servers, name), tries=300)
        servers.do(name, "os-stop")
    assert set(servers.at_rest().values()) == {"SHUTOFF"}
    live = ("os-migrateLive", {"host": None, "block_migration": True, "disk_over_commit": False})
    on = {"rescue": (*live, {"ACTIVE", "ERROR"}), "shelve": (*live, {"ACTIVE", "SHELVED_OFFLOADED", "SHUTOFF"})}
    for way in (there, back, on):
        for name, (action, arguments, _) in way.items():
            servers.do(name, action, arguments)
        for victim in VICTIMS:
            time.sleep(dice.uniform(0, 0.7))
            _kill(live_cloud, victim)
        statuses = servers.at_rest()
        for name, (_, _, allowed) in way.items():
            assert statuses[name] in allowed, statuses
    live_cloud.pileus("fsck")
    _, body = servers.api.call("GET", "image", "/v2/images")
    for image in body["images"]:
        if image["name"].startswith("kill-"):
            assert image["status"] == "active", image
            servers.api.call("DELETE", "image", f"/v2/images/{image['id']}")
    servers.delete_all()
    servers.gone()
    servers.close()
