"""The real driver: OVN's northbound and southbound databases through `ovsdbapp`.

The library keeps both databases in memory and reconnects by itself; the first connection
is made when first needed, so the controller starts without OVN and catches up later.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ovsdbapp.backend.ovs_idl import connection, transaction
from ovsdbapp.exceptions import OvsdbAppException

from pileus.network.drivers import northbound
from pileus.network.drivers.base import Chassis, Difference, DriverRefused, DriverUnavailable, PortStates
from pileus.network.drivers.desired import ID, KIND, Key, Row

log = logging.getLogger(__name__)

NORTHBOUND_TABLES = ("NB_Global", *northbound.TABLES)
SOUTHBOUND_TABLES = ("Chassis", "Chassis_Private", "Encap")
SILENT_SECONDS = 75.0  # after which a host that has not answered a ping counts as dead


class _Idl(connection.OvsdbIdl):  # type: ignore[misc]
    """The library's copy of a database, telling us of changes as they arrive."""

    listener: Callable[[str, Any, Any], None] | None = None

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        if self.listener is not None:
            try:
                self.listener(event, row, updates)
            except Exception:  # an exception here would tear the library's view of the database
                log.exception("change of %s not handled", row._table.name)


class Database:
    """One connection: started on first use, one thread, transactions one after the other."""

    def __init__(self, remote: str, schema: str, tables: Sequence[str], timeout: float) -> None:
        self.remote, self.schema, self.tables, self.timeout = remote, schema, tables, timeout
        self.listener: Callable[[str, Any, Any], None] | None = None
        self._lock = threading.Lock()
        self._connection: Any = None

    def connect(self) -> Any:
        """The running connection; raises DriverUnavailable."""
        with self._lock:
            if self._connection is None:
                try:
                    self._connection = self._start()
                except Exception as error:  # whatever the library raises: no socket, no schema, no answer
                    raise DriverUnavailable(f"{self.schema} at {self.remote}: {error}") from error
            return self._connection

    def _start(self) -> Any:
        idl = _Idl.from_server(self.remote, self.schema, helper_tables=self.tables)
        idl.listener = self.listener
        if self.schema == "OVN_Northbound":
            northbound.create_indexes(idl)
        started = connection.Connection(idl, self.timeout)
        started.start()
        return started

    @property
    def idl(self) -> Any:
        return self.connect().idl

    def transact(self, *commands: "Command") -> None:
        try:
            running = self.connect()
            txn = transaction.Transaction(running, running, timeout=self.timeout, check_error=True, log_errors=False)
            for command in commands:
                txn.add(command)
            txn.commit()
        except OvsdbAppException as error:
            raise DriverUnavailable(f"{self.schema} at {self.remote}: {error}") from error
        except RuntimeError as error:
            if "timed out" in str(error):
                raise DriverUnavailable(f"{self.schema} at {self.remote}: {error}") from error
            raise DriverRefused(str(error)) from error

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.stop(timeout=5)
                self._connection = None


class Command:
    """What a transaction runs in the database's own thread; again from the start if it lost a race."""

    result = None

    def __init__(self, work: Callable[[Any], None]) -> None:
        self.run_idl = work

    def post_commit(self, txn: Any) -> None:
        """Nothing to read back."""


class OvnDriver:
    def __init__(self, northbound_remote: str, southbound_remote: str, timeout: float = 30.0) -> None:
        self.nb = Database(northbound_remote, "OVN_Northbound", NORTHBOUND_TABLES, timeout)
        self.sb = Database(southbound_remote, "OVN_Southbound", SOUTHBOUND_TABLES, timeout)

    def apply(self, desired: Mapping[Key, Sequence[Row]]) -> None:
        idl = self.nb.idl
        self.nb.transact(Command(lambda txn: northbound.Writer(idl, txn, desired).run()))

    def compare(self, desired: Mapping[Key, Sequence[Row]]) -> list[Difference]:
        running = self.nb.connect()
        with running.lock:
            return northbound.compare(running.idl, desired)

    def port_states(self, ids: Collection[str] | None = None) -> dict[str, bool]:
        running = self.nb.connect()
        with running.lock:
            if ids is None:
                rows = running.idl.tables["Logical_Switch_Port"].rows.values()
            else:
                found = (northbound.rows_of(running.idl, ("port", id_)) for id_ in ids)
                rows = [row for rows_ in found if (row := rows_.get(("Logical_Switch_Port", "")))]
            return {id_: bool(row.up and row.up[0]) for row in rows if (id_ := _port_id(row))}

    def chassis(self) -> list[Chassis]:
        southbound = self.sb.connect()
        current = self._nb_cfg()
        with southbound.lock:
            tables = southbound.idl.tables
            private = {row.name: row for row in tables["Chassis_Private"].rows.values()}
            return [_chassis(row, private.get(row.name), current) for row in tables["Chassis"].rows.values()]

    def _nb_cfg(self) -> int:
        running = self.nb.connect()
        with running.lock:
            return max((int(row.nb_cfg) for row in running.idl.tables["NB_Global"].rows.values()), default=0)

    def forget_chassis(self, name: str) -> None:
        idl = self.sb.idl

        def remove(txn: Any) -> None:
            for table in ("Chassis_Private", "Chassis"):
                for row in [row for row in idl.tables[table].rows.values() if row.name == name]:
                    row.delete()

        self.sb.transact(Command(remove))

    def ping(self) -> None:
        idl = self.nb.idl

        def bump(txn: Any) -> None:
            for row in list(idl.tables["NB_Global"].rows.values()):
                row.nb_cfg = row.nb_cfg + 1

        self.nb.transact(Command(bump))

    def on_change(self, ports_changed: Callable[[PortStates], None], chassis_changed: Callable[[], None]) -> None:
        def northbound_changed(event: str, row: Any, updates: Any) -> None:
            if row._table.name != "Logical_Switch_Port" or event == "delete":
                return
            if (event == "create" or hasattr(updates, "up")) and (id_ := _port_id(row)):
                ports_changed({id_: bool(row.up and row.up[0])})

        def southbound_changed(event: str, row: Any, updates: Any) -> None:
            if row._table.name == "Chassis" and (event != "update" or hasattr(updates, "other_config")):
                chassis_changed()

        self.nb.listener, self.sb.listener = northbound_changed, southbound_changed

    def stop(self) -> None:
        self.nb.close()
        self.sb.close()


def _port_id(row: Any) -> str:
    ids = row.external_ids
    return row.name if ids.get(KIND) == "port" and ids.get(ID) == row.name else ""


def _chassis(row: Any, private: Any | None, current: int) -> Chassis:
    settings = {**row.external_ids, **row.other_config}
    mappings = settings.get("ovn-bridge-mappings", "")
    seen = float(private.nb_cfg_timestamp) / 1000 if private is not None and private.nb_cfg_timestamp else None
    caught_up = private is not None and private.nb_cfg >= current
    return Chassis(
        name=row.name,
        hostname=row.hostname or row.name,
        physnets=tuple(pair.partition(":")[0] for pair in mappings.split(",") if pair),
        alive=caught_up or (seen is not None and time.time() - seen < SILENT_SECONDS),
        last_seen=seen,
        encap_ip=next((encap.ip for encap in row.encaps), ""),
    )
