"""QoS specs (Block Storage API, "Quality of service (QoS) specifications")."""

from typing import Any

from pileus.block_storage import types
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, flag, links_of, metadata
from pileus.block_storage.store import QosSpecs, VolumeType
from pileus.core import clock
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.fields import Items, Text
from pileus.core.wire import Request

ONE = "/qos-specs/{qos_id}"
RULE = "volume_extension:qos_specs_manage"
FILTERS = {"id": Filter("id"), "name": Filter("name"), "consumer": Filter("consumer")}
CONSUMERS = ("front-end", "back-end", "both")
SPECS = metadata("qos_specs")
NAME = Text("name", min=1, strip=True)
KEYS = Items("keys", Text("keys", min=1), unique=True)


def specs(rq: Request, qos_id: str) -> QosSpecs:
    found = rq.tx.find(QosSpecs, id=qos_id)
    if found is None:
        raise NotFound(f"No such qos spec {qos_id[:255]}.")
    return found


def _shown(row: QosSpecs) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "consumer": row.consumer, "specs": row.specs}


def _one(rq: Request, row: QosSpecs) -> dict[str, Any]:
    return {"qos_specs": _shown(row), "links": links_of(rq, "qos-specs", row.id)}


def _consumer(given: dict[str, Any], default: str) -> str:
    consumer = given.pop("consumer", None) or default
    if consumer not in CONSUMERS:
        raise BadRequest(f"Valid consumer of QoS specs are: {', '.join(CONSUMERS)}.")
    return consumer


@api.get("/qos-specs", policy=f"{RULE}:get_all")
def list_qos_specs(rq: Request) -> dict[str, Any]:
    """List QoS specs."""
    found = listing(rq, QosSpecs, "qos_specs", FILTERS, ("name", "consumer"), own=False, counted=False)
    return {"qos_specs": [_shown(row) for row in found.rows], **found.extra}


@api.post("/qos-specs", policy=f"{RULE}:create")
def create_qos_specs(rq: Request) -> dict[str, Any]:
    """Create QoS specs."""
    given = dict(rq.unwrap("qos_specs"))
    if "name" not in given:
        raise BadRequest("Invalid input for field/attribute qos_specs. 'name' is a required property.")
    name = NAME.check(given.pop("name"))
    consumer = _consumer(given, "back-end")
    if rq.tx.find(QosSpecs, name=name):
        raise Conflict(f"QoS Specs {name} already exists.")
    row = QosSpecs(clock.new_id(), name, consumer, SPECS.check(given), clock.now())
    rq.tx.insert(row)
    return _one(rq, row)


@api.get(ONE, policy=f"{RULE}:get", on=specs)
def show_qos_specs(rq: Request, found: QosSpecs) -> dict[str, Any]:
    """Show QoS specs."""
    return _one(rq, found)


@api.put(ONE, policy=f"{RULE}:update", on=specs)
def update_qos_specs(rq: Request, found: QosSpecs) -> dict[str, Any]:
    """Set some of QoS specs."""
    given = rq.unwrap("qos_specs")
    kept = dict(given)
    consumer = _consumer(kept, found.consumer)
    rq.tx.update(
        QosSpecs, found.id, consumer=consumer, specs={**found.specs, **SPECS.check(kept)}, updated_at=clock.now()
    )
    return {"qos_specs": given}


@api.put(f"{ONE}/delete_keys", policy=f"{RULE}:delete", on=specs, status=202)
def delete_keys(rq: Request, found: QosSpecs) -> None:
    """Delete some of QoS specs."""
    keys = KEYS.check(rq.json.get("keys"))
    missing = [key for key in keys if key not in found.specs]
    if missing:
        raise NotFound(f"QoS spec {found.id} has no spec with key {missing[0][:255]}.")
    kept = {key: value for key, value in found.specs.items() if key not in keys}
    rq.tx.update(QosSpecs, found.id, specs=kept, updated_at=clock.now())


@api.delete(ONE, policy=f"{RULE}:delete", on=specs, status=202)
def delete_qos_specs(rq: Request, found: QosSpecs) -> None:
    """Delete QoS specs; those of types only with `force`."""
    force = "force" in rq.query and flag(rq.query.get("force"), "force")
    if rq.tx.count(VolumeType, qos_specs_id=found.id) and not force:
        raise BadRequest(f"Qos specs {found.id} still in use.")
    rq.tx.update(VolumeType, {"qos_specs_id": found.id}, qos_specs_id=None)
    rq.tx.delete(QosSpecs, id=found.id)


# -- of which types; clients change these with GET ---------------------------------------------------------------------


@api.get(f"{ONE}/associations", policy=f"{RULE}:get_all", on=specs)
def list_associations(rq: Request, found: QosSpecs) -> dict[str, Any]:
    """List the volume types that have QoS specs."""
    rows = rq.tx.select(VolumeType, order="name", qos_specs_id=found.id)
    return {
        "qos_associations": [{"association_type": "volume_type", "name": row.name, "id": row.id} for row in rows]
    }  # fmt: skip


def _kind(rq: Request) -> VolumeType:
    wanted = rq.query.get("vol_type_id")
    if not wanted:
        raise BadRequest("Volume Type id must not be None.")
    return types.find_type(rq.tx, wanted)


@api.get(f"{ONE}/associate", policy=f"{RULE}:update", on=specs, status=202, tx="write")
def associate(rq: Request, found: QosSpecs) -> None:
    """Give a volume type QoS specs."""
    kind = _kind(rq)
    if kind.qos_specs_id not in (None, found.id):
        raise BadRequest(f"Invalid volume type: Type {kind.id} is already associated with another qos specs.")
    rq.tx.update(VolumeType, kind.id, qos_specs_id=found.id)


@api.get(f"{ONE}/disassociate", policy=f"{RULE}:update", on=specs, status=202, tx="write")
def disassociate(rq: Request, found: QosSpecs) -> None:
    """Take QoS specs from a volume type."""
    rq.tx.update(VolumeType, {"id": _kind(rq).id, "qos_specs_id": found.id}, qos_specs_id=None)


@api.get(f"{ONE}/disassociate_all", policy=f"{RULE}:update", on=specs, status=202, tx="write")
def disassociate_all(rq: Request, found: QosSpecs) -> None:
    """Take QoS specs from all volume types."""
    rq.tx.update(VolumeType, {"qos_specs_id": found.id}, qos_specs_id=None)
