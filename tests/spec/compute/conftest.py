"""What servers are made of, ready for each test."""

from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Client, World, eventually

COMPUTE = "/compute/v2.1"
SERVERS = f"{COMPUTE}/servers"


class Servers:
    """Makes servers for a caller and waits for what becomes of them."""

    def __init__(self, client: Client, image_id: str, flavor_id: str):
        self.client = client
        self.image_id = image_id
        self.flavor_id = flavor_id

    def body(self, **members: Any) -> dict[str, Any]:
        wanted = {"name": "web", "imageRef": self.image_id, "flavorRef": self.flavor_id, **members}
        return {"server": {name: value for name, value in wanted.items() if value is not ...}}

    def create(self, client: Client | None = None, **members: Any) -> str:
        server_id: str = (client or self.client).post(SERVERS, self.body(**members)).ok(202)["server"]["id"]
        return server_id

    def active(self, client: Client | None = None, **members: Any) -> str:
        server_id = self.create(client, **members)
        self.reaches("ACTIVE", server_id)
        return server_id

    def show(self, server_id: str, version: str = "2.1") -> Any:
        return self.client.at(version).get(f"{SERVERS}/{server_id}").ok()["server"]

    def reaches(self, status: str, server_id: str) -> Any:
        def look() -> Any:
            server = self.show(server_id)
            assert status == "ERROR" or server["status"] != "ERROR", server
            return server if server["status"] == status and server["OS-EXT-STS:task_state"] is None else None

        return eventually(look)

    def do(self, server_id: str, action: str, arguments: Any = None) -> Any:
        return self.client.post(f"{SERVERS}/{server_id}/action", {action: arguments})

    def gone(self, server_id: str) -> None:
        eventually(lambda: self.client.get(f"{SERVERS}/{server_id}").status == 404)


@pytest.fixture(scope="session")
def flavor_id(world: World) -> str:
    return make_flavor(world.client("admin", "member", "reader"))


@pytest.fixture(scope="session")
def image_id(world: World) -> str:
    return make_image(world.client("admin", "member", "reader"), visibility="public")


def make_flavor(client: Client, **members: Any) -> str:
    body = {"flavor": {"name": f"small-{clock.new_id()}", "ram": 64, "vcpus": 1, "disk": 1, **members}}
    found: str = client.post(f"{COMPUTE}/flavors", body).ok(200)["flavor"]["id"]
    return found


def make_image(client: Client, size: int = 4096, **members: Any) -> str:
    wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare", **members}
    image_id: str = client.post("/image/v2/images", wanted).ok(201)["id"]
    put = client.request(
        "PUT", f"/image/v2/images/{image_id}/file", b"\0" * size, {"content-type": "application/octet-stream"}
    )
    put.ok(204)
    return image_id


def make_network(client: Client, name: str = "inside", cidr: str = "10.1.0.0/24") -> str:
    network_id: str = client.post("/network/v2.0/networks", {"network": {"name": name}}).ok(201)["network"]["id"]
    subnet = {"network_id": network_id, "cidr": cidr, "ip_version": 4}
    client.post("/network/v2.0/subnets", {"subnet": subnet}).ok(201)
    return network_id


@pytest.fixture
def servers(member: Client, image_id: str, flavor_id: str) -> Servers:
    return Servers(member, image_id, flavor_id)


@pytest.fixture
def network_id(member: Client) -> str:
    return make_network(member)
