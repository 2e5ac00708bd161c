"""Real OVN hosts in network namespaces, with namespaces as guests.

Everything lives in one temporary folder and a handful of namespaces named after this
process; `close` ends what was started, by pid. Of a run that was killed the processes end with
it, and the next one removes the namespaces.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SCHEMAS = {"nb": "/usr/share/ovn/ovn-nb.ovsschema", "sb": "/usr/share/ovn/ovn-sb.ovsschema"}
OUTSIDE = "172.24.4.1"
UDHCPC_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr replace "$ip/$mask" dev "$interface"
[ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
set -- $staticroutes
while [ $# -gt 1 ]; do
  if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2"; fi
  shift 2
done
[ -n "$staticroutes" ] || { [ -n "$router" ] && ip route replace default via "$router"; }
echo "$ip $mask $mtu $router $dns $domain" > "$LEASE"
"""


def run(*argv: str, check: bool = True, timeout: float = 30, **options: object) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload]
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return str(done.stdout)


def wait_for(what: Callable[[], object], seconds: float = 30, message: str = "") -> object:
    end = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        assert time.monotonic() < end, message or "it did not happen in time"
        time.sleep(0.2)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def remove_leftovers() -> None:
    """Namespaces of runs whose process is gone."""
    for path in Path("/run/netns").glob("pt*-*"):
        pid = path.name[2:].partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            run("ip", "netns", "del", path.name, check=False)


class Lab:
    def __init__(self, folder: Path, hosts: Sequence[str] = ("h1", "h2")) -> None:
        self.folder = folder
        remove_leftovers()
        self.tag = f"pt{os.getpid()}"
        self.hosts = list(hosts)
        self.namespaces: list[str] = []
        self.serial = itertools.count(1)
        self.processes: list[subprocess.Popen[bytes]] = []

    # -- start and stop ------------------------------------------------------

    def start_central(self) -> "Lab":
        for name, schema in SCHEMAS.items():
            run("ovsdb-tool", "create", str(self.folder / f"{name}.db"), schema)
            self.start_database(name)
        run("ovn-nbctl", f"--db={self.remote('nb')}", "init")
        run("ovn-sbctl", f"--db={self.remote('sb')}", "init")
        self._spawn("ovn-northd", f"--ovnnb-db={self.remote('nb')}", f"--ovnsb-db={self.remote('sb')}",
                    f"--unixctl={self.folder}/northd.ctl", log="northd")  # fmt: skip
        return self

    def start_database(self, name: str) -> subprocess.Popen[bytes]:
        started = self._spawn("ovsdb-server", str(self.folder / f"{name}.db"), f"--remote=p{self.remote(name)}",
                              f"--unixctl={self.folder}/{name}.ctl", log=name)  # fmt: skip
        wait_for(lambda: (self.folder / f"{name}.sock").exists(), message=f"{name} database did not start")
        return started

    def remote(self, name: str) -> str:
        return f"unix:{self.folder}/{name}.sock"

    def start_hosts(self) -> "Lab":
        for number, host in enumerate(self.hosts, 1):
            self._host(host, number)
        if len(self.hosts) == 2:
            one, two = (self.namespace(host) for host in self.hosts)
            run("ip", "link", "add", "tun", "netns", one, "type", "veth", "peer", "name", "tun", "netns", two)
            for host in self.hosts:
                self._cable(host, "tun", "br-phy")
        self._outside()
        return self

    def close(self) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace, check=False)

    def _spawn(self, *argv: str, log: str, namespace: str = "", env: dict[str, str] | None = None
               ) -> subprocess.Popen[bytes]:  # fmt: skip
        enter = ("ip", "netns", "exec", namespace) if namespace else ()
        with (self.folder / f"{log}.log").open("ab") as out:
            process = subprocess.Popen([*enter, *argv, "-vconsole:warn"], stdout=out, stderr=out,
                                       preexec_fn=die_with_parent,
                                       env={**os.environ, "OVN_RUNDIR": str(self.folder), **(env or {})})  # fmt: skip
        self.processes.append(process)
        return process

    # -- hosts ---------------------------------------------------------------

    def namespace(self, name: str) -> str:
        """The namespace of this name, made when first asked for."""
        full = f"{self.tag}-{name}"
        if full not in self.namespaces:
            run("ip", "netns", "add", full)
            self.namespaces.append(full)
            run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def vsctl(self, host: str, *argv: str) -> str:
        return run("ovs-vsctl", f"--db=unix:{self.folder}/{host}/db.sock", "--timeout=10", *argv)

    def _host(self, host: str, number: int) -> None:
        folder = self.folder / host
        folder.mkdir()
        namespace = self.namespace(host)
        db = f"unix:{folder}/db.sock"
        env = {"OVS_RUNDIR": str(folder), "OVN_RUNDIR": str(folder)}
        run("ovsdb-tool", "create", f"{folder}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        self._spawn("ovsdb-server", f"{folder}/conf.db", f"--remote=p{db}", f"--unixctl={folder}/db.ctl",
                    log=f"{host}-db", namespace=namespace, env=env)  # fmt: skip
        wait_for(lambda: (folder / "db.sock").exists())
        self.vsctl(host, "--no-wait", "init")
        self._spawn("ovs-vswitchd", db, f"--unixctl={folder}/vswitchd.ctl", log=f"{host}-vswitchd",
                    namespace=namespace, env=env)  # fmt: skip
        address = f"192.0.2.{number}"
        for bridge in ("br-phy", "br-ex"):
            self.vsctl(host, "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")
        run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "br-phy")
        for bridge in ("br-phy", "br-ex"):
            run("ip", "-n", namespace, "link", "set", bridge, "up")
        mappings = ["external-ids:ovn-bridge-mappings=public:br-ex"] if number == 1 else []
        self.vsctl(host, "set", "open", ".", f"external-ids:system-id={host}", f"external-ids:hostname={host}",
                   f"external-ids:ovn-remote={self.remote('sb')}", "external-ids:ovn-encap-type=geneve",
                   f"external-ids:ovn-encap-ip={address}", "external-ids:ovn-bridge-datapath-type=netdev",
                   *mappings)  # fmt: skip
        self._spawn("ovn-controller", db, log=f"{host}-controller", namespace=namespace, env=env)

    def _cable(self, host: str, device: str, bridge: str, *settings: str) -> None:
        """Checksum offload must be off: the userspace datapath would pass unfinished sums on."""
        namespace = self.namespace(host)
        run("ip", "netns", "exec", namespace, "ethtool", "-K", device, "tx", "off", check=False)
        run("ip", "-n", namespace, "link", "set", device, "up")
        self.vsctl(host, "add-port", bridge, device, *settings)

    def _outside(self) -> None:
        outside = self.namespace("out")
        first = self.namespace(self.hosts[0])
        run("ip", "link", "add", "out", "netns", outside, "type", "veth", "peer", "name", "ext", "netns", first)
        run("ip", "netns", "exec", outside, "ethtool", "-K", "out", "tx", "off", check=False)
        run("ip", "-n", outside, "addr", "add", f"{OUTSIDE}/24", "dev", "out")
        run("ip", "-n", outside, "link", "set", "out", "up")
        self._cable(self.hosts[0], "ext", "br-ex")

    # -- guests --------------------------------------------------------------

    def guest(self, host: str, port_id: str, mac: str) -> "Guest":
        number = next(self.serial)
        namespace = self.namespace(f"g{number}")
        device = f"v{number}"
        run("ip", "link", "add", device, "netns", self.namespace(host), "type", "veth",
            "peer", "name", "eth0", "netns", namespace)  # fmt: skip
        run("ip", "netns", "exec", namespace, "ethtool", "-K", "eth0", "tx", "off", check=False)
        run("ip", "-n", namespace, "link", "set", "eth0", "address", mac)
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        self._cable(host, device, "br-int", "--", "set", "interface", device, f"external_ids:iface-id={port_id}")
        return Guest(self, namespace)

    def outside(self) -> "Guest":
        return Guest(self, self.namespace("out"))


