"""Requests nobody would send: never an error of the server, and never anything left over."""

import random
from urllib.parse import quote

import pytest

from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs

TEXTS = [
    "", " ", "a", "0", "-1", "1" * 30, "true", "None", "\0", "é", "💥", "\ud800", "%00", "%FF",
    "../../etc/passwd", "/", "//", "a/b",
    "'; --", "<b>", "a" * 300, "a" * 9000, "*", ".r:*", ".r:*,.rlistings", "bytes=0-",
    "bytes=5-2,-1", "bytes=0-0,1-1", "W/\"x\"",
    "Mon, 99 Foo 2000 00:00:00 GMT", "1e309", "c/o", "c/seg/", "/c/link", "//realm1/name1/a/b",
    "multipart/form-data",
    "multipart/form-data; boundary=x", "application/json;q=x", "text/*;q=0.5, */*;q=2",
    "99999999999.99999", "sha256:AAAA",
]  # fmt: skip
HEADERS = [
    "accept", "accept-encoding", "authorization", "content-encoding", "content-length",
    "content-type", "destination",
    "destination-account", "etag", "expect", "if-match", "if-modified-since", "if-none-match",
    "if-range", "if-unmodified-since",
    "origin", "access-control-request-method", "range", "referer", "transfer-encoding",
    "x-account-meta-a", "x-account-quota-count",
    "x-container-meta-quota-bytes", "x-container-meta-access-control-allow-origin", "x-container-meta-web-index",
    "x-container-meta-web-listings", "x-container-read", "x-container-sync-auth", "x-container-sync-key",
    "x-container-sync-to", "x-container-write", "x-copy-from", "x-copy-from-account",
    "x-delete-after", "x-delete-at",
    "x-detect-content-type", "x-fresh-metadata", "x-history-location", "x-if-delete-at",
    "x-object-manifest", "x-object-meta-a",
    "x-remove-container-read", "x-storage-policy", "x-symlink-target", "x-symlink-target-account",
    "x-symlink-target-etag",
    "x-timestamp", "x-versions-enabled", "x-versions-location", "x-web-mode",
]  # fmt: skip
QUERY = [
    "limit", "marker", "end_marker", "prefix", "delimiter", "path", "reverse", "format",
    "versions", "version-id", "version_marker",
    "multipart-manifest", "symlink", "part-number", "bulk-delete", "extract-archive",
    "temp_url_sig", "temp_url_expires",
    "temp_url_prefix", "temp_url_ip_range", "inline", "filename", "async", "heartbeat",
]  # fmt: skip
VALUES = ["get", "put", "delete", "json", "xml", "tar", "tar.gz", "null", "1"]
BODIES = [
    b"", b"x", b"[]", b'[{"path": "/c/o"}]', b'[{"path": "/c/slo"}, {"data": "AAAA"}]',
    b"c/o\nc\n", b"\xff" * 700, b"--x\r\n\r\n\r\n--x--",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody\r\n--x--',
]  # fmt: skip
PATHS = [
    "",
    "c",
    "c/",
    "c/o",
    "c/slo",
    "c/dlo",
    "c/link",
    "v",
    "v/o",
    "c/none",
    "none",
    "none/o",
    "c//",
    "\0",
    "c/\ufffd",
    "c/" + "n" * 2000,
]
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "COPY", "OPTIONS"]


def furnish(own: Store) -> None:
    own.put("c", x_container_read=".r:*")
    own.put("v", x_versions_enabled="true")
    for path in ("c/o", "c/seg/1", "v/o"):
        own.put(path, b"bytes")
    own.put("c/slo?multipart-manifest=put", b'[{"path": "/c/seg/1"}]')
    own.put("c/dlo", x_object_manifest="c/seg/")
    own.put("c/link", x_symlink_target="c/o")


@pytest.mark.parametrize("seed", range(3))
def test_no_request_is_answered_with_an_error_of_the_server(
    world: World, own: Store, anybody: Store, seed: int
) -> None:
    chance = random.Random(seed)
    wrong = []
    for number in range(500):
        if number % 50 == 0:
            furnish(own)
        headers = {chance.choice(HEADERS): chance.choice(TEXTS) for _ in range(chance.choice([0, 1, 1, 2, 4]))}
        query = "&".join(
            f"{name}={quote(chance.choice(TEXTS + VALUES), errors='replace')}"
            for name in chance.sample(QUERY, chance.choice([0, 0, 1, 2, 3]))
        )
        store = chance.choice([own, own, own, anybody])
        path, method, body = chance.choice(PATHS), chance.choice(METHODS), chance.choice(BODIES)
        sent = {name.replace("-", "_"): value for name, value in headers.items()}
        answer = store.ask(method, f"{path}?{query}", body, **sent)
        shown = f"{method} {path}?{query} {headers} {body!r}: {answer.status} {answer.raw[:300]!r}"
        if answer.status >= 500 and answer.status != 501:
            wrong.append(shown)
        if any(set("\r\n\0") & set(f"{name}{value}") for name, value in answer.headers.items()):
            wrong.append(f"a header cannot be sent: {answer.headers} {shown}")
    assert not wrong, "\n".join(wrong[:10])
    nothing_differs(world)
