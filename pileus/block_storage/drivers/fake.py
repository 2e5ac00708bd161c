"""The volumes of fake nodes, which can be told to fail at a call, as the nodes themselves can."""

from typing import Any

from pileus.block_storage.drivers.base import Volumes
from pileus.core.errors import EngineUnavailable


class FailingVolumes:
    """Obeys `base.Volumes`, as what it asks does."""

    def __init__(self, volumes: Volumes):
        self._volumes = volumes
        self._faults: dict[str, list[Exception]] = {}

    def fail(self, call: str, times: int = 1, error: Exception | None = None) -> None:
        """Let the next calls of this name raise, before they do anything. `times=0` forgets."""
        self._faults[call] = [error or EngineUnavailable(f"told to fail at {call}")] * times

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._volumes, name)

        def entered(*args: Any) -> Any:
            if faults := self._faults.get(name):
                raise faults.pop()
            return call(*args)

        return entered
