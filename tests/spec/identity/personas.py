"""Who may do what in identity, asked of every route by every kind of caller: `personas.txt` is made of it.

A persona is a role (or one that means nothing, `none`) on the system, a domain or a project. Each asks about what is its
own (`self`), about another's in its domain (`near`) and about what is in another domain (`far`). The request goes the whole
way of a real one up to the route's handler, which is left out: nothing changes, so that all can be asked in one cloud.

    python -m tests.spec.identity.personas      writes the table anew; read what changed
"""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pileus.app import PATH, Application, Proceed, compose
from pileus.core import clock
from pileus.core.routes import PUBLIC, Route
from pileus.core.wire import Request, Response
from pileus.identity.access.grants import SYSTEM
from pileus.identity.store import Assignment, Credential, Limit, Role, Trust, User, changed
from tests.harness import Client, World

TABLE = Path(__file__).with_name("personas.txt")
ROLES = ["admin", "manager", "member", "reader", "none"]
SCOPES = ["system", "domain", "project"]
PERSONAS = [*(f"{scope}-{role}" for scope in SCOPES for role in ROLES), "unscoped"]
PLACES = ["self", "near", "far"]
# may: all; what is in its domain; what is its own; nothing
SIGNS = {(True, True, True): "*", (True, True, False): "d", (True, False, False): "s", (False, False, False): "."}


def reached(rq: Request, _: Proceed) -> Response:
    """In the handler's place."""
    return Response(None, 200)


class Gate(Application):
    """The request path without handlers."""

    def handle(self, rq: Request) -> Response:
        rq.cloud = self.cloud
        rq.service = self.cloud.routes.service_of(rq.path)
        response = _UP_TO_THE_HANDLER(rq)
        if hasattr(rq, "route"):
            del rq.route  # its handler was not used: the harness must not note the route as specified
        return response


_UP_TO_THE_HANDLER = compose([*PATH, reached])


