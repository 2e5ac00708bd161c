"""The list of services, and what each brings: routes, rules, sagas, tasks, drivers. Adding a service is a line here."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from pileus.core import saga
from pileus.core.policy import Rule
from pileus.core.reconcile import Difference, Task
from pileus.core.routes import Service
from pileus.core.saga import Saga

# Identity first: it also answers at the root and for paths that are nobody's.
SERVICES = ["identity", "image", "network", "block_storage", "compute", "object_storage"]


def _room(service: str, room: str) -> ModuleType | None:
    """A room of a service, or None when it has no such room."""
    name = f"pileus.{service}.{room}"
    if importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)


def _each(room: str) -> Iterator[tuple[str, ModuleType]]:
    for service in SERVICES:
        if module := _room(service, room):
            yield service, module


def apis() -> list[Service]:
    """The declared APIs, with all their routes."""
    return [api for _, module in _each("api") for api in module.APIS]


def rules() -> dict[str, list[Rule]]:
    """By service: a rule's name is known only there."""
    return {service: module.RULES for service, module in _each("policy")}


def sagas() -> list[Saga]:
    return [saga for _, module in _each("sagas") for saga in module.SAGAS]


def tasks() -> list[Task]:
    return [*saga.TASKS, *(task for _, module in _each("reconcile") for task in module.TASKS)]


def comparisons() -> list[tuple[str, Callable[[Any], Iterable[Difference]]]]:
    """By service: how what is differs from what should be; `pileus fsck` prints it."""
    return [(name, module.differences) for name, module in _each("reconcile") if hasattr(module, "differences")]


def driver(service: str, cloud: Any) -> Any:
    """What a service works on outside the database: real engines, or fakes in a fake cloud."""
    return importlib.import_module(f"pileus.{service}.drivers").make(cloud)


def load() -> None:
    """Import every room that a controller works in."""
    for room in ("api", "policy", "sagas", "reconcile", "store"):
        for _ in _each(room):
            pass


def stores() -> None:
    """Import every service's tables."""
    for _ in _each("store"):
        pass
