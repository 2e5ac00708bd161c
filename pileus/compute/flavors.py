"""Flavors: what sizes a server may have, and who may use them."""

from typing import Any

import sqlalchemy as sa

from pileus.compute.store import Flavor, FlavorAccess
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.tables import columns

_flavor, _access = columns(Flavor), columns(FlavorAccess)
USABLE = sa.or_(
    _flavor.is_public.is_(sa.true()),
    _flavor.id.in_(sa.select(_access.flavor_id).where(_access.project_id == sa.bindparam("viewer", type_=sa.Text()))),
)


def get_flavor(tx: Tx, flavor_id: str, project_id: str | None, all_projects: bool = False) -> Flavor:
    """A flavor this project may use. Raises NotFound."""
    found = tx.find(Flavor, id=flavor_id)
    if found is None or not (found.is_public or all_projects or has_access(tx, flavor_id, project_id)):
        raise NotFound(f"Flavor {flavor_id} could not be found.", kind="FlavorNotFound")
    return found


def has_access(tx: Tx, flavor_id: str, project_id: str | None) -> bool:
    return tx.find(FlavorAccess, flavor_id=flavor_id, project_id=project_id or "") is not None


def create_flavor(tx: Tx, given: dict[str, Any]) -> Flavor:
    """Raises Conflict for a name or an id in use."""
    flavor_id = given.pop("id", None)
    if flavor_id in (None, "", "auto"):
        flavor_id = clock.new_id()
    if not 0 < given.get("rxtx_factor", 1.0) <= 3.4e38:
        raise BadRequest("Invalid input for field/attribute rxtx_factor. It must be a positive number.")
    if tx.find(Flavor, id=flavor_id):
        raise Conflict(f"Flavor with ID {flavor_id} already exists.", kind="FlavorIdExists")
    if tx.find(Flavor, name=given["name"]):
        raise Conflict(f"Flavor with name {given['name']} already exists.", kind="FlavorExists")
    row = Flavor(id=flavor_id, **given, created_at=clock.now())
    row.rxtx_factor = float(row.rxtx_factor)
    tx.insert(row)
    return row


def update_flavor(tx: Tx, flavor: Flavor, description: str | None) -> Flavor:
    tx.update(Flavor, flavor.id, description=description)
    flavor.description = description
    return flavor


def delete_flavor(tx: Tx, flavor: Flavor) -> None:
    """Servers keep what they were made with."""
    tx.delete(Flavor, id=flavor.id)


def set_extra_specs(tx: Tx, flavor: Flavor, specs: dict[str, str]) -> None:
    tx.update(Flavor, flavor.id, extra_specs=specs)
    flavor.extra_specs = specs


def get_extra_spec(flavor: Flavor, key: str) -> str:
    if key not in flavor.extra_specs:
        raise NotFound(f"Flavor {flavor.id} has no extra specs with key {key}.", kind="FlavorExtraSpecsNotFound")
    return flavor.extra_specs[key]


def list_access(tx: Tx, flavor: Flavor) -> list[FlavorAccess]:
    return tx.select(FlavorAccess, order="project_id", flavor_id=flavor.id)


def add_access(tx: Tx, flavor: Flavor, project_id: str) -> None:
    """Raises Conflict for a public flavor and for a project that has access already."""
    if flavor.is_public:
        raise Conflict("Everybody can use a public flavor: access is given to private ones.")
    if has_access(tx, flavor.id, project_id):
        raise Conflict(f"Flavor access already exists for flavor {flavor.id} and project {project_id} combination.")
    tx.insert(FlavorAccess(flavor.id, project_id))


def remove_access(tx: Tx, flavor: Flavor, project_id: str) -> None:
    if flavor.is_public:
        raise Conflict("Everybody can use a public flavor: access is given to private ones.")
    if not tx.delete(FlavorAccess, flavor_id=flavor.id, project_id=project_id):
        raise NotFound(f"Flavor access not found for {flavor.id} / {project_id} combination.")
