"""Services, hosts and clusters, for operators (Block Storage API, "Services", "Hosts", "Clusters", "Workers")."""

from typing import Any

from pileus.block_storage import hosts
from pileus.block_storage.api.base import api
from pileus.block_storage.resources.base import at_least
from pileus.block_storage.scheduler import VOLUME_BINARY, is_up
from pileus.block_storage.store import VolumeService
from pileus.core import clock
from pileus.core.errors import BadRequest, NotBuilt, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Integer, Object, Text
from pileus.core.wire import Request

UPDATE = "volume_extension:services:update"
HOSTS = "volume_extension:hosts"
NAME = r"[a-zA-Z0-9\-._#@:/+]*"
LEVELS = ("", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")


def _given(rq: Request, *fields: Field) -> dict[str, Any]:
    found: dict[str, Any] = Object("body", fields).check(rq.json)
    return found


def _host(create: str = REQUIRED) -> Text:
    return Text("host", create=create, min=1, pattern=NAME, null=create != REQUIRED)


@api.get("/os-services", policy="volume_extension:services:index")
def list_services(rq: Request) -> dict[str, Any]:
    """List what serves volumes, and whether it answers."""
    host, binary = rq.query.get("host"), rq.query.get("binary")
    found = [
        row for row in rq.tx.select(VolumeService, order="host")
        if (host is None or host in (row.host, row.host.partition("@")[0])) and binary in (None, row.binary)
    ]  # fmt: skip
    return {"services": [_service(rq, row) for row in sorted(found, key=lambda row: (row.binary, row.host))]}


def _service(rq: Request, row: VolumeService) -> dict[str, Any]:
    body: dict[str, Any] = {
        "binary": row.binary, "host": row.host, "zone": row.availability_zone,
        "status": "disabled" if row.disabled else "enabled", "state": "up" if is_up(row) else "down",
        "updated_at": clock.naive(row.seen_at), "disabled_reason": row.disabled_reason,
    }  # fmt: skip
    if row.binary == VOLUME_BINARY:
        body |= {"replication_status": "disabled", "active_backend_id": None, "frozen": row.frozen}
        if at_least(rq, 49):
            body["backend_state"] = body["state"]
    if at_least(rq, 7):
        body["cluster"] = None
    return body


def _switch(rq: Request, disabled: bool, reason: bool = False) -> dict[str, Any]:
    fields: list[Field] = [_host(), Text("service", create=OPTIONAL), Text("binary", create=OPTIONAL)]
    if reason:
        fields.append(Text("disabled_reason", create=REQUIRED, min=1, strip=True))
    given = _given(rq, *fields)
    why = given.get("disabled_reason")
    hosts.switch(rq.tx, given["host"], given.get("binary") or given.get("service") or "", disabled, why)
    answer = {
        "host": given["host"], "service": given.get("service", ""), "binary": given.get("binary", ""),
        "status": "disabled" if disabled else "enabled", "disabled": disabled,
    }  # fmt: skip
    return answer | ({"disabled_reason": why} if reason else {})


@api.put("/os-services/enable", policy=UPDATE)
def enable_service(rq: Request) -> dict[str, Any]:
    """Let a service take new work again."""
    return _switch(rq, False)


@api.put("/os-services/disable", policy=UPDATE)
def disable_service(rq: Request) -> dict[str, Any]:
    """Let a service take no new work."""
    return _switch(rq, True)


@api.put("/os-services/disable-log-reason", policy=UPDATE)
def disable_service_with_reason(rq: Request) -> dict[str, Any]:
    """Let a service take no new work, and note why."""
    return _switch(rq, True, reason=True)


def _freeze(rq: Request, frozen: bool) -> None:
    fields: list[Field] = [_host(OPTIONAL)]
    if at_least(rq, 26):
        fields.append(Text("cluster", create=OPTIONAL, null=True))
    given = _given(rq, *fields)
    if not given.get("host"):
        raise BadRequest("Invalid input received: name a host; backends are not clustered.")
    hosts.freeze(rq.tx, given["host"], frozen)


@api.put("/os-services/freeze", policy="volume:freeze_host")
def freeze(rq: Request) -> None:
    """Let nothing be made on a backend."""
    _freeze(rq, True)


@api.put("/os-services/thaw", policy="volume:thaw_host")
def thaw(rq: Request) -> None:
    """Let things be made on a backend again."""
    _freeze(rq, False)


@api.put("/os-services/failover_host", policy="volume:failover_host", status=202)
def fail_over(rq: Request) -> None:
    """Not built (501): take a replicated backend's other side into use."""
    given = _given(rq, _host(), Text("backend_id", create=OPTIONAL, null=True))
    _refuse_failover(rq, given["host"])


@api.put("/os-services/failover", policy="volume:failover_host", status=202, since="3.26")
def fail_over_cluster(rq: Request) -> None:
    """Not built (501): take a replicated backend's other side into use."""
    fields = (_host(OPTIONAL), Text("cluster", create=OPTIONAL, null=True))
    _refuse_failover(rq, _given(rq, *fields, Text("backend_id", create=OPTIONAL, null=True)).get("host") or "")


def _refuse_failover(rq: Request, host: str) -> None:
    hosts.get_backend(rq.tx, host)
    raise NotBuilt(f"Backend {host} is not replicated: there is nothing to fail over to.")


def _log_fields(*more: Field) -> tuple[Field, ...]:
    return (
        Text("binary", create=OPTIONAL, null=True,
             choices=["", "*", "cinder-api", "cinder-volume", "cinder-scheduler", "cinder-backup"]),
        Text("server", create=OPTIONAL, null=True), Text("prefix", create=OPTIONAL, null=True), *more,
    )  # fmt: skip


@api.put("/os-services/get-log", policy=UPDATE, since="3.32")
def get_log(rq: Request) -> dict[str, Any]:
    """Show the level of what is logged: one for the whole controller."""
    given = _given(rq, *_log_fields())
    level = rq.cloud.settings.log_level.upper()
    levels = {given.get("prefix") or "pileus": level}
    return {"log_levels": [{"binary": "cinder-api", "host": "controller", "levels": levels}]}


@api.put("/os-services/set-log", policy=UPDATE, status=202, since="3.32")
def set_log(rq: Request) -> None:
    """Not built (501): set the level of what is logged; it is a setting of the cloud."""
    given = _given(rq, *_log_fields(Text("level", create=REQUIRED)))
    if given["level"].upper() not in LEVELS:
        raise BadRequest(
            f"Invalid input for field/attribute level. Value: {given['level']}. Use {', '.join(LEVELS[1:])}."
        )
    raise NotBuilt("The level of what is logged is log_level in cloud.json, and holds from the next start.")


# -- hosts -------------------------------------------------------------------------------------------------------------


@api.get("/os-hosts", policy=HOSTS)
def list_hosts(rq: Request) -> dict[str, Any]:
    """List hosts, with what serves volumes on them."""
    zone = rq.query.get("zone")
    rows = [row for row in rq.tx.select(VolumeService, order="host", disabled=False)
            if not zone or row.availability_zone == zone]  # fmt: skip
    return {
        "hosts": [
            {
                "host_name": row.host, "service": row.binary, "zone": row.availability_zone,
                "service-status": "available" if is_up(row) else "unavailable", "service-state": "enabled",
                "last-update": clock.naive(row.seen_at),
            }
            for row in rows
        ]
    }  # fmt: skip


@api.get("/os-hosts/{host_name}", policy=HOSTS)
def show_host(rq: Request) -> dict[str, Any]:
    """Show what lies on a host, by project."""
    host = rq.params["host_name"]
    return {"host": [{"resource": {"host": host, **each}} for each in hosts.usage(rq.tx, host)]}


@api.put("/os-hosts/{host_name}", policy=HOSTS)
def update_host(rq: Request) -> dict[str, Any]:
    """Let a host take new volumes, or none."""
    host = rq.params["host_name"]
    found = hosts.get_backend(rq.tx, host, NotFound)
    status = _given(rq, Text("status", create=REQUIRED))["status"].strip().lower()
    if status not in ("enable", "disable"):
        raise BadRequest(f"Invalid status: '{status[:100]}'.")
    hosts.switch(rq.tx, found.host, VOLUME_BINARY, status == "disable", None)
    return {"host": host, "status": f"{status}d"}


# -- clusters: there are none ------------------------------------------------------------------------------------------


@api.get("/clusters", policy="clusters:get_all", since="3.7")
def list_clusters(rq: Request) -> dict[str, Any]:
    """List clusters of backends: there are none, each backend is one node's."""
    return {"clusters": []}


@api.get("/clusters/detail", policy="clusters:get_all", since="3.7")
def list_clusters_in_detail(rq: Request) -> dict[str, Any]:
    """List clusters of backends, in detail: there are none."""
    return {"clusters": []}


@api.get("/clusters/{cluster}", policy="clusters:get", since="3.7")
def show_cluster(rq: Request) -> None:
    """Show a cluster: there is none (404)."""
    raise NotFound(f"Cluster {rq.params['cluster'][:255]} could not be found.")


@api.put("/clusters/{cluster}", policy="clusters:update", since="3.7")
def update_cluster(rq: Request) -> None:
    """Switch a cluster on or off: there is none (404)."""
    name = _given(rq, Text("name", create=REQUIRED), Text("binary", create=OPTIONAL),
                  Text("disabled_reason", create=OPTIONAL, null=True))["name"]  # fmt: skip
    raise NotFound(f"Cluster {name} could not be found.")


@api.post("/workers/cleanup", policy="workers:cleanup", status=202, since="3.24")
def clean_up(rq: Request) -> dict[str, Any]:
    """Let others finish what a dead service began: sagas do so unasked, so there is nothing to clean."""
    _given(
        rq, Text("cluster_name", create=OPTIONAL, null=True), Text("host", create=OPTIONAL, null=True),
        Text("binary", create=OPTIONAL, choices=["cinder-volume", "cinder-scheduler"]),
        Integer("service_id", create=OPTIONAL, null=True), Boolean("is_up", create=OPTIONAL),
        Boolean("disabled", create=OPTIONAL), Text("resource_id", create=OPTIONAL, null=True),
        Text("resource_type", create=OPTIONAL, null=True),
    )  # fmt: skip
    return {"cleaning": [], "unavailable": []}
