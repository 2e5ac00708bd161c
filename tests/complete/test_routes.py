"""Every route is guarded, told of and specified; every rule guards something. Lists of exceptions only shrink."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus import services
from pileus.core.resources import Resource
from pileus.core.routes import Route, RouteTable
from tests.complete import requests
from tests.complete.source import modules
from tests.conftest import COMPLETE_RUN
from tests.harness import TOUCHED, Client, World

UNSPECIFIED = Path(__file__).with_name("unspecified.txt")
TABLE = RouteTable(services.apis())
ROUTES = list(TABLE)
BY_SERVICE = services.rules()
RULES = {rule.name: rule for rules in BY_SERVICE.values() for rule in rules}

# who has no token yet, or looks which versions there are, is answered too
PUBLIC = {
    "POST /identity/v3/OS-OAUTH2/token",
    "POST /identity/v3/OS-OAUTH1/request_token", "POST /identity/v3/OS-OAUTH1/access_token",  # signed by a consumer
    "POST /identity/v3/auth/tokens", "POST /identity/v3/users/{user_id}/password", "GET /identity/healthcheck",
    "POST /identity/v2.0/tokens", "GET /identity/v2.0", "GET /identity/v2.0/extensions",
    "GET /identity/v2.0/extensions/{alias}",
    "GET /identity/", "GET /identity/v3", "GET /compute/", "GET /compute/v2.1/", "GET /image/", "GET /image/versions",
    "GET /network/", "GET /network/v2.0/", "GET /placement/", "GET /volume/", "GET /volume/v3/",
    "WEBSOCKET /compute/console", "GET /compute/novnc/{file:path}",  # a console's own token is in its address
    "POST /identity/v3/auth/OS-FEDERATION/saml2", "POST /identity/v3/auth/OS-FEDERATION/saml2/ecp",
    "GET /identity/v3/OS-FEDERATION/saml2/metadata",
    "GET /identity/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso/metadata",
    "GET /identity/v3/auth/tokens/OS-PKI/revoked", "GET /identity/v3/OS-SIMPLE-CERT/ca",
    "GET /identity/v3/OS-SIMPLE-CERT/certificates",
    *(
        f"{method} /identity/v3/{path}"
        for method in ("GET", "POST")
        for path in (
            "OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
            "auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
            "auth/OS-FEDERATION/websso/{protocol_id}",
        )
    ),
    # who has no token may be let in by an ACL or a signature: tests/spec/object_storage tells who is not
    "GET /object/info", "GET /info", "OPTIONS /object/info", "OPTIONS /info",
    "GET /object/healthcheck", "GET /object/crossdomain.xml",
    *(f"{method} /object/v1/{{account}}" for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS")),
    *(f"{method} /object/v1/{{account}}/{{container}}" for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS")),
    *(
        f"{method} /object/v1/{{account}}/{{container}}/{{object:path}}"
        for method in ("GET", "PUT", "POST", "DELETE", "COPY", "OPTIONS")
    ),
}  # fmt: skip

# rules that guard no route: the words that operators' own policy files build on
WORDS = {
    "admin_or_owner", "admin_api", "admin_required", "owner", "context_is_admin", "project_member_api", "project_reader_api",
    "project_manager_api", "project_member_or_admin", "project_reader_or_admin", "project_manager_or_admin",
    "xena_system_admin_or_project_reader", "xena_system_admin_or_project_member",
    "cloud_admin", "service_role", "service_or_admin", "token_subject", "admin_or_token_subject",
    "service_admin_or_token_subject", "default", "identity:revocation_list", "metadef_default",
    "modify_task",  # OpenStack's, and guards nothing there either
}  # fmt: skip

# rules of OpenStack's for what is not built yet
IDLE = {
    "os_compute_api:servers:allow_all_filters", "os_compute_api:servers:create:trusted_certs",
    "os_compute_api:servers:show:flavor-extra-specs",
}  # fmt: skip


def test_every_route_has_a_rule_that_exists_or_is_public_on_purpose() -> None:
    open = {route.name for route in ROUTES if route.policy is None}
    assert open <= PUBLIC, f"{sorted(open - PUBLIC)} need no token: give them a policy"
    known = {(service, rule.name) for service, rules in BY_SERVICE.items() for rule in rules}
    guarded = [route for route in ROUTES if route.policy]
    unknown = {f"{route.name}: {route.policy}" for route in guarded if (route.service.rules, route.policy) not in known}
    assert not unknown, f"{sorted(unknown)}: add the rule to the service's policy.py"


def test_every_route_says_in_a_line_what_it_does() -> None:
    mute = [route.name for route in ROUTES if not re.fullmatch(r"[A-Z].{3,118}\.", route.summary)]
    assert not mute, f"{mute}: open the handler with one sentence, up to 120 characters; the coverage page shows it"


def test_every_rule_guards_something() -> None:
    used = {route.policy for route in ROUTES if route.policy} | set(_asked_in_code()) | set(_of_fields())
    waiting = list(used)
    while waiting:
        name = waiting.pop()
        for rule in (rule for rules in BY_SERVICE.values() for rule in rules if rule.name == name):
            below = set(re.findall(r"rule:([^\s()]+)", rule.check)) - used
            used |= below
            waiting += below
    idle = set(RULES) - used - WORDS
    assert idle <= IDLE, f"{sorted(idle - IDLE)} guard nothing: remove them from policy.py, or build what they are for"
    assert idle >= IDLE, f"{sorted(IDLE - idle)} guard something, or are gone: take them off IDLE, which only shrinks"


def _of_fields() -> Iterator[str]:
    requests.resources.cache_clear()
    for resource in set(requests.resources().values()):
        yield from _of_resource(resource)


def _of_resource(resource: Resource) -> Iterator[str]:
    for field in resource.fields.values():
        for verb in ("create", "update", "get"):
            yield f"{verb}_{resource.rules}:{field.name}"


def _asked_in_code() -> Iterator[str]:
    """Rules that code names in a string; in an f-string the module's own constants are filled in."""
    for module in modules("pileus"):
        if module.path.name == "policy.py" or module.room == "core":
            continue
        constants = {
            target.id: node.value.value
            for node in module.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in RULES:
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                pattern = "".join(_pattern(part, constants) for part in node.values)
                if re.search(r"\w{3}", re.sub(r"\[\\w.:-\]\+", "", pattern)):
                    yield from (name for name in RULES if re.fullmatch(pattern, name))


def _pattern(part: ast.expr, constants: dict[str, Any]) -> str:
    if isinstance(part, ast.Constant):
        return re.escape(str(part.value))
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) and part.value.id in constants:
        return re.escape(str(constants[part.value.id]))
    return r"[\w.:-]+"


