"""A host with real engines and a real node process on it, and one logical switch for its guests."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pileus.deploy import lab, state
from pileus.deploy.teardown import stop_cloud
from pileus.node import protocol as p
from pileus.node.client import NodeClient
from pileus.node.errors import NodeFault
from pileus.node.metadata.tree import link_local

ROOT = Path(__file__).parents[2]


def wait_for(what: Callable[[], Any], seconds: float = 30, message: str = "") -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, message or "it did not happen in time"
        time.sleep(0.1)
    return found


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test run leaves nothing


class NodeLab:
    """Engines by the deploying room, the node as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network_id = str(uuid.uuid4())
        self.process: subprocess.Popen[bytes] | None = None
        self._serial = 10
        self.start_engines()

    def start_engines(self) -> None:
        cloud = lab.start(self.folder, for_pid=os.getpid())
        self.host = lab.show(cloud)["hosts"][0]
        self.nb = lab.show(cloud)["ovn_nb"]
        self.client = NodeClient(self.host["socket"])

    def stop_engines(self) -> None:
        """What a power cut does, but for the files."""
        cloud = state.read(self.folder)
        if cloud:
            stop_cloud(cloud, lambda _: None)

    def close(self) -> None:
        self.stop_node()
        self.stop_engines()

    def start_node(self) -> None:
        argv = [*self.host["enter"], sys.executable, "-m", "pileus", "node", "--dir", self.host["dir"],
                "--name", self.host["name"], "--socket", self.host["socket"], "--libvirt", self.host["libvirt"],
                "--ovsdb", self.host["ovsdb"], "--accel", "tcg"]  # fmt: skip
        with (self.folder / "node-process.log").open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=environment, cwd="/", preexec_fn=die_with_parent
            )
        wait_for(self._answers, 60, "the node does not answer")

    def stop_node(self, how: int = signal.SIGTERM) -> int | None:
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process = None
        return code

    def _answers(self) -> bool:
        try:
            self.client.list_instances()
        except NodeFault:
            return False
        return True

    def inside(self, *argv: str, check: bool = True) -> str:
        done = subprocess.run([*self.host["enter"], *argv], capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def nbctl(self, *argv: str) -> str:
        done = subprocess.run(
            ["ovn-nbctl", f"--db={self.nb}", "--timeout=15", *argv], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def make_network(self) -> p.MetadataArgs:
        """A switch 10.9.0.0/24 with DHCP and the metadata port at .2."""
        port_id, mac = str(uuid.uuid4()), "fa:16:3e:00:00:02"
        self.nbctl("--may-exist", "ls-add", self.network_id)
        self.nbctl("lsp-add", self.network_id, port_id, "--", "lsp-set-type", port_id, "localport",
                   "--", "lsp-set-addresses", port_id, f"{mac} 10.9.0.2")  # fmt: skip
        self.nbctl(
            "create", "DHCP_Options", 'cidr="10.9.0.0/24"', 'options:server_id="10.9.0.1"',
            'options:server_mac="fa:16:3e:00:00:01"', 'options:lease_time="3600"', 'options:mtu="1442"',
            'options:classless_static_route="{169.254.169.254/32,10.9.0.2}"',
        )  # fmt: skip
        return p.MetadataArgs(network_id=self.network_id, port_id=port_id, mac=mac, cidrs=["10.9.0.2/24"])

    def make_nic(self) -> p.Nic:
        """A logical port; the metadata service knows its address, DHCP gives it."""
        self._serial += 1
        port_id, mac = str(uuid.uuid4()), f"fa:16:3e:00:00:{self._serial:02x}"
        address = f"10.9.0.{self._serial}"
        allowed = f"{mac} {address} {link_local(mac)}"
        options = self.nbctl("--bare", "--columns=_uuid", "find", "DHCP_Options", 'cidr="10.9.0.0/24"')
        self.nbctl("lsp-add", self.network_id, port_id, "--", "lsp-set-addresses", port_id, f"{mac} {address}",
                   "--", "lsp-set-port-security", port_id, allowed,
                   "--", "lsp-set-dhcpv4-options", port_id, options)  # fmt: skip
        fixed = p.FixedIP(address=address, prefix=24)
        return p.Nic(port_id=port_id, mac=mac, network_id=self.network_id, fixed_ips=[fixed])
