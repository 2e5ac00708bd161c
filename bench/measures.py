"""What is measured, each with its reference in the same run. A measure yields lines: what, value, unit, reference, ratio."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from bench.client import Cloud, Connection, Echo, p50, rate, until


class Line(NamedTuple):
    what: str
    value: float
    unit: str
    reference: str = ""
    ratio: float | None = None


def start(cloud: Cloud) -> Iterator[Line]:
    yield Line("cold start of `up --fake` to the first token", cloud.start_seconds, "s")
    yield Line("controller's PSS, both processes, idle", cloud.pss(), "MiB")


def tokens(cloud: Cloud) -> Iterator[Line]:
    echo = Echo(24999, 2000)
    try:
        reference = Connection(echo.url)
        bare = p50(lambda: reference.raw("GET", "/"), 300)
        bare_rate = rate(lambda: _get(Connection(echo.url), "/"))
    finally:
        echo.stop()
    http = Connection(cloud.url, cloud.token)
    issued = p50(lambda: http.call("POST", "/v3/auth/tokens", cloud.credentials), 200)
    yield Line("token issue, warm password cache, p50", issued, "ms", f"echo {bare:.2f} ms", issued / bare)
    subject = {"X-Subject-Token": cloud.token}
    checked = p50(lambda: http.call("GET", "/v3/auth/tokens?nocatalog", headers=subject), 300)
    yield Line("token validate, p50", checked, "ms", f"echo {bare:.2f} ms", checked / bare)

    def validating() -> Any:
        own = Connection(cloud.url, cloud.token)
        return lambda: own.call("GET", "/v3/auth/tokens?nocatalog", headers=subject)

    found = rate(validating)
    yield Line("token validate, 4 clients", found, "/s", f"echo {bare_rate:.0f} /s", bare_rate / found)
    cold = []
    for _ in range(5):
        name = f"bench-{uuid.uuid4().hex}"
        http.call("POST", "/v3/users", {"user": {"name": name, "password": "bench-secret-1"}})
        user = {"name": name, "domain": {"id": "default"}, "password": "bench-secret-1"}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        cold.append(p50(lambda auth=auth: http.call("POST", "/v3/auth/tokens", auth), 1, warm=0))  # type: ignore[misc]
    yield Line(
        "token issue, cold password cache, p50", sorted(cold)[2], "ms", "the same, warm", sorted(cold)[2] / issued
    )


def _get(connection: Connection, path: str) -> Any:
    return lambda: connection.raw("GET", path)


def ports(cloud: Cloud) -> Iterator[Line]:
    network = cloud.service("network")
    network.call("PUT", f"/v2.0/quotas/{cloud.project_id}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
    found = network.call("POST", "/v2.0/networks", {"network": {"name": "bench-ports"}})["network"]
    subnet = {"network_id": found["id"], "cidr": "10.128.0.0/16", "ip_version": 4}
    network.call("POST", "/v2.0/subnets", {"subnet": subnet})

    def create() -> None:
        network.call("POST", "/v2.0/ports", {"port": {"network_id": found["id"]}})

    empty = p50(create, 50)
    yield Line("port create, no ports, p50", empty, "ms")
    for _ in range(50):
        network.call("POST", "/v2.0/ports", {"ports": [{"network_id": found["id"]} for _ in range(100)]})
    full = p50(create, 50)
    yield Line("port create, 5,000 ports, p50", full, "ms", "the same, no ports", full / empty)


def servers(cloud: Cloud) -> Iterator[Line]:
    compute, network, image = cloud.service("compute"), cloud.service("network"), cloud.service("image")
    unlimited = {"instances": -1, "cores": -1, "ram": -1}
    compute.call("PUT", f"/os-quota-sets/{cloud.project_id}", {"quota_set": unlimited})
    made = image.call("POST", "/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})
    octets = {"Content-Type": "application/octet-stream"}
    image.raw("PUT", f"/v2/images/{made['id']}/file", b"\0" * 4096, octets)
    flavor = {"name": "bench", "ram": 16, "vcpus": 1, "disk": 1}
    flavor_id = compute.call("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
    found = network.call("POST", "/v2.0/networks", {"network": {"name": "bench-servers"}})["network"]
    subnet = {"network_id": found["id"], "cidr": "10.64.0.0/16", "ip_version": 4}
    network.call("POST", "/v2.0/subnets", {"subnet": subnet})

    def create(**more: Any) -> str:
        body = {"name": "bench", "imageRef": made["id"], "flavorRef": flavor_id, "networks": [{"uuid": found["id"]}]}
        server: str = compute.call("POST", "/servers", {"server": {**body, **more}})["server"]["id"]
        return server

    def active(server_id: str) -> bool:
        status: str = compute.call("GET", f"/servers/{server_id}")["server"]["status"]
        assert status != "ERROR", server_id
        return status == "ACTIVE"

    def one() -> None:
        server_id = create()
        until(lambda: active(server_id), 60, 0.005)

    yield Line("server create to ACTIVE, fake node, p50 of one", p50(one, 15, warm=2), "ms")
    began = time.perf_counter()
    for _ in range(200):
        create()
    until(lambda: not compute.call("GET", "/servers?status=BUILD&limit=1")["servers"], 300, 0.05)
    yield Line("200 servers at once to ACTIVE, fake nodes", time.perf_counter() - began, "s")
    missing = 1000 - 200 - 17
    while missing > 0:
        count = min(50, missing)
        create(min_count=count, max_count=count)
        missing -= count
    until(lambda: not compute.call("GET", "/servers?status=BUILD&limit=1")["servers"], 600, 0.1)
    _, body, _ = compute.raw("GET", "/servers/detail?limit=1000")
    listed = p50(lambda: compute.raw("GET", "/servers/detail?limit=1000"), 15)
    echo = Echo(24998, len(body))
    try:
        reference = Connection(echo.url)
        bare = p50(lambda: reference.raw("GET", "/"), 30)
    finally:
        echo.stop()
    yield Line(
        "servers/detail of 1,000, p50", listed, "ms", f"echo of its {len(body) >> 10} KiB {bare:.2f} ms", listed / bare
    )
    yield Line("controller's PSS with 1,000 servers", cloud.pss(), "MiB")


def images(cloud: Cloud, mib: int = 1024) -> Iterator[Line]:
    source, copy = cloud.state / "bench.raw", cloud.state / "bench.copy"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for _ in range(mib):
            file.write(block)
    began = time.perf_counter()
    shutil.copyfile(source, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    raw = mib / (time.perf_counter() - began)
    copy.unlink()
    http = cloud.service("image")
    made = http.call("POST", "/v2/images", {"name": "big", "disk_format": "raw", "container_format": "bare"})
    began = time.perf_counter()
    with source.open("rb") as file:
        octets = {"Content-Type": "application/octet-stream", "Content-Length": str(source.stat().st_size)}
        http.http.blocksize = 1 << 20
        status, answer, _ = http.raw("PUT", f"/v2/images/{made['id']}/file", file, octets)
    assert status == 204, answer
    up = mib / (time.perf_counter() - began)
    yield Line(f"image upload, {mib} MiB", up, "MiB/s", f"raw copy {raw:.0f} MiB/s", up / raw)
    http.http.request("GET", f"{http.prefix}/v2/images/{made['id']}/file", headers={"X-Auth-Token": http.token})
    began = time.perf_counter()
    response = http.http.getresponse()
    with copy.open("wb") as file:
        while chunk := response.read(1 << 20):
            file.write(chunk)
    down = mib / (time.perf_counter() - began)
    yield Line(f"image download, {mib} MiB", down, "MiB/s", f"raw copy {raw:.0f} MiB/s", down / raw)
    source.unlink()
    copy.unlink()


def real(cloud: Cloud) -> Iterator[Line]:
    """On a real host: our create to ACTIVE against libvirt's own create of the same guest."""
    yield Line("cold start of a real all-in-one to the first token", cloud.start_seconds, "s")
    cloud.pileus("demo")
    holder = (cloud.state / "hosts/node-1/run/hold.pid").read_text().strip()
    inside = ["nsenter", "-t", holder, "-m", "-n", "virsh"]
    name = subprocess.run([*inside, "list", "--name"], check=True, capture_output=True, text=True).stdout.split()[0]
    text = subprocess.run([*inside, "dumpxml", "--inactive", name], check=True, capture_output=True, text=True).stdout
    raw = sorted(_raw_create(inside, text, cloud.state) for _ in range(5))[2]
    compute = cloud.service("compute")
    network = cloud.service("network").call("GET", "/v2.0/networks?name=demo")["networks"][0]["id"]
    image = cloud.service("image").call("GET", "/v2/images?name=cirros")["images"][0]["id"]
    flavors = compute.call("GET", "/flavors")["flavors"]
    flavor = next(found["id"] for found in flavors if found["name"] == "m1.nano")
    body = {"name": "bench", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]}

    def once() -> None:
        server = compute.call("POST", "/servers", {"server": body})["server"]["id"]
        until(lambda: compute.call("GET", f"/servers/{server}")["server"]["status"] == "ACTIVE", 120, 0.02)
        compute.call("DELETE", f"/servers/{server}")
        until(lambda: compute.raw("GET", f"/servers/{server}")[0] == 404, 120, 0.02)

    ours = p50(once, 5, warm=1) / 1000  # deleting is in it too: not to our advantage
    yield Line(
        "server create to ACTIVE and deleted again, real node", ours, "s", f"libvirt create {raw:.2f} s", ours / raw
    )


def _raw_create(inside: list[str], text: str, state: Path) -> float:
    """Seconds of `virsh create` for the same guest without its disks and network."""
    domain = ElementTree.fromstring(text)
    for tag in ("uuid", "name"):
        found = domain.find(tag)
        if found is not None:
            found.text = str(uuid.uuid4())
    for found in domain.findall("sysinfo"):  # repeats the UUID
        domain.remove(found)
    for os_ in domain.findall("os"):
        for found in os_.findall("smbios"):
            os_.remove(found)
    devices = domain.find("devices")
    assert devices is not None
    for tag in ("disk", "interface", "serial", "console"):
        for device in devices.findall(tag):
            devices.remove(device)
    path = state / "bench.xml"
    path.write_text(ElementTree.tostring(domain, encoding="unicode"))
    began = time.perf_counter()
    done = subprocess.run([*inside, "create", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken = time.perf_counter() - began
    name = domain.findtext("name") or ""
    subprocess.run([*inside, "destroy", name], check=True, capture_output=True)
    path.unlink()
    return taken
