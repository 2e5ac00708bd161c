"""What benchmarks send requests with: one kept connection, and the cloud or echo server they send them to."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.ports import free_port

ECHO = """
import asyncio, sys
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
body = b"x" * int(sys.argv[2])
async def app(scope, receive, send):
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
asyncio.run(Server(app, port=int(sys.argv[1]), interface=Interfaces.ASGI, http=HTTPModes.http1, log_enabled=False).serve())
"""


class Connection:
    """Keep-alive HTTP to one address."""

    def __init__(self, url: str, token: str = ""):
        parts = urlsplit(url)
        self.prefix = parts.path
        self.token = token
        self.http = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=120)

    def raw(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Any]:
        sent = {"X-Auth-Token": self.token, **(headers or {})}
        self.http.request(method, self.prefix + path, body=body, headers=sent)
        response = self.http.getresponse()
        return response.status, response.read(), response.headers

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """JSON in and out; raises when the answer is no success."""
        data = json.dumps(body).encode() if body is not None else None
        status, answer, _ = self.raw(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer[:1] in (b"{", b"[") else answer


class Echo:
    """The least an ASGI server can do: answer so many bytes."""

    def __init__(self, size: int):
        port = free_port()
        self.process = subprocess.Popen([sys.executable, "-c", ECHO, str(port), str(size)])
        self.url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(self.url), 10)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Cloud:
    """`pileus up` in a folder of its own."""

    def __init__(self, *options: str):
        self.state = Path(tempfile.mkdtemp(prefix="pb-"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        began = time.perf_counter()
        self.pileus("up", "--port", str(port), "--for-pid", str(os.getpid()), *options)
        self.password = json.loads((self.state / "secrets.json").read_text())["admin_password"]
        self.log_in()
        self.start_seconds = time.perf_counter() - began

    def pileus(self, verb: str, *arguments: str) -> str:
        command = [sys.executable, "-m", "pileus", verb, "--state", str(self.state), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout

    @property
    def credentials(self) -> dict[str, Any]:
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": self.password}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}},
            }
        }

    def log_in(self) -> None:
        status, body, headers = Connection(self.url).raw(
            "POST", "/v3/auth/tokens", json.dumps(self.credentials).encode(), {"Content-Type": "application/json"}
        )
        assert status == 201, body
        self.token = headers["X-Subject-Token"]
        self.project_id = json.loads(body)["token"]["project"]["id"]
        catalog = json.loads(body)["token"]["catalog"]
        self.endpoints = {
            service["type"]: endpoint["url"]
            for service in catalog
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "public"
        }

    def service(self, name: str) -> Connection:
        return Connection(self.endpoints[name], self.token)

    def cpu_seconds(self) -> float:
        """Processor time that the process of the APIs has used."""
        pid = (self.state / "run/serve.pid").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pss(self) -> float:
        """MiB of the controller's two processes, shared pages counted in part (smaps_rollup)."""
        first = int((self.state / "run/serve.pid").read_text())
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        kib = 0
        for pid in [str(first), *children]:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        return kib / 1024

    def stop(self) -> None:
        self.pileus("down", "--purge")
        if self.state.exists() and not any(self.state.iterdir()):
            self.state.rmdir()


def until(check: Callable[[], Any], seconds: float, pause: float = 0.01) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(pause)
    raise TimeoutError("it did not come true")


def _answers(url: str) -> bool:
    try:
        return Connection(url).raw("GET", "/")[0] == 200
    except OSError:
        return False


def p50(work: Callable[[], Any], times: int, warm: int = 5) -> float:
    """Median milliseconds of one call."""
    for _ in range(warm):
        work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def rate(make: Callable[[], Callable[[], Any]], seconds: float = 3.0, threads: int = 4) -> float:
    """Calls a second of several clients at once; each thread works with what `make` gave it."""
    import threading

    counts = [0] * threads
    end = time.perf_counter() + seconds

    def loop(number: int) -> None:
        work = make()
        while time.perf_counter() < end:
            work()
            counts[number] += 1

    workers = [threading.Thread(target=loop, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds
