"""What is measured, each with its reference in the same run; a measure yields lines."""

import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from bench.client import Cloud, Connection, Echo, p50, rate, until
from pileus.cli.serve import TRIM_SECONDS
from tests import postgres
from tests.controllers import Controller, two


class Line(NamedTuple):
    what: str
    value: float
    unit: str
    reference: str = ""
    ratio: float | None = None
    wanted: str = ""


LIBRARIES = "import sqlalchemy, cryptography.fernet, granian.server.embed, msgspec, argon2, click, asyncio, uvloop"


def echo_ms(size: int, times: int = 300) -> float:
    """Median milliseconds of the bare server's answer of this size."""
    echo = Echo(size)
    try:
        connection = Connection(echo.url)
        return p50(lambda: connection.raw("GET", "/"), times)
    finally:
        echo.stop()


def start() -> Iterator[Line]:
    """Three fresh clouds, each from the command to a token in hand; the middle one counts."""

    def imports() -> None:
        subprocess.run([sys.executable, "-c", LIBRARIES], check=True)

    bare = p50(imports, 3, warm=1) / 1000
    taken = []
    for _ in range(3):
        cloud = Cloud("--fake")
        taken.append(cloud.start_seconds)
        cloud.stop()
    ours = statistics.median(taken)
    yield Line(
        "cold start of `up --fake` to the first token", ours, "s", f"imports {bare:.2f} s", ours / bare, "at most 2 s"
    )


def controllers() -> Iterator[Line]:
    """A second controller, over PostgreSQL, remembers a token that the first revokes: how long it still takes it."""
    programs = postgres.binaries()
    if programs is None:
        return
    server = postgres.Postgres(programs)
    try:
        with two(server.database()) as (here, there):
            taken = [_revoked(here, there) for _ in range(20)]
    finally:
        server.stop()
    what, wanted = "a revoked token still good at a second controller over PostgreSQL", "at most 1000 ms"
    yield Line(f"{what}, p50", statistics.median(taken), "ms")
    yield Line(f"{what}, the worst of 20", max(taken), "ms", wanted=wanted)


def _revoked(here: Controller, there: Controller) -> float:
    """Milliseconds from the answer to the first refusal."""
    domain = {"id": "default"}
    user = {"name": "admin", "domain": domain, "password": here.admin_password}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}}
    first, second = Connection(here.url), Connection(there.url)
    json_type = {"Content-Type": "application/json"}
    _, _, headers = first.raw("POST", "/v3/auth/tokens", json.dumps({"auth": auth}), json_type)
    first.token = second.token = headers["X-Subject-Token"]
    for _ in range(2):  # from memory the second time
        second.call("GET", "/v3/auth/projects")
    first.call("DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": first.token})
    began = time.perf_counter()
    until(lambda: second.raw("GET", "/v3/auth/projects")[0] == 401, 60, 0.001)
    return (time.perf_counter() - began) * 1000


def memory(cloud: Cloud) -> Iterator[Line]:
    yield Line("controller's PSS, both processes, idle", cloud.pss(), "MiB", wanted="at most 200 MiB")


def tokens(cloud: Cloud) -> Iterator[Line]:
    http = Connection(cloud.url, cloud.token)
    size = len(http.raw("GET", "/v3/auth/tokens", headers={"X-Subject-Token": cloud.token})[1])
    bare = echo_ms(size)
    echo = Echo(size)
    try:
        bare_rate = rate(lambda: _get(Connection(echo.url), "/"))
    finally:
        echo.stop()
    issued = p50(lambda: http.call("POST", "/v3/auth/tokens", cloud.credentials), 200)
    yield Line(
        "token issue, warm password cache, p50", issued, "ms", f"echo {bare:.2f} ms", issued / bare, "at most 5 ms"
    )
    subject = {"X-Subject-Token": cloud.token}
    checked = p50(lambda: http.call("GET", "/v3/auth/tokens?nocatalog", headers=subject), 300)
    yield Line("token validate, p50", checked, "ms", f"echo {bare:.2f} ms", checked / bare, "at most 1 ms")

    def issuing() -> Any:
        own = Connection(cloud.url)
        return lambda: own.call("POST", "/v3/auth/tokens", cloud.credentials)

    def validating() -> Any:
        own = Connection(cloud.url, cloud.token)
        return lambda: own.call("GET", "/v3/auth/tokens?nocatalog", headers=subject)

    for what, work, wanted in (("issue", issuing, 300), ("validate", validating, 1500)):
        before = cloud.cpu_seconds()
        found = rate(work)
        spent = (cloud.cpu_seconds() - before) / (found * 3.0) * 1000
        yield Line(
            f"token {what}, 4 clients", found, "/s", f"echo {bare_rate:.0f} /s", bare_rate / found, f"at least {wanted}"
        )
        # what other programs leave of the machine does not matter here
        yield Line(
            f"token {what}, the controller's processor time", spent, "ms", wanted=f"at most {1000 / wanted:.2f} ms"
        )
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


