"""What must stay true of servers and hosts: who reports, which guests run, what is left over."""

import threading
from typing import Any

from pileus.compute import hosts, instance_actions, states
from pileus.compute.drivers import Nodes
from pileus.compute.store import Server
from pileus.core import log, saga
from pileus.core.db import Tx
from pileus.core.errors import EngineUnavailable
from pileus.core.reconcile import Task
from pileus.node import protocol as p

_log = log.logger("pileus.compute")
WAIT = 20.0  # of a long poll: also the pause between two heartbeats


class Watcher:
    """Follows one node's events for ever."""

    def __init__(self, cloud: Any, name: str, node: p.Node):
        self.cloud = cloud
        self.name = name
        self.node = node
        self.epoch = ""
        self.last = 0

    def follow(self) -> None:
        while not self.cloud.stopping.is_set():
            try:
                self.look(WAIT)
            except EngineUnavailable as error:
                _log.info("a node does not answer", extra={"node": self.name, "why": str(error)})
                self.cloud.stopping.wait(2)
            except Exception:
                _log.exception("a node's events could not be read", extra={"node": self.name})
                self.cloud.stopping.wait(5)
        self.cloud.db.close()

    def look(self, wait: float) -> None:
        """One long poll, and what came of it written down."""
        reply = self.node.events(p.EventsArgs(epoch=self.epoch, after=self.last, wait=wait))
        inventory = next((event.inventory for event in reversed(reply.events) if event.inventory), None)
        power = [event for event in reply.events if event.kind == "power"]
        report = self.node.list_instances() if reply.lost else None
        with self.cloud.db.write() as tx:
            hosts.report(tx, self.name, inventory)
            for event in power:
                note_power(tx, self.name, event.server_id, event.power_state)
            for state in report.instances if report else []:
                if state.domain:
                    note_power(tx, self.name, state.server_id, state.power_state)
        self.epoch, self.last = reply.epoch, reply.last


def note_power(tx: Tx, host: str, server_id: str, power: p.PowerState) -> None:
    """A guest was seen in this state. What nobody is working on takes the state that it shows."""
    server = tx.find(Server, id=server_id)
    if server is None or server.host != host:
        return
    changes: dict[str, Any] = {"power_state": states.POWER[power]}
    if server.task_state is None and not saga.unfinished(tx, f"server/{server_id}"):
        if power in ("shutdown", "crashed") and server.vm_state == states.ACTIVE:
            changes["vm_state"] = states.STOPPED
        elif power == "running" and server.vm_state == states.STOPPED:
            changes["vm_state"] = states.ACTIVE
    if any(getattr(server, name) != value for name, value in changes.items()):
        tx.update(Server, server_id, **changes)



def watch_nodes(cloud: Any) -> None:
    """A thread for each node that is followed; those of a cloud are started once."""
    nodes: Nodes = cloud.drivers["compute"]
    for name, node in nodes.items():
        if name in nodes.watched:
            continue
        nodes.watched.add(name)
        watcher = Watcher(cloud, name, node)
        threading.Thread(target=watcher.follow, name=f"watch-{name}", daemon=True).start()


def forget_old_actions(cloud: Any) -> None:
    with cloud.db.write() as tx:
        instance_actions.forget_old(tx)


TASKS = [
    Task("compute-watch", watch_nodes, 10.0),
    Task("compute-actions", forget_old_actions, 3600.0),
]
