"""Several stores, where images are in them, addresses on the web, and the cache of what is remote."""

import hashlib
from typing import Any

import pytest

from pileus.image import reconcile
from pileus.image.store import Image, Location
from tests.harness import Answer, Client, World, eventually
from tests.spec.image.images import BYTES, IMAGES, active, bare, bring_in, change, data, ended, show, upload
from tests.spec.image.web import Web


def add(client: Client, image: dict[str, Any], url: str, **more: Any) -> Answer:
    return change(client, image, {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}, **more}})


def given(client: Client, image: dict[str, Any], url: Any, **validation: Any) -> Answer:
    return client.post(f"{IMAGES}/{image['id']}/locations", {"url": url, "validation_data": validation})


def locations_of(world: World, image: dict[str, Any]) -> list[Location]:
    with world.cloud.db.read() as tx:
        return list(tx.get(Image, id=image["id"]).locations)


def test_stores_are_told_with_what_they_are(importer: Client, operator: Client) -> None:
    stores = {store["id"]: store for store in importer.get("/image/v2/info/stores").ok(200)["stores"]}
    assert list(stores) == ["cheap", "file", "web"]
    assert stores["file"]["default"] == "true" and "default" not in stores["cheap"]
    assert stores["web"]["read-only"] == "true" and stores["cheap"]["description"] == "Slow disks."
    detail = operator.get("/image/v2/info/stores/detail").ok(200)["stores"]
    assert [(store["type"], store["weight"]) for store in detail] == [("file", 20), ("file", 10), ("http", 5)]
    methods = importer.get("/image/v2/info/import").ok(200)["import-methods"]["value"]
    assert methods == ["glance-direct", "web-download", "copy-image", "glance-download"]


def test_an_upload_goes_to_the_store_it_names(importer: Client) -> None:
    image = bare(importer)
    path = f"{IMAGES}/{image['id']}/file"
    for store in ("web", "moon"):
        importer.request("PUT", path, headers={**BYTES, "x-image-meta-store": store}, upload=iter([b"x"])).refused(
            400, "no store"
        )
    importer.request("PUT", path, headers={**BYTES, "x-image-meta-store": "cheap"}, upload=iter([b"x"])).ok(204)
    shown = show(importer, image)
    assert shown["stores"] == "cheap" and "store-cheap" in shown["direct_url"] and data(importer, image) == b"x"


def test_a_download_comes_from_the_stores_the_client_prefers(wide: World, importer: Client, operator: Client) -> None:
    image = active(importer)
    bring_in(operator, image, "copy-image", stores=["cheap"]).ok(202)
    eventually(lambda: show(importer, image)["stores"] == "cheap,file")
    stores, path = wide.cloud.drivers["image"], f"{IMAGES}/{image['id']}/file"
    for location in locations_of(wide, image):
        stores[location.store].path(location.key).write_bytes(location.store.encode())
    for asked, store in (
        ("", b"cheap"), ("?prefer=file", b"file"), ("?prefer=web,%20file,cheap", b"file"),
        ("?prefer=cheap,file", b"cheap"), ("?prefer=web", b"cheap"), ("?prefer=,", b"cheap"),
    ):  # fmt: skip
        assert importer.request("GET", path + asked).ok(200)[:4] == store[:4]
    importer.get(f"{path}?prefer=file,moon").refused(400, "no store")


def test_an_image_leaves_all_stores_but_its_last(importer: Client, operator: Client) -> None:
    image = active(importer)
    path = f"/image/v2/stores/file/{image['id']}"
    importer.delete(path).refused(403)
    operator.delete(path).refused(403, "last")
    operator.delete(f"/image/v2/stores/cheap/{image['id']}").refused(404, "not stored")
    operator.delete(f"/image/v2/stores/moon/{image['id']}").refused(404, "no store")
    assert data(importer, image) == b"bytes"


def test_locations_are_nobodys_to_see_or_change_unless_the_operator_says_so(member: Client) -> None:
    image = active(member)
    assert "locations" not in image and "direct_url" not in image
    add(member, image, "http://127.0.0.1/x").refused(403, "locations")


