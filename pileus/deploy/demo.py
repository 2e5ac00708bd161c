"""A first server in a cloud, from the outside: everything here goes through the public APIs, as any user's program would.

Each step looks first and makes only what is missing, so that a second run changes nothing.
"""

import ipaddress
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pileus.deploy import state
from pileus.deploy.client import Client, Refused
from pileus.deploy.errors import DeployError
from pileus.deploy.process import PATH, run
from pileus.deploy.state import Cloud

Report = Callable[[str], None]

# name: memory MiB, virtual processors, disk GB
FLAVORS = {
    "m1.nano": (192, 1, 1),
    "m1.micro": (256, 1, 1),
    "m1.tiny": (512, 1, 1),
    "m1.small": (2048, 1, 20),
    "m1.medium": (4096, 2, 40),
    "m1.large": (8192, 4, 80),
    "m1.xlarge": (16384, 8, 160),
}
IMAGE, NAME, USER = "cirros", "demo", "cirros"
PATIENCE = 300.0  # seconds for a server to be there, and once more for its login
# Run by the guest's shell.
GREETING = "cat /etc/motd; uname -snr; uptime"


@dataclass(frozen=True)
class Shown:
    """What the demo ends with."""

    address: str
    greeting: str


def run_demo(cloud: Cloud, cache: Path, report: Report) -> Shown:
    passwords = state.passwords(cloud.folder)
    admin = Client(cloud.auth_url, "admin", passwords["admin_password"], "admin")
    public = ensure_public_network(admin, cloud, report)
    ensure_user(admin, passwords["demo_password"], report)
    ensure_flavors(admin, report)
    image = ensure_image(admin, cloud, cache, report)
    demo = Client(cloud.auth_url, NAME, passwords["demo_password"], NAME)
    network = ensure_network(demo, public, report)
    ensure_rules(demo, report)
    key = ensure_key(demo, cloud.folder / "demo_key", report)
    server = ensure_server(demo, image, network, report)
    address = ensure_floating_ip(demo, server, public, report)
    write_ssh_config(cloud, address, key)
    greeting = "" if cloud.fake else log_in(cloud, address, report)
    return Shown(address, greeting)


def ensure_public_network(admin: Client, cloud: Cloud, report: Report) -> str:
    external = cloud.external
    network = admin.find("network", "/v2.0/networks", "networks", name="public")
    if network is None:
        report(f"public network {external.cidr}")
        wanted = {
            "name": "public",
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": external.physnet,
        }
        network = admin.post("network", "/v2.0/networks", {"network": wanted})["network"]
    if admin.find("network", "/v2.0/subnets", "subnets", network_id=network["id"]) is None:
        block = ipaddress.ip_network(external.cidr)
        subnet = {
            "name": "public-subnet",
            "network_id": network["id"],
            "ip_version": 4,
            "cidr": external.cidr,
            "gateway_ip": external.gateway,
            "enable_dhcp": False,
            # The first few are the operator's.
            "allocation_pools": [{"start": str(block[10]), "end": str(block[-2])}],
        }
        admin.post("network", "/v2.0/subnets", {"subnet": subnet})
    return str(network["id"])