# operations of OpenStack's that rules tell of and that are not built; the list only shrinks
NOT_BUILT = {"PUT /security-group-rules/{id}"}


def test_the_operations_that_rules_tell_of_exist() -> None:
    known = {f"{route.method} {_shape(route.path)}" for route in ROUTES}
    known |= {f"{route.method} {_shape(route.service.prefix + route.path)}" for route in ROUTES}
    known |= {operation.replace("GET ", "HEAD ", 1) for operation in known}
    told = {operation for rules in BY_SERVICE.values() for rule in rules for operation in rule.operations}
    missing = {told_of for told_of in told if _operation(told_of) not in known}
    assert missing <= NOT_BUILT, f"{sorted(missing - NOT_BUILT)}: no such routes; correct the rules' operations"
    assert missing >= NOT_BUILT, (
        f"{sorted(NOT_BUILT - missing)} are built, or no longer told of: take them off NOT_BUILT"
    )


def _operation(text: str) -> str:
    """`GET /v3/roles?domain_id={domain_id}` is a way to use GET /v3/roles."""
    method, _, path = text.partition(" ")
    return f"{method} {_shape(path.partition('?')[0].partition(' ')[0])}"


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


# routes that only ever refuse, as what they are for is not built, or never is the case here; specifications say how
_ACTION = "POST /compute/v2.1/servers/{server_id}/action"
REFUSING = {
    *(
        f"{_ACTION} {{{action}}}"
        for action in (
            "restore", "shelveOffload", "changePassword", "trigger_crash_dump",
            "os-getSPICEConsole", "os-getRDPConsole",
        )
    ),
    "POST /compute/v2.1/servers/{server_id}/shares", "POST /compute/v2.1/servers/{server_id}/os-volume_attachments",
    *(f"GET /compute/v2.1/os-hosts/{{host_name}}/{verb}" for verb in ("startup", "shutdown", "reboot")),
    *(f"POST /volume/v3/volumes/{{volume_id}}/action {{os-{what}_volume_completion}}" for what in ("extend", "migrate")),
    *(f"POST /volume/v3/groups/{{group_id}}/action {{{verb}}}" for verb in (
        "enable_replication", "disable_replication", "failover_replication", "list_replication_targets")),
    *(f"PUT /volume/v3/os-services/{verb}" for verb in ("failover", "failover_host", "set-log")),
    "GET /volume/v3/clusters/{cluster}", "PUT /volume/v3/clusters/{cluster}",
    *(f"{method} /volume/v3/{plural}{rest}" for plural, one in (
        ("consistencygroups", "/{consistencygroup_id}"), ("cgsnapshots", "/{cgsnapshot_id}"))
      for method, rest in (("GET", ""), ("GET", "/detail"), ("POST", ""), ("GET", one), ("DELETE", one))),
    "POST /volume/v3/consistencygroups/create_from_src", "POST /volume/v3/consistencygroups/{consistencygroup_id}/delete",
    "PUT /volume/v3/consistencygroups/{consistencygroup_id}/update",
    "GET /identity/v3/auth/tokens/OS-PKI/revoked", "GET /identity/v3/OS-SIMPLE-CERT/ca",
    "GET /identity/v3/OS-SIMPLE-CERT/certificates",
}  # fmt: skip
BODIES = [b"", b"{", b'{"auth": {}}', b"\xff"]