def assignments(cloud: Cloud) -> Iterator[Line]:
    http = Connection(cloud.url, cloud.token)

    def make(kind: str, count: int) -> list[str]:
        names = (f"bench-{uuid.uuid4().hex}" for _ in range(count))
        return [http.call("POST", f"/v3/{kind}s", {kind: {"name": name}})[kind]["id"] for name in names]

    users = make("user", 100)
    for role_id in make("role", 50):
        for user_id in users:
            http.call("PUT", f"/v3/projects/{cloud.project_id}/users/{user_id}/roles/{role_id}")
    for what, query in (("", ""), (", with names", "&include_names")):
        path = f"/v3/role_assignments?scope.project.id={cloud.project_id}{query}"
        _, answer, _ = http.raw("GET", path)
        listed = p50(lambda path=path: http.raw("GET", path), 15)  # type: ignore[misc]
        bare = echo_ms(len(answer), 30)
        reference = f"echo of its {len(answer) >> 10} KiB {bare:.2f} ms"
        yield Line(f"5,000 role assignments{what}, p50", listed, "ms", reference, listed / bare)


def ports(cloud: Cloud) -> Iterator[Line]:
    network = cloud.service("network")
    network.call("PUT", f"/v2.0/quotas/{cloud.project_id}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
    found = network.call("POST", "/v2.0/networks", {"network": {"name": "bench-ports"}})["network"]
    subnet = {"network_id": found["id"], "cidr": "10.128.0.0/16", "ip_version": 4}
    network.call("POST", "/v2.0/subnets", {"subnet": subnet})

    def create() -> None:
        network.call("POST", "/v2.0/ports", {"port": {"network_id": found["id"]}})

    bare = echo_ms(1000)
    empty = p50(create, 50)
    yield Line("port create, no ports, p50", empty, "ms", f"echo {bare:.2f} ms", empty / bare)
    for _ in range(50):
        network.call("POST", "/v2.0/ports", {"ports": [{"network_id": found["id"]} for _ in range(100)]})
    full = p50(create, 50)
    yield Line("port create, 5,000 ports, p50", full, "ms", "the same, no ports", full / empty, "flat")


def server_body(cloud: Cloud) -> dict[str, Any]:
    """What a server is asked for with; all it needs is made, and quotas are out of the way."""
    compute, network, image = cloud.service("compute"), cloud.service("network"), cloud.service("image")
    unlimited = {"instances": -1, "cores": -1, "ram": -1}
    compute.call("PUT", f"/os-quota-sets/{cloud.project_id}", {"quota_set": unlimited})
    network.call("PUT", f"/v2.0/quotas/{cloud.project_id}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
    made = image.call("POST", "/v2/images", {"name": "bench", "disk_format": "raw", "container_format": "bare"})
    octets = {"Content-Type": "application/octet-stream"}
    image.raw("PUT", f"/v2/images/{made['id']}/file", b"\0" * 4096, octets)
    flavor = {"name": "bench", "ram": 16, "vcpus": 1, "disk": 1}
    flavor_id = compute.call("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]
    found = network.call("POST", "/v2.0/networks", {"network": {"name": "bench-servers"}})["network"]
    subnet = {"network_id": found["id"], "cidr": "10.64.0.0/16", "ip_version": 4}
    network.call("POST", "/v2.0/subnets", {"subnet": subnet})
    return {"name": "bench", "imageRef": made["id"], "flavorRef": flavor_id, "networks": [{"uuid": found["id"]}]}


def servers(cloud: Cloud) -> Iterator[Line]:
    compute, body = cloud.service("compute"), server_body(cloud)

    def burst() -> None:
        mine = cloud.service("compute")
        for _ in range(50):
            mine.call("POST", "/servers", {"server": body})

    def create(**more: Any) -> str:
        server: str = compute.call("POST", "/servers", {"server": {**body, **more}})["server"]["id"]
        return server

    def active(server_id: str) -> bool:
        status: str = compute.call("GET", f"/servers/{server_id}")["server"]["status"]
        assert status != "ERROR", server_id
        return status == "ACTIVE"

    def one() -> None:
        server_id = create()
        until(lambda: active(server_id), 60, 0.005)

    single = p50(one, 15, warm=2)
    yield Line("server create to ACTIVE, fake node, p50 of one", single, "ms")
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda _: burst(), range(4)))
    until(lambda: not compute.call("GET", "/servers?status=BUILD&limit=1")["servers"], 300, 0.05)
    taken = time.perf_counter() - began
    yield Line(
        "200 servers at once to ACTIVE, 20 fake nodes, 4 clients",
        taken,
        "s",
        f"one after another {single / 5:.1f} s",
        taken / (single / 5),
    )
    missing = 1000 - 200 - 17
    while missing > 0:
        count = min(50, missing)
        create(min_count=count, max_count=count)
        missing -= count
    until(lambda: not compute.call("GET", "/servers?status=BUILD&limit=1")["servers"], 600, 0.1)
    _, answer, _ = compute.raw("GET", "/servers/detail?limit=1000")
    listed = p50(lambda: compute.raw("GET", "/servers/detail?limit=1000"), 15)
    bare = echo_ms(len(answer), 30)
    yield Line(
        "servers/detail of 1,000, p50",
        listed,
        "ms",
        f"echo of its {len(answer) >> 10} KiB {bare:.2f} ms",
        listed / bare,
        "at most 60 ms",
    )
    time.sleep(TRIM_SECONDS + 1)  # what answers of megabytes left free is given back by then
    yield Line("controller's PSS with 1,000 servers, at rest", cloud.pss(), "MiB", wanted="at most 200 MiB")


def image_lists(cloud: Cloud) -> Iterator[Line]:
    """A thousand images with what images have; the last of small pages costs what the first does."""
    http = cloud.service("image")
    described = {"disk_format": "qcow2", "container_format": "bare", "os_distro": "debian", "hw_disk_bus": "virtio"}
    for number in range(1000):
        http.call(
            "POST", "/v2/images", {**described, "name": f"bench-{number:04}", "tags": ["bench", f"t{number % 7}"]}
        )
    whole = "/v2/images?limit=1000&tag=bench"
    _, body, _ = http.raw("GET", whole)
    listed = p50(lambda: http.raw("GET", whole), 15)
    echo = Echo(len(body))
    try:
        reference = Connection(echo.url)
        bare = p50(lambda: reference.raw("GET", "/"), 30)
    finally:
        echo.stop()
    told = f"echo of its {len(body) >> 10} KiB {bare:.2f} ms"
    yield Line("image list of 1,000, p50", listed, "ms", told, listed / bare)
    page = "/v2/images?limit=25&sort=name:asc&tag=bench"
    first = p50(lambda: http.raw("GET", page), 30)
    marker = http.call("GET", "/v2/images?limit=1&name=bench-0970")["images"][0]["id"]
    last = p50(lambda: http.raw("GET", f"{page}&marker={marker}"), 30)
    yield Line("image list, last page of 25 in 1,000, p50", last, "ms", f"first page {first:.2f} ms", last / first)


def real(cloud: Cloud) -> Iterator[Line]:
    """On a real host: our create to ACTIVE against libvirt's own create of the same guest."""
    yield Line("cold start of a real all-in-one to the first token", cloud.start_seconds, "s", wanted="at most 15 s")
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

    def once() -> float:
        began = time.perf_counter()
        server = compute.call("POST", "/servers", {"server": body})["server"]["id"]
        until(lambda: compute.call("GET", f"/servers/{server}")["server"]["status"] == "ACTIVE", 120, 0.02)
        taken = time.perf_counter() - began
        compute.call("DELETE", f"/servers/{server}")
        until(lambda: compute.raw("GET", f"/servers/{server}")[0] == 404, 120, 0.02)
        return taken

    ours = statistics.median([once() for _ in range(6)][1:])
    wanted = f"at most {1.3 * raw + 0.5:.2f} s (1.3 times libvirt's, and 0.5 s)"
    yield Line("server create to ACTIVE, real node", ours, "s", f"libvirt create {raw:.2f} s", ours / raw, wanted)


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
