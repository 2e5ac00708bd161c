"""The nodes of this cloud, real or fake, by name."""

from typing import Any

from pileus.core import log
from pileus.core.errors import EngineUnavailable
from pileus.core.reconcile import Difference
from pileus.node.client import NodeClient
from pileus.node.fake import FakeNode
from pileus.node.protocol import Node


class Nodes:
    """A registry: each node is asked by the name under which its host reported."""

    def __init__(self, nodes: dict[str, Node]):
        self._nodes = nodes
        self.watched: set[str] = set()  # whose events a thread of this process follows
        self.told: dict[str, str] = {}  # by server: the floating address its guest's metadata names
        self.seen_before: list[Difference] = []  # at the last comparison with the rows

    def get(self, name: str) -> Node:
        """Raises EngineUnavailable for a node that this cloud no longer has."""
        found = self._nodes.get(name)
        if found is None:
            raise EngineUnavailable(f"there is no node {name} in this cloud's settings")
        return found

    def items(self) -> list[tuple[str, Node]]:
        return list(self._nodes.items())

    def add(self, name: str, node: Node) -> None:
        self._nodes[name] = node

    @property
    def fakes(self) -> dict[str, FakeNode]:
        return {name: node for name, node in self._nodes.items() if isinstance(node, FakeNode)}


def make(cloud: Any) -> Nodes:
    """Clients of the configured nodes, and as many fakes as the settings ask for."""
    nodes: dict[str, Node] = {}
    for address in cloud.settings.nodes:
        nodes[address.name] = NodeClient(address.socket, request_id=lambda: log.request_id.get() or None)
    for number in range(1, cloud.settings.fake_nodes + 1):
        nodes[f"fake-{number}"] = FakeNode(f"fake-{number}")
    return Nodes(nodes)