class Guest:
    def __init__(self, lab: Lab, namespace: str) -> None:
        self.lab, self.namespace = lab, namespace

    def run(self, *argv: str, check: bool = True, timeout: float = 30) -> str:
        return run("ip", "netns", "exec", self.namespace, *argv, check=check, timeout=timeout)

    def dhcp(self) -> str:
        """Asks for an address; what was leased: ip, prefix, mtu, router, dns, domain."""
        script = self.lab.folder / "udhcpc.sh"
        script.write_text(UDHCPC_SCRIPT)
        script.chmod(0o755)
        lease = self.lab.folder / f"{self.namespace}.lease"
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "10",
             "-T", "2", "-s", str(script), "-O", "staticroutes", "-O", "mtu", "-O", "domain"],
            capture_output=True, text=True, timeout=60, env={**os.environ, "LEASE": str(lease)}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return lease.read_text().strip()

    def pings(self, address: str, tries: int = 1) -> bool:
        return any(
            " 0% packet loss" in self.run("ping", "-n", "-c", "1", "-W", "1", address, check=False)
            for _ in range(tries)
        )

    def listen(self, port: int, text: str) -> None:
        """Serves one line to whoever connects."""
        code = (
            "import socket,sys\n"
            "s=socket.socket(socket.AF_INET6); s.setsockopt(41,26,0); s.setsockopt(1,2,1)\n"
            f"s.bind(('::',{port})); s.listen()\n"
            "while True:\n"
            f"    c,a=s.accept(); c.sendall({text!r}.encode()); c.close()\n"
        )
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, "python3", "-c", code], preexec_fn=die_with_parent
        )
        self.lab.processes.append(process)
        wait_for(lambda: f":{port}" in self.run("ss", "-ltn"))

    def reads(self, address: str, port: int) -> str:
        """What the other end says, empty if it cannot be reached."""
        return self.run("busybox", "nc", "-w", "3", address, str(port), check=False, timeout=10).strip()
