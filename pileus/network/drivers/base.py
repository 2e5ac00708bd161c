"""The contract of a network driver: make the network's rows so, and say what is so.

A driver speaks the words of the thing driven: what it is given are *rows* of OVN's
northbound database, grouped by the object of ours they come from. The translation of
our objects into such rows is pure and lives in `translate/`; the drivers only compare
and write. `ovn.py` is the real driver, `fake.py` keeps the same rows in memory.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from pileus.core.errors import EngineError, EngineUnavailable
from pileus.network.drivers.desired import Key, Row

# port id -> is it up, as the engine sees it
PortStates = Mapping[str, bool]


# What a driver raises: not answering now, the same call may work later; understood and refused, repeating will not help.
DriverUnavailable = EngineUnavailable
DriverRefused = EngineError


class MissingRows(Exception):
    """What was to be written points at objects that are not there yet: apply these too."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = frozenset(keys)
        super().__init__("rows of " + ", ".join(sorted("/".join(key) for key in self.keys)) + " are missing")


class Difference(msgspec.Struct, frozen=True):
    """One way in which the engine's tables differ from what they should be."""

    key: Key
    table: str
    problem: str  # "missing", "unexpected", or which columns differ


class Chassis(msgspec.Struct, frozen=True, kw_only=True):
    """A host that takes part in the network."""

    name: str
    hostname: str
    physnets: tuple[str, ...] = ()
    alive: bool = True
    last_seen: float | None = None  # seconds since the epoch
    encap_ip: str = ""


class NetworkDriver(Protocol):
    """Eight calls; none of them decides anything."""

    def apply(self, desired: Mapping[Key, Sequence[Row]]) -> None:
        """Make the rows of these objects be exactly these, in one transaction; no rows = the object is gone.

        Called by the reconcile task with the objects that changed. May be repeated. Raises MissingRows when
        a row points at an object that exists neither in the engine nor in `desired`.
        """

    def compare(self, desired: Mapping[Key, Sequence[Row]]) -> list[Difference]:
        """How the engine differs from the *whole* desired state. Called at start, once a minute, and by fsck."""

    def port_states(self, ids: Collection[str] | None = None) -> dict[str, bool]:
        """Which ports are up; all of them without `ids`."""

    def chassis(self) -> list[Chassis]:
        """The hosts known to the engine. Called for agents lists and to place gateways."""

    def forget_chassis(self, name: str) -> None:
        """A host is gone for good. Called when an operator deletes its agent; forgetting twice is fine."""

    def ping(self) -> None:
        """Ask every host for a sign of life; `chassis` tells who answered. Called once a minute."""

    def on_change(self, ports_changed: Callable[[PortStates], None], chassis_changed: Callable[[], None]) -> None:
        """Whom to tell when ports go up or down, and when hosts come, go or change. Callbacks must be short."""

    def stop(self) -> None:
        """Let go of connections; called once, at the end."""