def test_who_has_no_token_is_refused_everywhere(world: World, anonymous: Client) -> None:
    wrong = []
    for route in ROUTES:
        if route.policy is None:
            continue
        path = route.service.prefix + re.sub(r"\{[^}]*\}", "nobody", route.path)
        bodies = [b'{"%s": {}}' % route.action.encode()] if route.action else BODIES
        for body in bodies:
            for headers in ({}, {"x-auth-token": "gAAAAABnonsense"}):
                answer = anonymous.request(route.method, path, body, headers)
                if answer.status != 401:
                    wrong.append(f"{route.name} answered {answer.status} to {body!r} with {headers}")
    assert not wrong, "\n".join(wrong)


def unspecified(routes: list[Route]) -> set[str]:
    return {route.name for route in routes} - TOUCHED - REFUSING


@pytest.mark.slow  # it needs the whole suite in one process
def test_every_route_is_used_by_a_specification(request: pytest.FixtureRequest) -> None:
    """Runs last, and only when all specifications ran before it in this process (see conftest)."""
    if not request.config.stash.get(COMPLETE_RUN, False):
        assert not request.config.getoption("lf"), "it failed when all ran, and cannot be tried again alone"
        pytest.skip("not all specifications are part of this run")
    missing = unspecified(ROUTES)
    listed = set(UNSPECIFIED.read_text().splitlines())
    new = missing - listed
    assert not new, "no specification uses these routes with success; write one in tests/spec:\n" + "\n".join(
        sorted(new)
    )
    done = listed - missing
    assert not done, "specified by now: take them off unspecified.txt, which only shrinks:\n" + "\n".join(sorted(done))
