"""Logs of security groups: what passes and what is dropped, told on the hosts."""

from typing import Any

import pytest

from pileus.network import reconcile
from pileus.network.drivers.translate.names import DROP_KEY
from tests.harness import Client, World
from tests.spec.network.things import V2, engine_rows, make, network, port

LOGS = f"{V2}/log/logs"


def logged(still: World, group: str) -> set[Any]:
    """Names of the logs that tell of a group's rules."""
    return {row.columns["name"] for row in engine_rows(still, "security_group", group, "ACL")}


def dropped(still: World) -> set[Any]:
    return {row.columns["name"] for row in engine_rows(still, *DROP_KEY, "ACL") if row.columns["action"] == "drop"}


@pytest.mark.parametrize("event", ["ALL", "ACCEPT", "DROP"])
def test_what_passes_or_is_dropped_is_logged_while_the_log_is_enabled(
    still: World, owner: Client, operator: Client, event: str
) -> None:
    group, other = make(owner, "security-groups", name="g")["id"], make(owner, "security-groups", name="h")["id"]
    made = make(operator, "log/logs", name="l", resource_type="security_group", resource_id=group, event=event)
    name = f"neutron-{made['id']}"
    assert logged(still, group) == ({None} if event == "DROP" else {name})
    assert logged(still, other) == {None}
    assert dropped(still) == ({None} if event == "ACCEPT" else {name})
    after = operator.put(f"{LOGS}/{made['id']}", {"log": {"enabled": False, "description": "d"}}).ok(200)["log"]
    assert (after["enabled"], after["description"]) == (False, "d")
    assert logged(still, group) == dropped(still) == {None}
    operator.put(f"{LOGS}/{made['id']}", {"log": {"enabled": True}}).ok(200)
    assert made["id"] in {each["id"] for each in operator.get(f"{LOGS}?resource_id={group}").ok(200)["logs"]}
    operator.delete(f"{LOGS}/{made['id']}").ok(204)
    operator.get(f"{LOGS}/{made['id']}").refused(404, "LogResourceNotFound")
    assert logged(still, group) == dropped(still) == {None}
    assert reconcile.differences(still.cloud) == []


def test_a_ports_groups_are_logged_or_all(still: World, owner: Client, operator: Client) -> None:
    group, other = make(owner, "security-groups", name="g")["id"], make(owner, "security-groups", name="h")["id"]
    target = port(owner, network(owner)["id"], security_groups=[group])["id"]
    make(operator, "log/logs", resource_type="security_group", target_id=target)
    assert (None in logged(still, group), None in logged(still, other)) == (False, True)
    owner.delete(f"{V2}/ports/{target}").ok(204)
    assert operator.get(f"{LOGS}?target_id={target}").ok(200)["logs"] == []
    assert logged(still, group) == {None}
    everything = make(operator, "log/logs", resource_type="security_group")["id"]
    assert logged(still, group) == logged(still, other) == {f"neutron-{everything}"}
    operator.delete(f"{LOGS}/{everything}").ok(204)
    assert logged(still, group) == logged(still, other) == dropped(still) == {None}


def test_a_log_ends_with_its_group(still: World, owner: Client, operator: Client) -> None:
    group = make(owner, "security-groups", name="g")["id"]
    made = make(operator, "log/logs", resource_type="security_group", resource_id=group)["id"]
    owner.delete(f"{V2}/security-groups/{group}").ok(204)
    operator.get(f"{LOGS}/{made}").refused(404)
    assert dropped(still) == {None}


NOBODY = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(("members", "status", "words"), [
    ({"resource_type": "smoke"}, 400, "resource_type"), ({"resource_type": None}, 400, "resource_type"),
    ({"resource_id": NOBODY}, 404, NOBODY), ({"target_id": NOBODY}, 404, NOBODY), ({"resource_id": "x"}, 400, "resource_id"),
    ({"event": "MAYBE"}, 400, "event"), ({"enabled": "x"}, 400, "enabled"), ({"colour": 1}, 400, "colour"),
])  # fmt: skip
def test_a_bad_log_is_refused_and_the_field_named(
    operator: Client, members: dict[str, Any], status: int, words: str
) -> None:
    operator.post(LOGS, {"log": {"resource_type": "security_group", **members}}).refused(status, words)


def test_logs_are_for_administrators(owner: Client, operator: Client) -> None:
    assert operator.get(f"{V2}/log/loggable-resources").ok(200) == {"loggable_resources": [{"type": "security_group"}]}
    for path in (LOGS, f"{V2}/log/loggable-resources"):
        owner.get(path).refused(403)
    owner.post(LOGS, {"log": {"resource_type": "security_group"}}).refused(403)
