"""The network namespaces of a cloud's hosts and the wires between them.

    machine                 pileus-HASH-net                      pileus-HASH-1 (a host)
    pileus-HASH ─── gateway ┤ external (bridge) ├ x1 ─────────── external ┤ br-ex  ├ br-int ┤ guests
                            ┤ tunnels  (bridge) ├ t1 ─────────── tunnel ──┤ br-phy (192.0.2.1)

Every host has a leg in the external network, so that any of them may be the gateway of a router. Of the machine's own
network nothing changes but the one device, which carries the gateway address of the external network.
"""

import contextlib
import hashlib
import ipaddress
import json
import os
from pathlib import Path

from pileus.deploy.errors import DeployError
from pileus.deploy.process import run
from pileus.deploy.state import Cloud, External

NAMESPACES = Path("/run/netns")


def ip(*lines: str, namespace: str = "") -> None:
    """Several `ip` commands in one process."""
    run("ip", *(["-n", namespace] if namespace else []), "-batch", "-", stdin="\n".join(lines) + "\n")


def exists(namespace: str) -> bool:
    """Whether it is a namespace and not the empty file that a restart of the machine leaves."""
    try:
        return (NAMESPACES / namespace).stat().st_dev != NAMESPACES.stat().st_dev
    except FileNotFoundError:
        return False


def ensure_namespace(name: str) -> bool:
    """True when it had to be made."""
    if exists(name):
        return False
    (NAMESPACES / name).unlink(missing_ok=True)
    try:
        run("ip", "netns", "add", name)
    except DeployError as error:
        raise DeployError(f"No network namespace can be made here ({error}): try `pileus up --fake`.") from error
    ip("link set lo up", namespace=name)
    return True


def devices(namespace: str = "") -> set[str]:
    links = json.loads(run("ip", *(["-n", namespace] if namespace else []), "-json", "link", "show"))
    return {link["ifname"] for link in links}


def mac(cloud: Cloud, role: str) -> str:
    """The same after every start: OVN remembers its neighbours for good."""
    digest = hashlib.sha256(f"{cloud.id} {role}".encode()).digest()
    return "02:" + ":".join(f"{byte:02x}" for byte in digest[:5])


def ensure_underlay(cloud: Cloud) -> None:
    """Switches between the hosts, and the wire to the machine."""
    net = cloud.underlay
    ensure_namespace(net)
    present = devices(net)
    for bridge in ("tunnels", "external"):
        if bridge not in present:
            ip(f"link add {bridge} type bridge forward_delay 0", f"link set {bridge} up", namespace=net)
    if "gateway" not in present or cloud.prefix not in devices():
        remove_device(cloud.prefix)
        ip(f"link add {cloud.prefix} address {mac(cloud, 'gateway')} type veth peer name gateway netns {net}")
    # The userspace datapath does not fill in checksums which a device was to compute.
    run("ethtool", "-K", cloud.prefix, "tx", "off")
    ip(f"addr replace {cloud.external.address} dev {cloud.prefix}", f"link set {cloud.prefix} up")
    ip("link set gateway master external up", namespace=net)


def ensure_wires(cloud: Cloud, index: int, namespace: str) -> None:
    """One host's two cables."""
    net = cloud.underlay
    ensure_namespace(namespace)
    present = devices(namespace)
    for device, short, bridge in (("tunnel", "t", "tunnels"), ("external", "x", "external")):
        if device in present:
            continue
        far = f"{short}{index}"
        ip(
            f"link add {device} address {mac(cloud, f'{device} {index}')} type veth peer name {far} netns {net}",
            f"link set {device} up",
            namespace=namespace,
        )
        ip(f"link set {far} master {bridge} up", namespace=net)
        run("ip", "netns", "exec", namespace, "ethtool", "-K", device, "tx", "off")


def remove_device(name: str) -> None:
    if name in devices():
        try:
            run("ip", "link", "delete", name)
        except DeployError:
            if (
                name in devices()
            ):  # else it went just now with the namespace of its other end, which the kernel does late
                raise


def remove_namespace(name: str) -> None:
    path = NAMESPACES / name
    if exists(name):
        run("ip", "netns", "delete", name)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def namespaces(cloud: Cloud) -> list[str]:
    """Those of this cloud that are there, also of hosts it no longer has."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(name for name in os.listdir(NAMESPACES) if name.startswith(f"{cloud.prefix}-"))
    return []


def choose_external(cloud: Cloud) -> External:
    """The wanted network, or the next one that nothing on this machine has to do with."""
    taken = [
        ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network
        for link in json.loads(run("ip", "-json", "-4", "address", "show"))
        if link.get("ifname") != cloud.prefix
        for address in link.get("addr_info", [])
    ]
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        destination = route.get("dst", "default")
        if destination != "default" and route.get("dev") != cloud.prefix:
            with contextlib.suppress(ValueError):
                taken.append(ipaddress.ip_network(destination, strict=False))
    wanted = ipaddress.ip_network(cloud.external.cidr)
    others = (ipaddress.ip_network(f"172.24.{third}.0/24") for third in range(4, 255))
    for network in (wanted, *others):
        if not any(network.overlaps(other) for other in taken):
            return External(cloud.external.physnet, str(network), str(network[1]), cloud.external.dns)
    raise DeployError("No network 172.24.N.0/24 is free on this machine: stop another cloud with `pileus down`.")
