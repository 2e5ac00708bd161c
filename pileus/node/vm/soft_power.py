"""Soft stop and soft reboot: the button is pressed, the guest has its time, then the plug is pulled."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from pileus.node.errors import NodeFault
from pileus.node.vm.hypervisor import Hypervisor

LOG = logging.getLogger("pileus.node.vm")

LOOK_SECONDS = 1.0  # events usually wake earlier; one may get lost


class Waiting:
    """One guest that was asked to go down."""

    def __init__(self) -> None:
        self.cancelled = False
        self.woken = threading.Event()


class SoftPower:
    """At most one waiting per server; a newer wish cancels it. The end is reported under the server's lock."""

    def __init__(
        self,
        hypervisor: Hypervisor,
        locked: Callable[[str], AbstractContextManager[None]],
        ended: Callable[[str, bool], None],
    ) -> None:
        self._hypervisor, self._locked, self._ended = hypervisor, locked, ended
        self._waiting: dict[str, Waiting] = {}

    def begin(self, server_id: str, timeout: float, restart: bool) -> None:
        """Under the server's lock."""
        waiting = self._waiting[server_id] = Waiting()
        work = threading.Thread(
            target=self._wait, args=(server_id, waiting, timeout, restart), name=f"soft-{server_id[:8]}", daemon=True
        )
        work.start()

    def active(self, server_id: str) -> bool:
        return server_id in self._waiting

    def look(self, server_id: str) -> None:
        """Something happened to the server."""
        if waiting := self._waiting.get(server_id):
            waiting.woken.set()

    def cancel(self, server_id: str) -> None:
        if waiting := self._waiting.pop(server_id, None):
            waiting.cancelled = True
            waiting.woken.set()

    def stop(self) -> None:
        for server_id in list(self._waiting):
            self.cancel(server_id)

    def _wait(self, server_id: str, waiting: Waiting, timeout: float, restart: bool) -> None:
        end = time.monotonic() + timeout
        while not waiting.cancelled and time.monotonic() < end and not self._is_off(server_id):
            waiting.woken.wait(min(LOOK_SECONDS, max(0.0, end - time.monotonic())))
            waiting.woken.clear()
        with self._locked(server_id):
            if waiting.cancelled:
                return
            try:
                self._hypervisor.pull_plug(server_id)
                del self._waiting[server_id]
                self._ended(server_id, restart)
            except NodeFault as e:  # libvirt went away: what should be is on disk, and restored when it is back
                self._waiting.pop(server_id, None)
                LOG.warning("soft power of server %s: %s", server_id, e)

    def _is_off(self, server_id: str) -> bool:
        try:
            found = self._hypervisor.find(server_id)
        except NodeFault:
            return False
        return found is None or found.power_state in ("shutdown", "crashed")
