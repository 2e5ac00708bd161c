"""Every image command of the stock `openstack` client, once at least, on a cloud of four stores."""

import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.live.cloud import Api, LiveCloud, eventually
from tests.live.test_identity_cli import Shell
from tests.s3 import S3

pytestmark = pytest.mark.live
COMMANDS = {entry.name.replace("_", " ") for entry in entry_points(group="openstack.image.v2")}
KEYS = {"access_key": "key", "secret_key": "secret"}


class Terminal:
    """The client takes any standard input but a terminal for an image's data."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def cloud() -> Iterator[LiveCloud]:
    pytest.importorskip("botocore")
    s3 = S3()
    s3.buckets["images"] = {}
    stores = [
        {"type": "file", "id": "file", "weight": 10},
        {"type": "file", "id": "slow", "weight": 5},
        {"type": "s3", "id": "far", "url": s3.url, "bucket": "images", **KEYS},
        {"type": "http", "id": "web"},
    ]
    found = LiveCloud("--fake", settings={"image": {"stores": stores}})
    try:
        found.start()
        yield found
    finally:
        found.stop()
        s3.stop()


class Walk(Shell):
    """Names in braces are this run's own: `{ns}`."""

    def __init__(self, environment: dict[str, str], used: set[str]):
        super().__init__(environment, used, COMMANDS)
        self.run = uuid.uuid4().hex[:8]

    def __call__(self, command: str, *more: str) -> Any:
        return super().__call__(self.named(command), *more)

    def named(self, text: str) -> str:
        return text.replace("{", "").replace("}", f"-{self.run}")

    def shown(self, image: str) -> Any:
        return self(f"image show {image}")

    def active(self, image: str) -> Any:
        return eventually(lambda: (found := self.shown(image))["status"] == "active" and found)

    def cached(self) -> dict[str, str]:
        """State by image."""
        return {row["ID"]: row["State"] for row in self("cached image list")}


@pytest.fixture
def admin(cloud: LiveCloud, monkeypatch: pytest.MonkeyPatch) -> Walk:
    monkeypatch.setattr(sys, "stdin", Terminal())
    return Walk(cloud.environment(), set())


def test_every_image_command_of_the_stock_client_works(cloud: LiveCloud, admin: Walk, tmp_path: Path) -> None:
    data = tmp_path / "data.raw"
    data.write_bytes(b"0123456789" * 100_000)
    _ways_in_and_out(admin, data)
    _changes(admin)
    api = Api(cloud.environment())
    project = {"project": {"name": admin.named("{other}")}}
    _sharing(admin, api.call("POST", "identity", "/v3/projects", project)[1]["project"]["id"])
    _cache(admin, data)
    _definitions(admin, api)
    admin("image delete {renamed} {imported} {staged}")
    cloud.pileus("fsck")
    assert COMMANDS - admin.used == set()


def _ways_in_and_out(admin: Walk, data: Path) -> None:
    as_raw = "--disk-format raw --container-format bare"
    admin(f"image create {as_raw} --property a=b --file", str(data), admin.named("{plain}"))
    admin.active("{plain}")
    for more in ("", "--store-preference slow --store-preference file"):
        saved = data.with_name("saved.raw")
        admin(f"image save {more} --file {saved} {{plain}}")
        assert saved.read_bytes() == data.read_bytes()
    admin(f"image create --import {as_raw} --file", str(data), admin.named("{imported}"))
    admin.active("{imported}")
    admin(f"image create {as_raw} {{staged}}")
    admin(f"image stage --file {data} {{staged}}")
    admin("image import {staged} --method glance-direct --store far")
    assert admin.active("{staged}")["properties"]["stores"] == "far"
    admin("image import --method copy-image --all-stores --allow-failure {plain}")
    eventually(lambda: admin.shown("{plain}")["properties"]["stores"] == "file,slow,far")
    admin("image import info")
    assert {store["ID"] for store in admin("image stores list")} == {"file", "slow", "far", "web"}
    assert "bucket" in str(admin("image stores list --detail"))
    tasks = admin("image task list")
    assert tasks and admin(f"image task show {tasks[0]['ID']}")["status"] == "success"