def ensure_user(admin: Client, password: str, report: Report) -> None:
    project = admin.find("identity", "/v3/projects", "projects", name=NAME, domain_id="default")
    if project is None:
        report("project demo, user demo")
        wanted = {"name": NAME, "domain_id": "default", "description": "The demo's project"}
        project = admin.post("identity", "/v3/projects", {"project": wanted})["project"]
    user = admin.find("identity", "/v3/users", "users", name=NAME, domain_id="default")
    if user is None:
        wanted = {"name": NAME, "domain_id": "default", "password": password, "default_project_id": project["id"]}
        user = admin.post("identity", "/v3/users", {"user": wanted})["user"]
    role = admin.find("identity", "/v3/roles", "roles", name="member")
    admin.put("identity", f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")


def ensure_flavors(admin: Client, report: Report) -> None:
    present = {flavor["name"] for flavor in admin.get("compute", "/flavors")["flavors"]}
    missing = [name for name in FLAVORS if name not in present]
    if missing:
        report(f"flavors {', '.join(missing)}")
    for name in missing:
        memory, processors, disk = FLAVORS[name]
        wanted = {"name": name, "ram": memory, "vcpus": processors, "disk": disk}
        admin.post("compute", "/flavors", {"flavor": wanted})


def ensure_image(admin: Client, cloud: Cloud, cache: Path, report: Report) -> str:
    image = admin.find("image", "/v2/images", "images", name=IMAGE)
    if image is None:
        wanted = {"name": IMAGE, "disk_format": "qcow2", "container_format": "bare", "visibility": "public"}
        image = admin.post("image", "/v2/images", wanted)
    if image["status"] == "queued":  # also after an upload that was cut off
        file = image_file(cloud, cache, report)
        report(f"image {IMAGE}, {file.stat().st_size / 1e6:.0f} MB")
        admin.put("image", f"/v2/images/{image['id']}/file", file)
    return str(image["id"])


def image_file(cloud: Cloud, cache: Path, report: Report) -> Path:
    if cloud.fake:
        # Nothing boots it.
        file = cloud.folder / "empty.qcow2"
        file.write_bytes(EMPTY_QCOW2)
        return file
    from pileus.image.guest import GuestImageError, build

    file = cache / "cirros.qcow2"
    try:
        build(file, cache, lambda line: report(f"image {IMAGE}: {line}"))
    except GuestImageError as error:
        raise DeployError(f"The guest image could not be built: {error}") from error
    return file


# The header of a disk of 1 MiB without any data: version 2, clusters of 64 KiB, an L1 table of one entry.
EMPTY_QCOW2 = b"".join([
    b"QFI\xfb",
    (2).to_bytes(4, "big"),
    bytes(12),
    (16).to_bytes(4, "big"),
    (1 << 20).to_bytes(8, "big"),
    bytes(4),
    (1).to_bytes(4, "big"),
    (3 << 16).to_bytes(8, "big"),
    (1 << 16).to_bytes(8, "big"),
    (1).to_bytes(4, "big"),
]).ljust(4 << 16, b"\0")  # fmt: skip


def ensure_network(demo: Client, public: str, report: Report) -> str:
    """The project's own network, its subnet, and a router to the outside."""
    mine = {"project_id": demo.project_id}
    network = demo.find("network", "/v2.0/networks", "networks", name=NAME, **mine)
    if network is None:
        report("network demo 10.10.0.0/24 with a router to the public one")
        network = demo.post("network", "/v2.0/networks", {"network": {"name": NAME}})["network"]
    subnet = demo.find("network", "/v2.0/subnets", "subnets", network_id=network["id"])
    if subnet is None:
        wanted = {"name": NAME, "network_id": network["id"], "ip_version": 4, "cidr": "10.10.0.0/24"}
        subnet = demo.post("network", "/v2.0/subnets", {"subnet": wanted})["subnet"]
    router = demo.find("network", "/v2.0/routers", "routers", name=NAME, **mine)
    if router is None:
        outside = {"name": NAME, "external_gateway_info": {"network_id": public}}
        router = demo.post("network", "/v2.0/routers", {"router": outside})["router"]
    if demo.find("network", "/v2.0/ports", "ports", device_id=router["id"], network_id=network["id"]) is None:
        demo.put("network", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return str(network["id"])


def ensure_rules(demo: Client, report: Report) -> None:
    """The default security group lets in nothing; now pings and SSH."""
    group = demo.find("network", "/v2.0/security-groups", "security_groups", name="default", project_id=demo.project_id)
    rules = group["security_group_rules"]
    for protocol, ports in (("icmp", {}), ("tcp", {"port_range_min": 22, "port_range_max": 22})):
        wanted = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol, "remote_ip_prefix": "0.0.0.0/0"}
        if any(rule["direction"] == "ingress" and rule["protocol"] == protocol for rule in rules):
            continue
        report(f"security group rule: {'ping' if protocol == 'icmp' else 'SSH'} from anywhere")
        rule = wanted | ports | {"security_group_id": group["id"]}
        demo.post("network", "/v2.0/security-group-rules", {"security_group_rule": rule})


def ensure_key(demo: Client, file: Path, report: Report) -> Path:
    public = file.with_suffix(".pub")
    if not file.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pileus demo", "-f", str(file))
    text = public.read_text().strip()
    try:
        known = demo.get("compute", f"/os-keypairs/{NAME}")["keypair"]["public_key"].strip()
        if known == text:
            return file
        demo.delete("compute", f"/os-keypairs/{NAME}")  # of another state folder's life
    except Refused as error:
        if error.status != 404:
            raise
    report(f"key pair demo, private key in {file}")
    demo.post("compute", "/os-keypairs", {"keypair": {"name": NAME, "type": "ssh", "public_key": text}})
    return file


def ensure_server(demo: Client, image: str, network: str, report: Report) -> str:
    found = [
        server for server in demo.get("compute", "/servers/detail", name=NAME)["servers"] if server["name"] == NAME
    ]
    if found:
        server = found[0]
        if server["status"] == "SHUTOFF":
            report("server demo: starting")
            demo.post("compute", f"/servers/{server['id']}/action", {"os-start": None})
    else:
        report("server demo")
        flavors = {flavor["name"]: flavor["id"] for flavor in demo.get("compute", "/flavors")["flavors"]}
        wanted = {
            "name": NAME,
            "imageRef": image,
            "flavorRef": flavors["m1.nano"],
            "key_name": NAME,
            "networks": [{"uuid": network}],
        }
        server = demo.post("compute", "/servers", {"server": wanted})["server"]
    wait_for_active(demo, server["id"], report)
    return str(server["id"])


def wait_for_active(demo: Client, server_id: str, report: Report) -> None:
    deadline, last = time.monotonic() + PATIENCE, ""
    while True:
        server = demo.get("compute", f"/servers/{server_id}")["server"]
        if server["status"] == "ACTIVE":
            return
        if server["status"] == "ERROR":
            why = server.get("fault", {}).get("message", "the cloud does not say why")
            raise DeployError(
                f"The server went to ERROR: {why}. `pileus logs` may tell more; remove it with"
                f" `openstack server delete {server_id}` and try again."
            )
        now = f"server demo: {server['status']}, {server.get('OS-EXT-STS:task_state') or 'waiting'}"
        if now != last:
            report(now)
            last = now
        if time.monotonic() > deadline:
            raise DeployError(
                f"The server is {server['status']} after {PATIENCE:.0f} s: `pileus logs serve` may tell why."
            )
        time.sleep(0.25)


def ensure_floating_ip(demo: Client, server_id: str, public: str, report: Report) -> str:
    port = demo.find("network", "/v2.0/ports", "ports", device_id=server_id)
    if port is None:
        raise DeployError(f"The server {server_id} has no port: delete it and run the demo again.")
    floating = demo.find("network", "/v2.0/floatingips", "floatingips", port_id=port["id"])
    if floating is None:
        wanted = {"floating_network_id": public, "port_id": port["id"]}
        floating = demo.post("network", "/v2.0/floatingips", {"floatingip": wanted})["floatingip"]
        report(f"floating IP {floating['floating_ip_address']}")
    return str(floating["floating_ip_address"])


def login(cloud: Cloud) -> list[str]:
    return ["ssh", "-F", str(cloud.folder / "ssh_config"), NAME]


def write_ssh_config(cloud: Cloud, address: str, key: Path) -> None:
    # The address was another server's yesterday: its host key says nothing.
    text = f"""\
# ssh -F {cloud.folder / "ssh_config"} {NAME}
Host {NAME}
    HostName {address}
    User {USER}
    IdentityFile "{key}"
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile {os.devnull}
    LogLevel ERROR
    ConnectTimeout 5
"""
    state.write(cloud.folder / "ssh_config", text, mode=0o600)


def log_in(cloud: Cloud, address: str, report: Report) -> str:
    """What the guest says to whoever logs in. It may still be booting."""
    report(f"logging in to {USER}@{address}")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            done = subprocess.run(
                [*login(cloud), "-o", "BatchMode=yes", GREETING],
                capture_output=True,
                text=True,
                timeout=30,
                stdin=subprocess.DEVNULL,
                env={"PATH": PATH},
            )
            if done.returncode == 0:
                return done.stdout.rstrip()
            why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        except subprocess.TimeoutExpired:
            why = ["no answer"]
        if time.monotonic() > deadline:
            raise DeployError(
                f"No login to {address} within {PATIENCE:.0f} s ({why[0]}): `openstack console log show demo` shows how far"
                " the guest came."
            )
        time.sleep(1)
