"""What specifications of the network are made of: networks with all that hangs on them, and the engine's rows for it."""

from typing import Any

from pileus.network import reconcile
from pileus.network.drivers.desired import Row
from pileus.network.drivers.fake import FakeDriver
from tests.harness import Client, World

V2 = "/network/v2.0"
Made = dict[str, Any]


def make(client: Client, path: str, **members: Any) -> Made:
    """POST to a collection: `make(member, "qos/policies", name="q")`."""
    word = path.rpartition("/")[2].replace("-", "_").removesuffix("s").replace("policie", "policy")
    found: Made = client.post(f"{V2}/{path}", {word: members}).ok(201)[word]
    return found


def network(client: Client, **attributes: Any) -> Made:
    return make(client, "networks", **attributes)


def subnet(client: Client, network_id: str, cidr: str = "10.0.0.0/24", **attributes: Any) -> Made:
    return make(client, "subnets", network_id=network_id, cidr=cidr, **attributes)


def port(client: Client, network_id: str, **attributes: Any) -> Made:
    return make(client, "ports", network_id=network_id, **attributes)


def public(admin: Client, cidr: str = "172.24.4.0/24") -> Made:
    made = network(admin, name="public", **{"router:external": True})
    subnet(admin, made["id"], cidr, enable_dhcp=False)
    return made


class Site:
    """A project's network with a router that leads out."""

    def __init__(self, client: Client, admin: Client, outside: Made | None = None, cidr: str = "10.0.0.0/24"):
        self.client = client
        self.outside = outside or public(admin)
        self.network = network(client, name="inside")
        self.subnet = subnet(client, self.network["id"], cidr)
        gateway = {"network_id": self.outside["id"]}
        self.router = make(client, "routers", external_gateway_info=gateway)
        self.path = f"{V2}/routers/{self.router['id']}"
        client.put(f"{self.path}/add_router_interface", {"subnet_id": self.subnet["id"]}).ok(200)

    def port(self, **attributes: Any) -> Made:
        return port(self.client, self.network["id"], **attributes)

    def floating_ip(self, **attributes: Any) -> Made:
        return make(self.client, "floatingips", floating_network_id=self.outside["id"], **attributes)


def engine_rows(world: World, kind: str, id: str, table: str = "") -> list[Row]:
    """What the engine holds for one thing, once it has been told of all changes."""
    reconcile.apply_changes(world.cloud)
    driver: FakeDriver = world.cloud.drivers["network"]
    return [row for row in driver.rows.get((kind, id), {}).values() if table in ("", row.table)]
