"""Containers kept the same as others: signed requests, the newest wins, deletions are told too."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pileus.object_storage import sync
from pileus.settings import ObjectStorage, SyncRealm
from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs

REALM = SyncRealm(key="realm-key", clusters={"name1": "http://cloud.test/object/v1/"})


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
    """A cloud whose counterpart is itself, over a transport without a socket."""
    world = World(tmp_path_factory.mktemp("synced"), object_storage=ObjectStorage(sync_realms={"realm1": REALM}))

    def answer(request: httpx.Request) -> httpx.Response:
        body = b"".join(request.stream)  # type: ignore[arg-type]
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = world.anonymous().request(request.method, request.url.path, None, headers, iter([body] if body else []))
        return httpx.Response(asked.status, content=asked.raw)

    real = httpx.Client
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "Client", lambda **_: real(transport=httpx.MockTransport(answer)))
        yield world
    world.stop()


def pair(world: World) -> tuple[Store, Store]:
    """Containers of two projects, each the other's counterpart."""
    one, two = Store(world.client("member")), Store(world.client("member"))
    for own, other in ((one, two), (two, one)):
        to = f"//realm1/name1/{other.account}/box"
        own.put("box", x_container_sync_to=to, x_container_sync_key="key").ok(201)
    return one, two


def listing(own: Store) -> Any:
    return own.get("box?format=json").json


def test_both_ends_become_the_same(synced: World) -> None:
    one, two = pair(synced)
    one.put("box/a", b"from one", x_object_meta_colour="red", content_type="a/b").ok(201)
    two.put("box/ü b", b"from two").ok(201)
    for _ in range(2):
        sync.tell(synced.cloud)
    assert listing(one) == listing(two) and len(listing(one)) == 2
    assert two.get("box/a").headers["x-object-meta-colour"] == "red" and two.get("box/a").raw == b"from one"
    two.put("box/a", b"newer").ok(201)
    sync.tell(synced.cloud)
    assert one.get("box/a").raw == b"newer"
    one.delete("box/a").ok(204)
    for _ in range(2):
        sync.tell(synced.cloud)
    two.get("box/a").refused(404)
    nothing_differs(synced)


def test_what_was_there_before_is_told_too(synced: World) -> None:
    one, two = Store(synced.client("member")), Store(synced.client("member"))
    one.put("box").ok(201)
    one.put("box/o", b"x").ok(201)
    two.put("box", x_container_sync_key="key").ok(201)
    one.post("box", x_container_sync_to=f"//realm1/name1/{two.account}/box", x_container_sync_key="key").ok(204)
    sync.tell(synced.cloud)
    assert listing(one) == listing(two)


def test_a_wrong_key_changes_nothing_and_is_tried_again(synced: World) -> None:
    one, two = pair(synced)
    two.post("box", x_container_sync_key="another").ok(204)
    one.put("box/o", b"x").ok(201)
    sync.tell(synced.cloud)
    assert two.names("box") == []
    two.post("box", x_container_sync_key="key").ok(204)
    sync.tell(synced.cloud)
    assert two.names("box") == ["o"]


@pytest.mark.parametrize("auth", ["", "realm1", "realm1 x y", "none x y", "realm1 x " + "0" * 40, "é é é"])
def test_a_signature_that_is_none_lets_nobody_in(synced: World, auth: str) -> None:
    one, _ = pair(synced)
    stranger = Store(synced.anonymous(), one.account)
    stranger.put("box/o", b"x", x_container_sync_auth=auth, x_timestamp="1700000000.00000").refused(401)
    stranger.put("box/o", b"x", x_container_sync_key="key", x_timestamp="1700000000.00000").refused(401)
    stranger.delete("box/o", x_container_sync_auth=auth, x_timestamp="x").refused(401)


@pytest.mark.parametrize(
    "to",
    [
        "//realm1/name1/a",
        "//none/name1/a/b",
        "//realm1/none/a/b",
        "http://127.0.0.1/v1/a/b",
        "x",
        "//",
        "http://[",
        "ftp://a/v1/a/b",
    ],
)
def test_a_counterpart_that_is_none_is_refused(synced: World, to: str) -> None:
    Store(synced.client("member")).put("box", x_container_sync_to=to).refused(400)