class Furniture:
    """Two domains, the personas in one of them, and something of every kind that rules tell apart to ask about."""

    def __init__(self, world: World):
        self.world = world
        self.gate = Gate(world.cloud)
        self.admin = world.client("admin", "manager", "member", "reader")
        with world.cloud.db.write() as tx:
            tx.insert(Role("nothing", "nothing", None, None))
            changed(tx)
        self.roles = {**world.roles, "none": "nothing"}
        self.home, abroad = (self._make("domains", {"domain": {"name": name}})["id"] for name in ("home", "abroad"))
        self.project = self._project(self.home)
        self.common = self._common()
        self.around = {
            "near": self._things(self._user(self.home), self.home, self._project(self.home)),
            "far": self._things(self._user(abroad), abroad, self._project(abroad)),
        }
        self.callers = {name: self._caller(name) for name in PERSONAS}

    def _make(self, path: str, body: Any) -> Any:
        found = self.admin.post(f"/v3/{path}", body).ok(201)
        return next(value for name, value in found.items() if name != "links")

    def _project(self, domain_id: str) -> str:
        body = {"name": clock.new_id(), "domain_id": domain_id, "tags": ["t"]}
        project_id: str = self._make("projects", {"project": body})["id"]
        return project_id

    def _user(self, domain_id: str) -> str:
        user_id = clock.new_hex_id()
        with self.world.cloud.db.write() as tx:
            tx.insert(User(user_id, user_id, domain_id, True, None, None, None, clock.now()))
        return user_id

    def _common(self) -> dict[str, str]:
        """What belongs to nobody."""
        service = self._make("services", {"service": {"type": "t", "name": "n"}})["id"]
        endpoint = {"url": "http://x/", "interface": "public", "service_id": service}
        limit = {"service_id": service, "resource_name": "r", "default_limit": 9}
        endpoint_group = {"name": "g", "filters": {"interface": "public"}}
        return {
            "service_id": service,
            "region_id": self._make("regions", {"region": {}})["id"],
            "endpoint_id": self._make("endpoints", {"endpoint": endpoint})["id"],
            "policy_id": self._make("policies", {"policy": {"type": "t", "blob": "b"}})["id"],
            "registered_limit_id": self._make("registered_limits", {"registered_limits": [limit]})[0]["id"],
            "endpoint_group_id": self._make("OS-EP-FILTER/endpoint_groups", {"endpoint_group": endpoint_group})["id"],
            "role_id": self.world.roles["member"],
            "implied_role_id": self.world.roles["reader"],
            "tag": "t",
            "option": "url",
            "group": "ldap",
        }

    def _caller(self, name: str) -> tuple[Client, dict[str, str]]:
        """A client, and what is its own."""
        scope, _, role = name.partition("-")
        user_id = self._user(self.home)
        target = {"system": SYSTEM, "domain": self.home, "project": self.project}.get(scope)
        if target is not None:
            with self.world.cloud.db.write() as tx:
                tx.insert(Assignment(user_id, target, self.roles[role], 0, "user", scope))
                changed(tx)
        token, _ = self.world.cloud.tokens.issue(user_id, ["password"], scope if target else "", target)
        own = {**self._things(user_id, self.home, self.project), "token": token, "token_id": token}
        return Client(self.gate, token, user_id=user_id), own

    def _things(self, user_id: str, domain_id: str, project_id: str) -> dict[str, str]:
        """A user's, and a project's: of each kind one."""
        id = clock.new_hex_id()
        group = self._make("groups", {"group": {"name": id, "domain_id": domain_id}})["id"]
        place = {"service_id": self.common["service_id"], "region_id": None, "resource_name": "r"}
        rows: list[Any] = [
            Credential(id, user_id, project_id, "cert", ""),
            Credential(hashlib.sha256(id.encode()).hexdigest(), user_id, project_id, "ec2", ""),
            Trust(id, user_id, self.admin.user_id, project_id, True, [], None, None, None, 0, clock.now()),
            Limit(
                id,
                self.common["registered_limit_id"],
                **place,
                resource_limit=1,
                description=None,
                project_id=project_id,
                domain_id=None,
            ),
        ]
        with self.world.cloud.db.write() as tx:
            tx.insert_many(rows)
        token, _ = self.world.cloud.tokens.issue(user_id, ["password"])
        made = dict.fromkeys(("credential_id", "trust_id", "limit_id", "access"), id)
        return {
            "user_id": user_id, "domain_id": domain_id, "project_id": project_id, "group_id": group, "token": token,
            "token_id": token, **made,
        }  # fmt: skip

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self, persona: str, route: Route, place: str) -> bool:
        """May this persona use the route there? Fails for an answer that says neither yes nor no."""
        client, own = self.callers[persona]
        things = {**self.common, **(own if place == "self" else self.around[place])}
        path = re.sub(r"\{(\w+)\}", lambda found: things.get(found[1], "nothing"), route.path)
        answer = client.request(
            route.method, route.service.prefix + path, body(things), {"x-subject-token": things["token"]}
        )
        # 404: what is asked about is not there, and the caller may know
        assert answer.status in (200, 403, 404), f"{persona} asked {route.name} and got {answer.status}: {answer.raw!r}"
        return answer.status != 403

    def sign(self, persona: str, route: Route) -> str:
        return SIGNS.get(tuple(self.ask(persona, route, place) for place in PLACES), "?")


def body(things: dict[str, str]) -> dict[str, Any]:
    """A body in which every kind of new thing is the owner's of `things`."""
    of_domain, of_user = {"domain_id": things["domain_id"]}, {"user_id": things["user_id"]}
    return {
        "user": of_domain, "group": of_domain, "project": of_domain, "credential": of_user,
        "trust": {"trustor_user_id": things["user_id"], "trustee_user_id": things["user_id"]},
    }  # fmt: skip


def routes(world: World) -> Iterator[Route]:
    for route in world.cloud.routes:
        if route.service.name == "identity":
            yield route


def line(furniture: Furniture, route: Route) -> str:
    """What the table says of a route: a sign for each persona."""
    if route.policy is PUBLIC:
        return "open to everybody"
    signs = [furniture.sign(persona, route) for persona in PERSONAS]
    return " ".join("".join(signs[start : start + len(ROLES)]) for start in range(0, len(signs), len(ROLES)))


HEAD = """\
# Who may use which of identity's routes: a sign for each of admin, manager, member, reader and a role that means nothing,
# first on the system, then on a domain, then on a project; last for a token without scope.
#   * on everything      d on what is in the caller's domain      s on what is the caller's own      . on nothing
# A star says that the request reaches its handler: lists then show what the caller may see.
"""


def table(world: World) -> str:
    furniture = Furniture(world)
    lines = [f"{line(furniture, route):<20} {route.name}\n" for route in routes(world)]
    return HEAD + "".join(sorted(lines, key=lambda text: text[21:]))


def read() -> dict[str, str]:
    """Route to what the table says of it."""
    rows = [text for text in TABLE.read_text().splitlines() if text and not text.startswith("#")]
    return {text[21:]: text[:20].strip() for text in rows}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(table(World(Path(folder))))
