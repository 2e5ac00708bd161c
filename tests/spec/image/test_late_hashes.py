"""Uploads that come faster than they can be hashed: the image is active at once, and its hashes are there for who looks."""

import hashlib
import os
import threading
import time

import pytest

from pileus.core import hashes
from pileus.core.wire import Again, Request
from tests.harness import Client, World, eventually
from tests.spec.image.images import IMAGES, bare, names, show, stage, upload
from tests.spec.image.test_data import data_of

BUFFER = 4096
DATA = os.urandom(40 * BUFFER + 100)


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Small buffers, and an md5 that takes its time until it is told to go on."""
    going, new = threading.Event(), hashlib.new

    class Slow:
        def __init__(self) -> None:
            self._hash = hashlib.md5(usedforsecurity=False)
            self.name, self.hexdigest = "md5", self._hash.hexdigest

        def update(self, view: memoryview) -> None:
            going.wait(0.05)
            self._hash.update(view)

    monkeypatch.setattr(hashes, "BUFFER", BUFFER)
    monkeypatch.setattr(hashlib, "new", lambda name, **_: Slow() if name == "md5" else new(name))
    return going


def test_the_image_is_active_at_once_and_shown_when_its_hashes_are_there(
    importer: Client, go_on: threading.Event
) -> None:
    image = bare(importer)
    upload(importer, image, DATA).ok(204)
    listed = importer.get(f"{IMAGES}?name={image['name']}&sort=created_at:desc").ok(200)["images"][0]
    assert listed["id"] == image["id"] and listed["status"] == "active" and listed["size"] == len(DATA)
    assert listed["os_hash_algo"] == "sha512" and listed["os_hash_value"] is None and listed["checksum"] is None
    answer = importer.get(f"{IMAGES}/{image['id']}/file")
    assert answer.ok(200) == DATA and "content-md5" not in answer.headers
    go_on.set()
    shown = show(importer, image)
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()


def test_who_asks_meanwhile_is_asked_to_come_again_and_holds_no_thread(
    importer: Client, go_on: threading.Event
) -> None:
    image = bare(importer)
    upload(importer, image, DATA).ok(204)
    asked = Request("GET", f"{IMAGES}/{image['id']}", headers={"x-auth-token": importer.token or ""})
    assert isinstance(importer.application.handle(asked), Again)
    impatient = asked.again()
    impatient.began = time.monotonic() - 3600
    assert importer.application.handle(impatient).status == 200
    go_on.set()
    assert show(importer, image)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()


def test_an_image_may_be_deleted_while_it_is_hashed(importer: Client, wide: World, go_on: threading.Event) -> None:
    image = bare(importer, name="short-lived")
    upload(importer, image, DATA).ok(204)
    importer.delete(f"{IMAGES}/{image['id']}").ok(204)
    go_on.set()
    assert "short-lived" not in names(importer)
    eventually(lambda: not any(image["id"] in key for key in data_of(wide)))


def test_what_was_staged_or_has_to_be_verified_waits_for_its_hashes(importer: Client, go_on: threading.Event) -> None:
    threading.Timer(0.1, go_on.set).start()
    image = bare(importer)
    stage(importer, image, DATA).ok(204)
    importer.post(f"{IMAGES}/{image['id']}/import", {"method": {"name": "glance-direct"}}).ok(202)
    eventually(lambda: show(importer, image)["status"] == "active")
    assert show(importer, image)["checksum"] == hashlib.md5(DATA).hexdigest()