def test_a_place_on_the_web_makes_a_queued_image_active(importer: Client, operator: Client, web: Web) -> None:
    url = web.put("/placed", b"0123456789")
    image = bare(importer)
    assert image["locations"] == []
    shown = add(importer, image, url, metadata={"foo": "bar"}).ok(200)
    assert shown["status"] == "active" and shown["stores"] == "web" and shown["size"] == 10
    assert shown["locations"] == [{"url": url, "metadata": {"foo": "bar", "store": "web"}}]
    assert shown["direct_url"] == url and shown["os_hash_value"] is None
    part = importer.request("GET", f"{IMAGES}/{image['id']}/file", headers={"range": "bytes=2-4"})
    assert part.status == 206 and part.raw == b"234"
    second = add(importer, image, f"{url}#new", metadata={"speed": "88mph"}).ok(200)["locations"]
    assert [place["url"] for place in second] == [url, f"{url}#new"]
    add(importer, image, url).refused(400, "already")
    replace = {"op": "replace", "path": "/locations"}
    second[0]["metadata"]["date"] = "today"
    assert change(importer, image, {**replace, "value": second}).ok(200)["locations"] == second
    for wrong in (second[:1], [second[0], {**second[1], "url": f"{url}#other"}], [], "x", [7]):
        change(importer, image, {**replace, "value": wrong}).refused(400)
    remove = {"op": "remove", "path": "/locations/0"}
    change(importer, image, remove).refused(403)
    assert change(operator, image, remove).ok(200)["locations"] == second[1:]
    change(operator, image, remove).refused(403, "last")
    change(operator, image, {**remove, "path": "/locations/7"}).refused(404)


@pytest.mark.parametrize(
    "place",
    [
        None,
        {},
        {"url": 7},
        {"url": "gopher://info.cern.ch", "metadata": {"foo": "bar"}},
        {"url": "file:///etc/passwd"},
        {"url": "http://169.254.169.254/"},
        {"url": "http://user:secret@127.0.0.1/"},
        {"url": "http://[::1/"},
        {"url": "MISSING"},
        {"url": "GOOD", "metadata": 7},
        {"url": "GOOD", "metadata": {"a": "x" * 5000}},
        {"url": "GOOD", "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "ab"}},
        {"url": "GOOD", "validation_data": {"os_hash_value": "ab" * 64}},
        {"url": "GOOD", "validation_data": {"os_hash_algo": "sha123", "os_hash_value": "ab" * 64}},
        {"url": "GOOD", "validation_data": {"checksum": "zz" * 16}},
        {"url": "GOOD", "validation_data": 7},
    ],
)
def test_a_place_that_makes_no_sense_is_refused(importer: Client, web: Web, place: Any) -> None:
    good = {"GOOD": web.put("/placed", b"0123456789"), "MISSING": web.url("/missing")}
    if isinstance(place, dict) and place.get("url") in good:
        place = {**place, "url": good[place["url"]]}
    image = bare(importer)
    change(importer, image, {"op": "add", "path": "/locations/-", "value": place}).refused(400)
    body = place if isinstance(place, dict) and "metadata" not in place else {"url": None}
    importer.post(f"{IMAGES}/{image['id']}/locations", body).refused(400)
    assert show(importer, image)["status"] == "queued"


def test_hashes_said_of_a_place_are_the_images_and_all_places_agree(importer: Client, web: Web) -> None:
    url = web.put("/placed", b"0123456789")
    said = {"checksum": "1" * 32, "os_hash_algo": "sha512", "os_hash_value": "deadbeef" * 16}
    image = bare(importer)
    shown = add(importer, image, url, validation_data=said).ok(200)
    assert {name: shown[name] for name in said} == said
    add(importer, image, f"{url}#same", validation_data=said).ok(200)
    for wrong in ({"checksum": "2" * 32}, {"os_hash_value": "beefdead" * 16}, {"os_hash_algo": "sha256"}):
        add(importer, image, f"{url}#new", validation_data={**said, **wrong}).refused(409, "validation_data")
    assert len(show(importer, image)["locations"]) == 2


def test_a_registered_place_is_read_and_hashed(importer: Client, operator: Client, web: Web) -> None:
    url = web.put("/placed", b"0123456789")
    image = bare(importer)
    given(importer, image, url).ok(202)
    assert ended(importer, image)["status"] == "success"
    shown = show(importer, image)
    assert shown["status"] == "active" and shown["os_hash_algo"] == "sha512"
    assert shown["os_hash_value"] == hashlib.sha512(b"0123456789").hexdigest()
    assert shown["checksum"] == hashlib.md5(b"0123456789").hexdigest() and shown["stores"] == "web"
    given(importer, image, url).refused(409, "active")
    path = f"{IMAGES}/{image['id']}/locations"
    assert operator.get(path).ok(200) == shown["locations"]
    importer.get(path).refused(403)


def test_a_registered_place_must_keep_its_promise(importer: Client, web: Web) -> None:
    url = web.put("/placed", b"0123456789")
    kept = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(b"0123456789").hexdigest()}
    image = bare(importer)
    given(importer, image, url, **kept).ok(202)
    assert ended(importer, image)["status"] == "success" and show(importer, image)["os_hash_algo"] == "sha256"
    broken = bare(importer)
    given(importer, broken, url, os_hash_algo="sha512", os_hash_value="beefdead" * 16).ok(202)
    assert ended(importer, broken)["status"] == "failure"
    shown = show(importer, broken)
    assert shown["status"] == "queued" and shown["os_hash_algo"] is None and shown["stores"] == "web"


