"""Accounts: their containers, sums, metadata and quotas."""

import pytest

from tests.harness import Client, World
from tests.spec.object_storage.store import Store


def test_an_account_is_there_before_anybody_writes_to_it(own: Store) -> None:
    answer = own.get()
    answer.ok(204)
    assert answer.headers["x-account-container-count"] == "0"
    own.head().ok(204)


def test_the_sums_of_an_account_are_those_of_its_containers(own: Store) -> None:
    first, second = own.container(), own.container()
    own.put(f"{first}/a", b"12345").ok(201)
    own.put(f"{second}/b", b"123").ok(201)
    own.put(f"{second}/b", b"1").ok(201)
    answer = own.head()
    names = ("container-count", "object-count", "bytes-used")
    assert [answer.headers[f"x-account-{name}"] for name in names] == ["2", "2", "6"]
    own.delete(f"{first}/a").ok(204)
    assert own.head().headers["x-account-bytes-used"] == "1"


def test_containers_are_listed_in_any_form(own: Store) -> None:
    for name in ("b", "a&b", "c"):
        own.put(name).ok(201)
    assert own.names("") == ["a&b", "b", "c"]
    assert [entry["name"] for entry in own.get("?format=json&marker=a%26b&limit=1").json] == ["b"]
    assert b"<name>a&amp;b</name>" in own.get("", accept="application/xml").raw
    own.get("", accept="image/png").refused(406)
    own.get("?limit=10001").refused(412)


def test_metadata_are_set_merged_and_removed(own: Store) -> None:
    own.post("", x_account_meta_colour="red", x_account_meta_size="5").ok(204)
    own.post("", x_account_meta_size="", x_account_meta_shape="round").ok(204)
    headers = own.head().headers
    assert headers["x-account-meta-colour"] == "red" and headers["x-account-meta-shape"] == "round"
    assert "x-account-meta-size" not in headers
    own.post("", x_remove_account_meta_colour="x").ok(204)
    assert "x-account-meta-colour" not in own.head().headers


@pytest.mark.parametrize(
    "headers",
    [
        {"x-account-meta-" + "a" * 129: "x"},
        {"x-account-meta-a": "x" * 257},
        {"x-account-meta-": "x"},
        {f"x-account-meta-{n}": "x" for n in range(91)},
        {f"x-account-meta-{n}": "x" * 200 for n in range(30)},
    ],
)
def test_metadata_beyond_the_limits_are_refused(own: Store, headers: dict[str, str]) -> None:
    own.post("", **headers).refused(400, "metadata")


def test_an_account_says_what_may_be_done_with_it(anybody: Store) -> None:
    assert "COPY" in anybody.ask("OPTIONS").headers["allow"]


def test_an_account_is_neither_made_nor_deleted_by_hand(own: Store) -> None:
    own.put("").refused(405)
    own.delete("").refused(405)


def test_only_who_sells_storage_sets_a_quota(own: Store, seller: Store) -> None:
    own.post("", x_account_meta_quota_bytes="10").refused(403)
    seller.post("", x_account_meta_quota_bytes="ten").refused(400, "quota")
    seller.post("", x_account_meta_quota_bytes="10", x_account_quota_count="2").ok(204)
    name = own.container()
    own.put(f"{name}/a", b"123456").ok(201)
    own.put(f"{name}/b", b"12345").refused(413, "quota")
    own.put(f"{name}/b", upload=iter([b"123", b"45"])).refused(413, "quota")
    own.put(f"{name}/a", b"1234567890").ok(201)  # what it replaces makes room
    own.put(f"{name}/b").ok(201)
    own.put(f"{name}/c").refused(413, "quota")
    own.copy(f"{name}/b", f"{name}/c").refused(413, "quota")
    seller.post("", x_remove_account_meta_quota_bytes="x", x_remove_account_quota_count="x").ok(204)
    own.put(f"{name}/c", b"12345").ok(201)


def test_a_reader_reads_and_does_not_write(world: World, own: Store) -> None:
    name = own.container()
    own.put(f"{name}/o", b"x").ok(201)
    reader = Store(world.client("reader", project_id=own.client.project_id))
    assert reader.get(f"{name}/o").ok(200) == b"x"
    reader.get("").ok(200)
    for answer in (reader.put("x"), reader.put(f"{name}/p"), reader.delete(f"{name}/o"), reader.post("")):
        answer.refused(403)


def test_strangers_are_refused_everywhere(own: Store, others: Store, anybody: Store) -> None:
    name = own.container()
    own.put(f"{name}/o", b"x").ok(201)
    for store, status in ((others, 403), (anybody, 401)):
        for path in ("", name, f"{name}/o", "none", "none/o", f"{name}/none"):
            for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
                store.ask(method, path).refused(status)
        store.copy(f"{name}/o", f"{name}/p").refused(status)
        store.post("?bulk-delete", f"{name}/o".encode())
        store.put("?extract-archive=tar", b"")
    own.copy(f"{name}/o", f"{name}/p").ok(201)
    assert own.names(name) == ["o", "p"]


def test_a_token_that_is_none_makes_nobody_of_its_bearer(world: World, own: Store) -> None:
    Store(Client(world.application, "gAAAAABnonsense"), own.account).get("").refused(401)


def test_what_there_is_and_the_limits_are_told_to_everybody(anonymous: Client) -> None:
    for path in ("/object/info", "/info"):
        assert anonymous.get(path).ok(200)["swift"]["max_file_size"] > 5 << 30
        anonymous.request("OPTIONS", path).ok(200)
    assert anonymous.get("/object/healthcheck").ok(200) == b"OK"
    assert b"cross-domain-policy" in anonymous.get("/object/crossdomain.xml").ok(200)


def test_the_catalog_names_it_at_the_process_for_bodies(member: Client) -> None:
    catalog = member.get("/identity/v3/auth/catalog").ok(200)["catalog"]
    service = next(entry for entry in catalog if entry["type"] == "object-store")
    assert service["name"] == "swift"
    assert {e["interface"] for e in service["endpoints"]} == {"public", "internal", "admin"}
    assert service["endpoints"][0]["url"].endswith(f":5001/object/v1/AUTH_{member.project_id}")
