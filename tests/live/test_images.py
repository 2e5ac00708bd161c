"""Servers that boot from what was imported from the web in three formats."""

import contextlib
import os
import pty
import subprocess
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.live.cloud import BIN, Cli, LiveCloud, eventually, guest_image

pytestmark = pytest.mark.live
PORTS = (18795, 18796, 18797)  # which settings.json allows downloads from; one is free


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _listen(handler: Any) -> ThreadingHTTPServer:
    for port in PORTS:
        with contextlib.suppress(OSError):
            return ThreadingHTTPServer(("127.0.0.1", port), handler)
    raise AssertionError(f"none of the ports {PORTS} is free")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local web server with the guest image in three formats."""
    folder = tmp_path_factory.mktemp("web")
    for kind, options in (("qcow2", []), ("raw", []), ("vmdk", ["-o", "subformat=streamOptimized"])):
        target = str(folder / f"guest.{kind}")
        command = ["qemu-img", "convert", "-f", "qcow2", "-O", kind, *options, str(guest_image()), target]
        subprocess.run(command, check=True, timeout=120)
    server = _listen(partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def queued(admin: Cli, name: str, kind: str) -> None:
    """An image without data; the client takes any standard input but a terminal for the data."""
    master, terminal = pty.openpty()
    words = f"image create --disk-format {kind} --container-format bare {name}".split()
    try:
        command = [str(BIN / "openstack"), *words]
        subprocess.run(command, stdin=terminal, env=admin.environment, check=True, timeout=120, capture_output=True)
    finally:
        os.close(master)
        os.close(terminal)


@pytest.fixture(scope="module")
def admin(live_cloud: LiveCloud) -> Cli:
    return live_cloud.client()


@pytest.mark.parametrize("kind", ["qcow2", "raw", "vmdk"])
def test_a_server_boots_from_an_image_imported_from_the_web(admin: Cli, web: str, kind: str) -> None:
    name = f"web-{kind}-{uuid.uuid4().hex[:8]}"
    queued(admin, name, kind)
    admin(f"image import --method web-download --uri {web}/guest.{kind} {name}")
    eventually(lambda: admin(f"image show {name}")["status"] == "active")
    admin(f"server create --image {name} --flavor m1.nano --nic none --wait {name}")
    assert admin(f"server show {name}")["status"] == "ACTIVE"
    eventually(lambda: "login:" in admin(f"console log show {name}"), tries=240)
    admin(f"image delete {name}")  # its base stays under the server
    admin(f"server reboot --hard --wait {name}")
    assert admin(f"server show {name}")["status"] == "ACTIVE"
    admin(f"server delete --wait {name}")
