"""Object storage through stock clients: every `openstack` command of it, and `swift` with segments and signed addresses."""

import hashlib
import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.live.cloud import LiveCloud
from tests.live.test_identity_cli import Shell

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
COMMANDS = {entry.name.replace("_", " ") for entry in entry_points(group="openstack.object_store.v1")}


@pytest.fixture(scope="module")
def cloud() -> Iterator[LiveCloud]:
    found = LiveCloud("--fake")
    try:
        found.start()
        yield found
    finally:
        found.stop()


def test_every_object_command_of_the_stock_client_works(
    cloud: LiveCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[str] = set()
    run = Shell(cloud.environment(), used, COMMANDS)
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_bytes(b"bytes")
    run("container create box second")
    run("object create box file.txt")
    run("object create box file.txt --name copy")
    assert run.with_names("object list box") == ["copy", "file.txt"]
    assert run.with_names("container list") == ["box", "second"]
    run("object set box file.txt --property colour=red")
    shown = run("object show box file.txt")
    assert shown["etag"] == hashlib.md5(b"bytes").hexdigest() and "red" in str(shown)
    run("object unset box file.txt --property colour")
    assert "red" not in str(run("object show box file.txt"))
    run("container set box --property shape=round")
    assert "round" in str(run("container show box"))
    run("container unset box --property shape")
    run("object save box file.txt --file back.txt")
    assert Path("back.txt").read_bytes() == b"bytes"
    Path("all").mkdir()
    monkeypatch.chdir(tmp_path / "all")
    run("container save box")
    assert sorted(path.name for path in Path().iterdir()) == ["copy", "file.txt"]
    run("object store account set --property size=big")
    assert run("object store account show")["Containers"] == "2"
    run("object store account unset --property size")
    run("object delete box copy")
    run("container delete box second --recursive")
    assert run("container list") == []
    assert COMMANDS - used == set()


def swift(cloud: LiveCloud) -> Any:
    from swiftclient.service import SwiftService

    env = cloud.environment()
    names = {"os_username": "OS_USERNAME", "os_password": "OS_PASSWORD", "os_auth_url": "OS_AUTH_URL",
             "os_project_name": "OS_PROJECT_NAME"}  # fmt: skip
    more = {"os_user_domain_name": "Default", "os_project_domain_name": "Default", "auth_version": "3"}
    return SwiftService({**{option: env[name] for option, name in names.items()}, **more})


def test_the_swift_client_uploads_in_segments_and_signs_addresses(cloud: LiveCloud, tmp_path: Path) -> None:
    import httpx
    from swiftclient.utils import generate_temp_url

    body = os.urandom(3_000_000)
    (tmp_path / "big").write_bytes(body)
    service = swift(cloud)
    for static in (True, False):
        options = {"segment_size": 1_000_000, "use_slo": static}
        results = list(service.upload(f"box-{static}", [str(tmp_path / "big")], options))
        assert all(result["success"] for result in results), results
        name = str(tmp_path / "big").lstrip("/")
        down = list(service.download(f"box-{static}", [name], {"out_file": str(tmp_path / "back")}))
        assert down[0]["success"], down
        assert (tmp_path / "back").read_bytes() == body
    assert service.stat("box-True")["success"]
    assert service.post(options={"meta": ["Temp-URL-Key:key"]})["success"]
    url, _ = service_address(service)
    path = generate_temp_url(f"/v1/{url.rpartition('/')[2]}/box-True/{name}", 600, "key", "GET", digest="sha256")
    answer = httpx.get(url.split("/object/")[0] + path, headers={"range": "bytes=999990-1000009"}, trust_env=False)
    assert answer.status_code == 206 and answer.content == body[999990:1000010]
    assert "tempurl" in service.capabilities()["capabilities"]
    for static in (True, False):
        assert all(result["success"] for result in service.delete(f"box-{static}"))
    cloud.pileus("fsck")


def service_address(service: Any) -> tuple[str, str]:
    from swiftclient.service import get_conn

    found: tuple[str, str] = get_conn(service._options).get_auth()
    return found
