"""Logs of what security groups let pass and drop; they are written on the hosts, by OVN's controller."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound
from pileus.network import rows
from pileus.network.drivers.translate.names import DROP_KEY
from pileus.network.store import changes, queries

KINDS = ("security_group",)


def get_log(tx: Tx, id: str) -> rows.Log:
    found = tx.find(rows.Log, id=id)
    if found is None:
        raise NotFound(f"Log resource {id[:60]} could not be found.", kind="LogResourceNotFound")
    return found


def create_log(tx: Tx, project_id: str, **values: Any) -> rows.Log:
    """Of one group, of a port's groups, or of all. Raises BadRequest, NotFound."""
    log = rows.Log(id=clock.new_id(), project_id=project_id, **values)
    if log.resource_type not in KINDS:
        raise BadRequest(f"Invalid log resource_type: {log.resource_type[:60]}.", kind="InvalidLogResourceType")
    if log.resource_id and tx.find(rows.SecurityGroup, id=log.resource_id) is None:
        raise NotFound(f"Log resource {log.resource_id} could not be found.", kind="ResourceNotFound")
    if log.target_id:
        port = tx.find(rows.Port, id=log.target_id)
        if port is None:
            raise NotFound(f"Target resource {log.target_id} could not be found.", kind="TargetResourceNotFound")
        if log.resource_id and log.resource_id not in port.security_groups:
            raise BadRequest(
                f"Port {port.id} is not in security group {log.resource_id}.", kind="InvalidResourceConstraint"
            )
    tx.insert(queries.stamped(log))
    _touch(tx, log)
    return log


def _touch(tx: Tx, log: rows.Log) -> None:
    """The rules that are logged, and what drops the rest."""
    if log.resource_id:
        groups = [log.resource_id]
    elif log.target_id:
        port = tx.find(rows.Port, id=log.target_id)
        groups = port.security_groups if port else []
    else:
        groups = [group.id for group in tx.select(rows.SecurityGroup)]
    changes.touch(tx, "security_group", *groups)
    changes.touch(tx, *DROP_KEY)


def update_log(tx: Tx, log: rows.Log, **values: Any) -> rows.Log:
    queries.save(tx, log, **values)
    _touch(tx, log)
    return log


def delete_log(tx: Tx, log: rows.Log) -> None:
    queries.drop_row(tx, log)
    _touch(tx, log)


def forget(tx: Tx, *, resource_id: str = "", target_id: str = "") -> None:
    """Logs end with the group or port that they are of."""
    for name, id in (("resource_id", resource_id), ("target_id", target_id)):
        for log in tx.select(rows.Log, **{name: id}) if id else []:
            delete_log(tx, log)
