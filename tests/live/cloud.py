"""A real cloud for live tests: started by the command a user types, spoken to with the client a user has."""

import functools
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live import stock_client
from tests.ports import free_port

BIN = Path(sys.executable).parent


class LiveCloud:
    """`pileus up` in a folder of its own; `stop()` leaves nothing, and so does the end of this process.

    `settings` are an operator's, of cloud.json.
    """

    def __init__(self, *options: str, settings: dict[str, Any] | None = None):
        # a unix socket's path has room for about a hundred characters: pytest's own folders are too deep
        self.state = Path(tempfile.mkdtemp(prefix="pl-"))
        self.port = free_port()
        self.options = options
        self.settings = settings or {}

    def pileus(self, *arguments: str, check: bool = True, timeout: float = 180) -> str:
        """Run a verb of ours on this cloud; returns what it printed."""
        verb, *rest = arguments
        command = [sys.executable, "-m", "pileus", verb, "--state", str(self.state), *rest]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self) -> None:
        words = ("up", "--port", str(self.port), "--for-pid", str(os.getpid()), *self.options)
        self.pileus(*words)
        if self.settings:
            self.pileus("down")
            file = self.state / "cloud.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **self.settings}))
            self.pileus(*words)

    def stop(self) -> None:
        self.pileus("down", "--purge")
        shutil.rmtree(self.state, ignore_errors=True)

    def environment(self, **overrides: str) -> dict[str, str]:
        """What `pileus env` exports for the admin, with other values where they are given."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        for line in self.pileus("env", "admin").splitlines():
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                kept[name] = value.strip("'\"")
        return {**kept, **overrides}

    def client(self, **overrides: str) -> "Cli":
        return Cli(self.environment(**overrides))


@functools.cache
def guest_image() -> Path:
    """Our own guest image, built once a machine: the one that `pileus demo` uses too."""
    from pileus.cli.image import default_cache
    from pileus.image import guest

    return guest.build(default_cache() / "cirros.qcow2", default_cache(), print)


class Cli:
    """The stock `openstack` command with one identity."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment

    def __call__(self, command: str, *more: str, check: bool = True) -> Any:
        """Run `openstack COMMAND`; the answer is its JSON, or its text where it has none."""
        words = [*command.split(), *more]
        shows = any(word in command.split() for word in ("list", "show", "create", "issue")) and "log" not in command
        if shows and "-f" not in words:
            words += ["-f", "json"]
        done = stock_client.run(words, self.environment)
        if not check:
            return done
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stdout}\n{done.stderr}"
        try:
            return json.loads(done.stdout) if shows else done.stdout
        except ValueError:
            return done.stdout


def ssh(address: str, key: Path, command: str, tries: int = 60) -> str:
    """What a command prints on a guest; retried while the guest starts."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5", "BatchMode=yes"]
    words = [
        "ssh",
        "-i",
        str(key),
        *(part for option in options for part in ("-o", option)),
        f"cirros@{address}",
        command,
    ]
    for _ in range(tries):
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return done.stdout
        time.sleep(1)
    raise AssertionError(f"{' '.join(words)}: {done.stdout}\n{done.stderr}")


def eventually(check: Callable[[], Any], tries: int = 240, pause: float = 0.5) -> Any:
    """The first true value of `check`; fails after some tries."""
    for _ in range(tries):
        if value := check():
            return value
        time.sleep(pause)
    raise AssertionError("it did not come true")


class Api:
    """A plain HTTP client for tests that need many calls; it retries while the API is away."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self.token = ""
        self.endpoints: dict[str, str] = {}
        self.log_in()

    def log_in(self) -> None:
        given = self.environment
        user = {"name": given["OS_USERNAME"], "domain": {"name": "Default"}, "password": given["OS_PASSWORD"]}
        scope = {"project": {"name": given["OS_PROJECT_NAME"], "domain": {"name": "Default"}}}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        _, headers, body = self._send("POST", given["OS_AUTH_URL"].rstrip("/") + "/auth/tokens", auth)
        self.token = headers["X-Subject-Token"]
        for service in body["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public":
                    self.endpoints[service["type"]] = endpoint["url"].rstrip("/")

    def call(self, method: str, service: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, _, answer = self._send(method, self.endpoints[service] + path, body)
        return status, answer

    def _send(self, method: str, url: str, body: Any = None, tries: int = 120) -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        data = json.dumps(body).encode() if body is not None else None
        for _ in range(tries):
            request = urllib.request.Request(url, data=data, headers=headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    text = response.read()
                    return response.status, response.headers, json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    return error.code, error.headers, error.read().decode()
            except (OSError, http.client.HTTPException):
                pass  # the controller is being restarted: a POST may then have been taken, the caller looks
            time.sleep(0.5)
        raise AssertionError(f"{method} {url} was never answered")
