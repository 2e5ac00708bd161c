"""Every `openstack image` command, and servers that boot from what was imported from the web in three formats."""

import contextlib
import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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
    name = f"web-{kind}"
    queued(admin, name, kind)
    admin(f"image import --method web-download --uri {web}/guest.{kind} {name}")
    eventually(lambda: admin(f"image show {name}")["status"] == "active")
    admin(f"server create --image {name} --flavor m1.nano --nic none --wait {name}")
    assert admin(f"server show {name}")["status"] == "ACTIVE"
    eventually(lambda: "login:" in admin(f"console log show {name}"), tries=60, pause=2)
    admin(f"image delete {name}")  # its base stays under the server
    admin(f"server reboot --hard --wait {name}")
    assert admin(f"server show {name}")["status"] == "ACTIVE"
    admin(f"server delete --wait {name}")


def test_all_image_commands_walk_through(admin: Cli, live_cloud: LiveCloud, web: str, tmp_path: Path) -> None:
    data = tmp_path / "data.raw"
    data.write_bytes(b"0123456789" * 100_000)
    made = admin("image create --disk-format raw --container-format bare --property a=b --file", str(data), "plain")
    assert made["status"] in ("active", "queued", "saving")
    eventually(lambda: admin("image show plain")["status"] == "active")
    admin("image save --file", str(tmp_path / "saved.raw"), "plain")
    assert (tmp_path / "saved.raw").read_bytes() == data.read_bytes()
    admin("image create --import --disk-format raw --container-format bare --file", str(data), "imported")
    eventually(lambda: admin("image show imported")["status"] == "active")
    queued(admin, "staged", "raw")
    admin("image stage --file", str(data), "staged")
    admin("image import staged --method glance-direct --store slow")
    eventually(lambda: admin("image show staged")["status"] == "active")
    admin("image import --method copy-image --all-stores --allow-failure plain")
    eventually(lambda: "slow" in str(admin("image show plain")))
    assert "web-download" in str(admin("image import info -f json"))
    assert {store["ID"] for store in admin("image stores list")} == {"file", "slow", "web"}
    tasks = admin("image task list")
    assert tasks and admin(f"image task show {tasks[0]['ID']}")["status"] == "success"
    admin("image set --name renamed --property colour=blue --tag tagged --min-disk 1 --hidden plain")
    assert "renamed" not in str(admin("image list"))
    assert "renamed" in str(admin("image list --hidden --long"))
    admin("image set --unhidden --shared renamed")
    admin("image unset --property colour --tag tagged renamed")
    admin("image set --deactivate renamed")
    admin("image set --activate renamed")
    project = admin("project show demo")["id"]
    admin(f"image add project renamed {project}")
    assert project in str(admin("image member list renamed"))
    admin(f"image set --accept --project {project} renamed")
    assert admin(f"image member get renamed {project}", "-f", "json")
    admin(f"image remove project renamed {project}")
    admin("image delete --store slow renamed")
    admin("image set --protected renamed")
    assert admin("image delete renamed", check=False).returncode != 0
    admin("image set --unprotected renamed")
    admin("image delete renamed imported staged")
    live_cloud.pileus("fsck")
