"""Who may use which route of the network, asked of every route by every role: `personas.txt` is made of it.

Each role on a project asks about what is the project's own, about what another project opened to it, and about what is
another's altogether. The request goes the whole way of a real one up to the route's handler, which is left out: nothing
changes, so that all can be asked in one cloud.

    python -m tests.spec.network.personas      writes the table anew; read what changed
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pileus.core.routes import PUBLIC, Route
from tests.harness import Client, World
from tests.spec.identity.personas import Gate
from tests.spec.network.things import V2, Made, Site, make, network, port, public, subnet

TABLE = Path(__file__).with_name("personas.txt")
ROLES = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
    "reader": ("reader",),
    "none": (),
}
PLACES = ["own", "opened", "other"]
SIGNS = {
    (True, True, True): "*", (True, True, False): "s", (True, False, False): "o", (False, False, False): ".",
    (False, True, False): "x",
}  # fmt: skip
OPENED = {
    "networks": "network", "security-groups": "security_group", "subnetpools": "subnetpool",
    "address-scopes": "address_scope", "address-groups": "address_group", "qos/policies": "qos_policy",
}  # fmt: skip
QUOTED = ("quotas", "auto-allocated-topology")


class Furniture:
    """Three projects: the personas' own, one that opens to it what can be opened, and another."""

    def __init__(self, world: World):
        self.gate = Gate(world.cloud)
        self.root = world.client(*ROLES["admin"])
        self.outside = public(self.root)
        vlans = {"network_type": "vlan", "physical_network": "p", "minimum": 1, "maximum": 2}
        ranges = make(self.root, "network-segment-ranges", **vlans)["id"]
        rule = make(self.root, "default-security-group-rules", direction="ingress", protocol="gre")["id"]
        log = make(self.root, "log/logs", resource_type="security_group", event="ACCEPT", enabled=False)["id"]
        self.common = {
            "log/logs": log,
            "default-security-group-rules": rule,
            "network-segment-ranges": ranges,
            "network_segment_ranges": ranges,
        }
        owners = {place: world.client(*ROLES["member"]) for place in PLACES}
        self.callers = {
            role: Client(self.gate, world.client(*given, project_id=owners["own"].project_id).token)
            for role, given in {**ROLES, "none": ("nothing",)}.items()
            if given[0] in world.roles or self._new_role(world, given[0])
        }
        self.things = {place: self._things(client) for place, client in owners.items()}
        for path, kind in OPENED.items():
            make(self.root, "rbac-policies", object_type=kind, object_id=self.things["opened"][path],
                 action="access_as_shared", target_tenant=owners["own"].project_id,
                 project_id=owners["opened"].project_id)  # fmt: skip

    @staticmethod
    def _new_role(world: World, name: str) -> bool:
        """A role that means nothing."""
        root = world.client(*ROLES["admin"])
        world.roles[name] = root.post("/v3/roles", {"role": {"name": name}}).ok(201)["role"]["id"]
        return True

    def _things(self, client: Client) -> dict[str, str]:
        """Of each collection one, by its path."""
        site = Site(client, self.root, self.outside)
        group = make(client, "security-groups", name="g")
        parent, member = port(client, site.network["id"]), port(client, network(client)["id"])
        theirs: Made = {"project_id": client.project_id}
        policy = make(self.root, "qos/policies", name="q", **theirs)
        rbac = {"object_type": "network", "object_id": network(client)["id"], "action": "access_as_shared"}
        made = {
            "networks": site.network["id"],
            "subnets": subnet(client, network(client)["id"], "10.8.0.0/24")["id"],
            "ports": member["id"],
            "routers": site.router["id"],
            "floatingips": make(client, "floatingips", floating_network_id=self.outside["id"])["id"],
            "security-groups": group["id"],
            "security-group-rules": make(client, "security-group-rules", security_group_id=group["id"],
                                         direction="ingress")["id"],
            "address-groups": make(client, "address-groups")["id"],
            "address-scopes": make(client, "address-scopes", name="s", ip_version=4)["id"],
            "subnetpools": make(client, "subnetpools", name="p", prefixes=["10.77.0.0/16"])["id"],
            "rbac-policies": make(client, "rbac-policies", **rbac, target_tenant="t")["id"],
            "qos/policies": policy["id"],
            "policies": policy["id"],
            "trunks": make(client, "trunks", port_id=parent["id"])["id"],
        }  # fmt: skip
        for kind, members in (("bandwidth_limit", {"max_kbps": 1}), ("dscp_marking", {"dscp_mark": 8})):
            rules = f"{V2}/qos/policies/{policy['id']}/{kind}_rules"
            made[kind] = self.root.post(rules, {f"{kind}_rule": members}).ok(201)[f"{kind}_rule"]["id"]
        return made | self.common | dict.fromkeys(QUOTED, client.project_id)

    def ask(self, role: str, route: Route, place: str) -> bool:
        """May this role use the route there? What a caller may not see is not there."""
        things = self.things[place]
        body = {"router": {}} if route.method in ("POST", "PUT") else None
        answer = self.callers[role].request(route.method, route.service.prefix + filled(route.path, things), body)
        assert answer.status in (200, 400, 403, 404), (
            f"{role} asked {route.name} and got {answer.status}: {answer.raw!r}"
        )
        return answer.status == 200

    def sign(self, role: str, route: Route) -> str:
        return SIGNS.get(tuple(self.ask(role, route, place) for place in PLACES), "?")


def filled(path: str, things: dict[str, str]) -> str:
    """The path with the ids of things of its collection."""
    kind = next((name for name in ("bandwidth_limit", "dscp_marking") if name in path.replace("-", "_")), "")
    collection = max((name for name in things if path.startswith(f"/{name}/")), key=len, default="")
    names = {"{id}": things.get(collection, "nobody"), "{project_id}": things["quotas"], "{tag}": "t", "{alias}": "router",
             "{policy_id}": things["qos/policies"], "{rule_id}": things.get(kind, "nobody"),
             "{kind}": "bandwidth_limit"}  # fmt: skip
    return "/".join(names.get(segment, "nobody" if segment.startswith("{") else segment) for segment in path.split("/"))


def routes(world: World) -> Iterator[Route]:
    for route in world.cloud.routes:
        if route.service.name == "network":
            yield route


def line(furniture: Furniture, route: Route) -> str:
    if route.policy is PUBLIC:
        return "open"
    return "".join(furniture.sign(role, route) for role in ROLES)


HEAD = """\
# Who may use which of the network's routes: a sign for each of admin, manager, member, reader and a role that means
# nothing, on a project.
#   * on everything      s on the project's own and what is opened to it      o on the project's own      . on nothing
#   x on what is opened to the project, which no role is needed for
# A star says that the request reaches its handler: lists then show what the caller may see.
"""


def table(world: World) -> str:
    furniture = Furniture(world)
    return HEAD + "".join(sorted({f"{line(furniture, route):<6} {route.name}\n" for route in routes(world)}, key=_name))


def _name(text: str) -> str:
    return text[7:]


def read() -> dict[str, str]:
    """Route to what the table says of it."""
    found = [text for text in TABLE.read_text().splitlines() if text and not text.startswith("#")]
    return {text[7:]: text[:6].strip() for text in found}


def asked(world: World) -> dict[str, Any]:
    furniture = Furniture(world)
    return {route.name: line(furniture, route) for route in routes(world)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(table(World(Path(folder))))
