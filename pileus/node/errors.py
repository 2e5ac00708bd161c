"""What can go wrong between controller and node: three kinds, because callers act differently on three."""

from typing import Literal

from pileus.core.errors import EngineError, EngineUnavailable

Kind = Literal["not_found", "invalid", "in_use", "no_space", "engine", "unavailable", "version"]


class NodeFault(Exception):
    """Anything a call to a node may raise."""


class NodeUnavailable(NodeFault, EngineUnavailable):
    """Nobody answered, or an engine on the host (libvirt, Open vSwitch) does not: the same call later makes sense."""


class VersionMismatch(NodeFault, EngineError):
    """Node and controller speak different versions: retrying is useless until one of them is updated."""


class NodeError(NodeFault, EngineError):
    """The node understood and said no; `kind` is for code, `message` for the server's fault."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
