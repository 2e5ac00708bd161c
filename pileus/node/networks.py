"""The networks this host answers metadata in: told once, kept on disk, opened again when the node starts."""

import logging
import threading
from pathlib import Path

import msgspec

from pileus.node.disk.images import checked_id, write_atomically
from pileus.node.errors import NodeFault
from pileus.node.metadata.namespace import Namespace, outer_name, remove_foot
from pileus.node.metadata.service import MetadataService
from pileus.node.protocol import MetadataArgs
from pileus.node.vif.ovs import OpenVSwitch

LOG = logging.getLogger("pileus.node.metadata")


class Networks:
    def __init__(self, folder: Path, ovs: OpenVSwitch, service: MetadataService) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ovs, self._service = ovs, service
        self._open: dict[str, Namespace] = {}
        self._lock = threading.Lock()

    def list(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def ensure(self, args: MetadataArgs) -> None:
        with self._lock:
            opened = self._open.get(args.network_id)
            if opened and opened.args == args:
                return
            write_atomically(self._note(args.network_id), msgspec.json.encode(args))
            self._shut(args.network_id)
            self._start(args)

    def remove(self, network_id: str) -> None:
        with self._lock:
            self._shut(network_id)
            remove_foot(outer_name(checked_id(network_id)), self._ovs)
            self._note(network_id).unlink(missing_ok=True)

    def reopen(self) -> None:
        """What is on disk and not open: after a start, or when Open vSwitch was away."""
        for network_id in self.list():
            with self._lock:
                if network_id in self._open or not self._note(network_id).exists():
                    continue
                try:
                    self._start(msgspec.json.decode(self._note(network_id).read_bytes(), type=MetadataArgs))
                except (NodeFault, msgspec.MsgspecError) as e:
                    LOG.warning("no metadata in network %s yet: %s", network_id, e)

    def stop(self) -> None:
        """The process ends: namespaces and their feet go with it; what was told stays on disk."""
        with self._lock:
            for network_id in list(self._open):
                self._shut(network_id)

    def _start(self, args: MetadataArgs) -> None:
        namespace = Namespace(args, self._ovs)
        self._open[args.network_id] = namespace
        self._service.open(args.network_id, namespace.sockets)

    def _shut(self, network_id: str) -> None:
        if opened := self._open.pop(network_id, None):
            self._service.close(network_id)
            opened.close()

    def _note(self, network_id: str) -> Path:
        return self.folder / f"{checked_id(network_id)}.json"