# -- the cache ---------------------------------------------------------------------------------------------------------


def cached(client: Client) -> dict[str, Any]:
    return {entry["image_id"]: entry for entry in client.get("/image/v2/cache").ok(200)["cached_images"]}


def test_an_image_is_cached_on_demand_and_dropped_again(wide: World, importer: Client, operator: Client) -> None:
    image, queued = active(importer), bare(importer)
    importer.get("/image/v2/cache").refused(403)
    importer.put(f"/image/v2/cache/{image['id']}").refused(403)
    operator.put(f"/image/v2/cache/{queued['id']}").refused(400, "queued")
    operator.put("/image/v2/cache/nothing").refused(404)
    operator.put(f"/image/v2/cache/{image['id']}").ok(202)
    reconcile.fill_cache(wide.cloud)
    entry = cached(operator)[image["id"]]
    assert entry["size"] == 5
    assert operator.get("/image/v2/cache").ok(200)["queued_images"] == []
    operator.delete(f"/image/v2/cache/{image['id']}").ok(204)
    operator.delete(f"/image/v2/cache/{image['id']}").refused(404)
    assert image["id"] not in cached(operator)
    operator.request("DELETE", "/image/v2/cache", headers={"x-image-cache-clear-target": "moon"}).refused(400)
    for target in ("queue", "cache", ""):
        operator.request("DELETE", "/image/v2/cache", headers={"x-image-cache-clear-target": target}).ok(204)
    assert cached(operator) == {}


def test_a_download_of_remote_data_fills_the_cache_and_is_served_from_it(
    importer: Client, operator: Client, web: Web
) -> None:
    url = web.put("/remote", b"0123456789" * 1000)
    image = bare(importer)
    given(importer, image, url).ok(202)
    ended(importer, image)
    assert data(importer, image) == b"0123456789" * 1000
    asked = len(web.asked)
    assert data(importer, image) == b"0123456789" * 1000 and len(web.asked) == asked
    assert cached(operator)[image["id"]]["hits"] == 1
    importer.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert image["id"] not in cached(operator)


def test_a_part_of_an_image_on_the_web_is_that_part_or_refused(importer: Client, web: Web) -> None:
    content = bytes(range(256)) * 10_000
    image = bare(importer)
    given(importer, image, web.put("/ranges", content)).ok(202)
    ended(importer, image)
    part, path = {"range": "bytes=2000001-2000003"}, f"{IMAGES}/{image['id']}/file"
    assert importer.request("GET", path, headers=part).ok(206) == content[2000001:2000004]
    web.deaf.add("/ranges")
    assert importer.request("GET", path, headers=part).ok(206) == content[2000001:2000004]
    web.deaf.clear()
    web.wrong.add("/ranges")
    importer.request("GET", path, headers=part).refused(503, "cannot be read")


def test_remote_data_that_changed_is_not_cached(importer: Client, operator: Client, web: Web) -> None:
    image = bare(importer)
    given(importer, image, web.put("/changing", b"first")).ok(202)
    ended(importer, image)
    web.put("/changing", b"other")
    data(importer, image)
    assert image["id"] not in cached(operator)


def test_the_cache_keeps_to_its_size(wide: World, importer: Client, operator: Client) -> None:
    stores = wide.cloud.drivers["image"]
    kept = stores.options.cache_mib
    stores.options.cache_mib = 1
    try:
        images = []
        for _ in range(3):
            image = active(importer, bytes(400_000))
            operator.put(f"/image/v2/cache/{image['id']}").ok(202)
            reconcile.fill_cache(wide.cloud)
            assert image["id"] in cached(operator)
            images.append(image["id"])
        found = cached(operator)
        assert images[0] not in found and images[2] in found
        reconcile.reconcile(wide.cloud)
        assert sum(entry["size"] for entry in cached(operator).values()) <= 1 << 20
    finally:
        stores.options.cache_mib = kept
    assert list(reconcile.differences(wide.cloud)) == []


def test_a_store_out_of_order_is_told_and_another_one_serves(importer: Client, operator: Client, web: Web) -> None:
    image = bare(importer)
    given(importer, image, web.put("/flaky", b"data")).ok(202)
    ended(importer, image)
    del web.files["/flaky"]
    importer.get(f"{IMAGES}/{image['id']}/file").refused(503, "at present")
    upload(importer, bare(importer), b"x").ok(204)
