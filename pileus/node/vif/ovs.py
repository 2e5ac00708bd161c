"""Open vSwitch on this host, through ovs-vsctl: a few rare commands, for which a process each is cheap enough."""

from pileus.node.errors import NodeError, NodeUnavailable
from pileus.node.run import run

BRIDGE = "br-int"
SECONDS = 10


class OpenVSwitch:
    def __init__(self, db: str) -> None:
        self.db = db
        self._datapath = ""
        self._address = ""

    def _vsctl(self, *args: str) -> str:
        try:
            return run("ovs-vsctl", f"--db={self.db}", f"--timeout={SECONDS}", *args, seconds=SECONDS + 5).strip()
        except NodeError as e:
            if "no bridge named" in e.message or "connection failed" in e.message or "connect" in e.message:
                raise NodeUnavailable(e.message) from e
            raise

    @property
    def userspace(self) -> bool:
        """Whether the datapath is the userspace one, which cannot finish a checksum left to hardware."""
        if not self._datapath:
            self._datapath = self._vsctl("get", "bridge", BRIDGE, "datapath_type").strip('"') or "system"
        return self._datapath == "netdev"

    def list_ports(self) -> list[str]:
        return self._vsctl("list-ports", BRIDGE).split()

    def ensure_port(self, device: str, port_id: str) -> None:
        """Join a device to a logical port."""
        self._vsctl(
            "--may-exist", "add-port", BRIDGE, device, "--", "set", "Interface", device, f"external_ids:iface-id={port_id}",
        )  # fmt: skip

    def remove_port(self, device: str) -> None:
        self._vsctl("--if-exists", "del-port", BRIDGE, device)

    def tunnel_address(self) -> str:
        """Asked for at every heartbeat, set once: remembered."""
        if not self._address:
            value = self._vsctl("--if-exists", "get", "Open_vSwitch", ".", "external_ids:ovn-encap-ip")
            self._address = value.strip('"')
        return self._address
