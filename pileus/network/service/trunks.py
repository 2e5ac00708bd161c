"""Trunks: a port through which others are reached, each under a VLAN of its own."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import quotas
from pileus.network.service.lookup import Viewer, get_port
from pileus.network.store import changes, queries

Members = list[dict[str, Any]]


def create_trunk(
    tx: Tx, viewer: Viewer, project_id: str, port_id: str, sub_ports: Members, **values: Any
) -> rows.Trunk:
    """Raises NotFound (a port), BadRequest, Conflict (a port or VLAN in use), OverQuota."""
    _check(sub_ports)
    quotas.spend(tx, project_id, "trunk")
    parent = get_port(tx, viewer, port_id)
    _refuse_used(tx, parent)
    trunk = rows.Trunk(id=clock.new_id(), project_id=project_id, port_id=port_id, **values)
    tx.insert(queries.stamped(trunk))
    _add(tx, viewer, trunk, sub_ports)
    return trunk


def members(tx: Tx, trunk_ids: list[str]) -> dict[str, list[rows.SubPort]]:
    """What each trunk carries."""
    found: dict[str, list[rows.SubPort]] = {trunk: [] for trunk in trunk_ids}
    for member in queries.select_in(tx, rows.SubPort, "trunk_id", trunk_ids):
        found[member.trunk_id].append(member)
    return found


def _refuse_used(tx: Tx, port: rows.Port) -> None:
    trunk = tx.find(rows.Trunk, port_id=port.id)
    if trunk is not None:
        raise Conflict(f"Port {port.id} is in use by trunk {trunk.id}.", kind="ParentPortInUse")
    if tx.find(rows.SubPort, port_id=port.id) is not None:
        raise Conflict(f"Port {port.id} is in use by another trunk.", kind="TrunkPortInUse")


def _segment(tx: Tx, port: rows.Port, entry: dict[str, Any]) -> tuple[str, int]:
    kind, number = entry.get("segmentation_type"), entry.get("segmentation_id")
    if kind == "inherit":
        network = tx.get(rows.Network, id=port.network_id)
        if network.network_type != "vlan" or network.segmentation_id is None:
            raise BadRequest(f"Port {port.id} has no VLAN to inherit.", kind="TrunkInvalidSubport")
        return "vlan", network.segmentation_id
    return str(kind), int(number or 0)


def _check(sub_ports: Members) -> None:
    """Raises BadRequest for what cannot be right whatever the ports are."""
    for entry in sub_ports:
        named = (entry.get("segmentation_type"), entry.get("segmentation_id"))
        if named[0] != "inherit" and None in named:
            raise BadRequest(
                "Invalid subport: it must have a segmentation_type and a segmentation_id.", kind="InvalidInput"
            )
    asked = [(entry["segmentation_type"], number) for entry in sub_ports if (number := entry.get("segmentation_id"))]
    if len(set(asked)) < len(asked):
        raise BadRequest("Invalid subports: a segmentation is given twice.", kind="DuplicateSubPort")
    if len({entry["port_id"] for entry in sub_ports}) < len(sub_ports):
        raise BadRequest("Invalid subports: a port is given twice.", kind="DuplicateSubPort")


def _add(tx: Tx, viewer: Viewer, trunk: rows.Trunk, sub_ports: Members) -> None:
    parent = tx.get(rows.Port, id=trunk.port_id)
    room = tx.get(rows.Network, id=parent.network_id).mtu
    for entry in sub_ports:
        port = get_port(tx, viewer, entry["port_id"])
        if port.id == trunk.port_id:
            raise Conflict(f"Port {port.id} is in use by trunk {trunk.id}.", kind="ParentPortInUse")
        _refuse_used(tx, port)
        if port.host_id and port.device_owner.startswith("compute:"):
            raise Conflict(f"Port {port.id} is in use by {port.device_id}.", kind="TrunkPortInUse")
        if tx.get(rows.Network, id=port.network_id).mtu > room:
            raise Conflict(
                f"MTU too low in trunk parent {parent.id} for port {port.id}.", kind="SubPortMtuGreaterThanTrunkPortMtu"
            )
        kind, number = _segment(tx, port, entry)
        if tx.find(rows.SubPort, trunk_id=trunk.id, segmentation_type=kind, segmentation_id=number):
            raise Conflict(f"segmentation_type {kind} and segmentation_id {number} already in use on trunk {trunk.id}.",
                           kind="DuplicateSubPort")  # fmt: skip
        tx.insert(rows.SubPort(port.id, trunk.id, kind, number))
        queries.save(tx, port, device_owner=rows.SUBPORT_OWNER, device_id=trunk.id, host_id=parent.host_id)
        changes.touch(tx, "port", port.id)


def _refuse_disabled(trunk: rows.Trunk) -> None:
    if not trunk.admin_state_up:
        raise Conflict(f"Trunk {trunk.id} is currently disabled.", kind="TrunkDisabled")


def add_members(tx: Tx, viewer: Viewer, trunk: rows.Trunk, sub_ports: Members) -> rows.Trunk:
    """Raises as `create_trunk`; Conflict for a disabled trunk."""
    _refuse_disabled(trunk)
    _check(sub_ports)
    _add(tx, viewer, trunk, sub_ports)
    return queries.save(tx, trunk)


def remove_members(tx: Tx, trunk: rows.Trunk, sub_ports: Members) -> rows.Trunk:
    """Raises NotFound for a port the trunk does not carry, Conflict for a disabled trunk."""
    _refuse_disabled(trunk)
    for entry in sub_ports:
        member = tx.find(rows.SubPort, port_id=entry["port_id"])
        if member is None or member.trunk_id != trunk.id:
            raise NotFound(f"SubPort on trunk {trunk.id} with parent port {trunk.port_id} could not be found.",
                           kind="SubPortNotFound")  # fmt: skip
        _release(tx, member)
    return queries.save(tx, trunk)


def _release(tx: Tx, member: rows.SubPort) -> None:
    tx.delete(rows.SubPort, port_id=member.port_id)
    port = tx.get(rows.Port, id=member.port_id)
    queries.save(tx, port, device_owner="", device_id="", host_id="", status="DOWN")
    changes.touch(tx, "port", port.id)


def update_trunk(tx: Tx, trunk: rows.Trunk, **values: Any) -> rows.Trunk:
    return queries.save(tx, trunk, **values)


def delete_trunk(tx: Tx, trunk: rows.Trunk) -> None:
    """Raises Conflict while a guest uses its port."""
    _refuse_disabled(trunk)
    parent = tx.get(rows.Port, id=trunk.port_id)
    if parent.host_id and parent.device_id:
        raise Conflict(f"Trunk {trunk.id} is currently in use.", kind="TrunkInUse")
    for member in tx.select(rows.SubPort, trunk_id=trunk.id):
        _release(tx, member)
    queries.drop_row(tx, trunk)