def _changes(admin: Walk) -> None:
    admin("image set --name {renamed} --property colour=blue --tag tagged --min-disk 1 --hidden {plain}")
    assert admin.named("{renamed}") not in admin.with_names("image list")
    assert admin.named("{renamed}") in admin.with_names("image list --hidden --long")
    admin("image set --unhidden --shared {renamed}")
    admin("image unset --property colour --tag tagged {renamed}")
    shown = admin.shown("{renamed}")
    assert shown["tags"] == [] and "colour" not in shown["properties"] and shown["min_disk"] == 1
    admin("image set --deactivate {renamed}")
    assert admin.shown("{renamed}")["status"] == "deactivated"
    admin("image set --activate {renamed}")
    admin("image delete --store slow {renamed}")
    assert admin.shown("{renamed}")["properties"]["stores"] == "file,far"
    admin("image set --protected {renamed}")
    with pytest.raises(AssertionError, match="protected"):
        admin("image delete {renamed}")
    admin("image set --unprotected {renamed}")


def _sharing(admin: Walk, project: str) -> None:
    admin(f"image add project {{renamed}} {project}")
    (member,) = admin("image member list {renamed}")
    assert member["Status"] == "pending"
    admin(f"image member get {{renamed}} {member['Member ID']}")
    admin(f"image set --accept --project {project} {{renamed}}")
    assert admin("image member list {renamed}")[0]["Status"] == "accepted"
    admin(f"image remove project {{renamed}} {project}")
    assert admin("image member list {renamed}") == []


def _cache(admin: Walk, data: Path) -> None:
    """What comes from far away fills it; an operator looks into it, fills and empties it."""
    far, near = (admin.shown(name)["id"] for name in ("{staged}", "{renamed}"))
    assert admin.cached() == {}
    saved = data.with_name("far.raw")
    admin(f"image save --file {saved} {{staged}}")
    assert saved.read_bytes() == data.read_bytes()
    eventually(lambda: admin.cached() == {far: "cached"})
    admin("cached image delete {staged}")
    assert admin.cached() == {}
    admin("cached image queue {staged} {renamed}")
    eventually(lambda: admin.cached() == {far: "cached", near: "cached"})
    admin("cached image clear --queue")
    assert set(admin.cached()) == {far, near}
    admin("cached image clear --cache")
    assert admin.cached() == {}
    admin("cached image clear")


def _definitions(admin: Walk, api: Api) -> None:
    admin("image metadef namespace create --display-name Shown --description Told --public {ns}")
    admin("image metadef namespace set --display-name Other --tag warm --unprotected {ns}")
    assert admin("image metadef namespace show {ns}")["display_name"] == "Other"
    assert admin.named("{ns}") in str(admin("image metadef namespace list"))
    admin("image metadef namespace unset --tag warm {ns}")
    thing = {"name": "thing", "properties": {"size": {"title": "Size", "type": "integer"}}}
    assert api.call("POST", "image", admin.named("/v2/metadefs/namespaces/{ns}/objects"), thing)[0] == 201
    assert admin("image metadef object property show {ns} thing size")["type"] == "integer"
    admin("image metadef object create --namespace {ns} other")
    admin("image metadef object update {ns} other --name another")
    assert admin("image metadef object show {ns} another")["name"] == "another"
    assert {row["name"] for row in admin("image metadef object list {ns}")} == {"thing", "another"}
    admin("image metadef object delete {ns} another")
    admin("image metadef property create {ns} --name p --title P --type string --schema", '{"minLength": 1}')
    admin("image metadef property set {ns} p --title Q")
    assert admin("image metadef property show {ns} p")["title"] == "Q"
    assert "p" in str(admin("image metadef property list {ns}"))
    admin("image metadef property delete {ns} p")
    admin("image metadef resource type association create {ns} OS::Nova::Flavor --properties-target image")
    assert "OS::Nova::Flavor" in str(admin("image metadef resource type list"))
    assert "OS::Nova::Flavor" in str(admin("image metadef resource type association list {ns}"))
    admin("image metadef resource type association delete {ns} OS::Nova::Flavor")
    admin("image metadef object delete {ns}")
    admin("image metadef namespace delete {ns}")
