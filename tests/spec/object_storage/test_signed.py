"""What signatures open: addresses, forms; and web sites, which are open by themselves."""

import hmac
import time
from typing import Any

import pytest

from tests.harness import Answer
from tests.spec.object_storage.store import Store

KEY = "secret"


@pytest.fixture
def box(own: Store) -> str:
    own.post("", x_account_meta_temp_url_key=KEY).ok(204)
    name = own.container()
    own.put(f"{name}/dir/o", b"bytes", x_object_meta_a="b").ok(201)
    return name


def sign(text: str, digest: str = "sha256", key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), digest).hexdigest()


def address(
    own: Store, path: str, method: str = "GET", expires: int | str = 0, key: str = KEY, digest: str = "sha256"
) -> str:
    expires = expires or int(time.time()) + 600
    sig = sign(f"{method}\n{expires}\n/object/v1/{own.account}/{path}", digest, key)
    return f"{path}?temp_url_sig={sig}&temp_url_expires={expires}"


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_a_signed_address_opens_one_object_for_one_method(own: Store, anybody: Store, box: str, digest: str) -> None:
    url = address(own, f"{box}/dir/o", digest=digest)
    answer = anybody.get(url)
    assert answer.ok(200) == b"bytes" and answer.headers["content-disposition"].startswith('attachment; filename="o"')
    assert "x-object-meta-a" not in answer.headers and "expires" in answer.headers
    anybody.head(url).ok(200)
    anybody.put(url, b"x").refused(401)
    anybody.get(url.replace("dir/o", "dir/p")).refused(401)
    anybody.get(url.replace("sig=", "sig=0")).refused(401)
    anybody.get(f"{box}/dir/o").refused(401)
    assert anybody.get(f"{url}&inline").headers["content-disposition"] == "inline"
    assert 'filename="x.txt"' in anybody.get(f"{url}&filename=x.txt").headers["content-disposition"]


def test_a_signed_address_ends_and_may_be_signed_as_others_swifts_have_it(own: Store, anybody: Store, box: str) -> None:
    anybody.get(address(own, f"{box}/dir/o", expires=int(time.time()) - 1)).refused(401)
    expires = int(time.time()) + 600
    text = f"GET\n{expires}\n/v1/{own.account}/{box}/dir/o"
    anybody.get(f"{box}/dir/o?temp_url_sig={sign(text)}&temp_url_expires={expires}").ok(200)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
    anybody.get(f"{box}/dir/o?temp_url_sig={sign(text)}&temp_url_expires={moment}").ok(200)
    other = f"GET\n{expires}\nprefix:/v1/{own.account}/{box}/dir/"
    prefix = f"temp_url_sig={sign(other)}&temp_url_expires={expires}&temp_url_prefix=dir/"
    anybody.get(f"{box}/dir/o?{prefix}").ok(200)
    anybody.get(f"{box}/o?{prefix}").refused(401)
    ranged = f"ip=10.0.0.0/8\nGET\n{expires}\n/v1/{own.account}/{box}/dir/o"
    url = f"{own.base}/{box}/dir/o?temp_url_sig={sign(ranged)}&temp_url_expires={expires}&temp_url_ip_range=10.0.0.0/8"
    assert anybody.client.request("GET", url, client="10.1.2.3").status == 200
    assert anybody.client.request("GET", url, client="11.1.2.3").status == 401


@pytest.mark.parametrize(
    "query",
    ["temp_url_sig=x", "temp_url_expires=1", "temp_url_sig=&temp_url_expires=",
     "temp_url_sig=%00&temp_url_expires=9999999999",
     "temp_url_sig=sha256:?&temp_url_expires=9999999999", "temp_url_sig=md5:AAAA&temp_url_expires=9999999999",
     "temp_url_sig=" + "0" * 64 + "&temp_url_expires=99999999999999999999",
     "temp_url_sig=" + "0" * 64 + "&temp_url_expires=9999999999&temp_url_ip_range=x"],
)  # fmt: skip
def test_a_signature_that_is_none_opens_nothing(own: Store, anybody: Store, box: str, query: str) -> None:
    anybody.get(f"{box}/dir/o?{query}").refused(401)


def test_a_signed_upload_makes_no_other_object_readable(own: Store, anybody: Store, box: str) -> None:
    url = address(own, f"{box}/new", "PUT")
    anybody.put(url, b"new").ok(201)
    assert own.get(f"{box}/new").raw == b"new"
    anybody.put(url, x_object_manifest=f"{box}/dir/").refused(400)
    anybody.put(url, x_symlink_target=f"{box}/dir/o").refused(400)
    anybody.put(url, x_copy_from=f"{box}/dir/o").refused(400)
    anybody.delete(address(own, f"{box}/new", "DELETE")).ok(204)


def test_a_containers_key_opens_that_container(own: Store, anybody: Store, box: str) -> None:
    own.post(box, x_container_meta_temp_url_key_2="other").ok(204)
    anybody.get(address(own, f"{box}/dir/o", key="other")).ok(200)
    elsewhere = own.container()
    own.put(f"{elsewhere}/o", b"x").ok(201)
    anybody.get(address(own, f"{elsewhere}/o", key="other")).refused(401)
    own.put(f"{box}/link", x_symlink_target=f"{elsewhere}/o").ok(201)
    anybody.get(address(own, f"{box}/link", key="other")).refused(401)
    anybody.get(address(own, f"{box}/link")).ok(200)


# -- forms ---------------------------------------------------------------------------------------------------------------


def form(own: Store, path: str, files: dict[str, bytes], **fields: Any) -> tuple[bytes, str]:
    given = {"redirect": "", "max_file_size": 100, "max_file_count": 2, "expires": int(time.time()) + 600, **fields}
    names = ("redirect", "max_file_size", "max_file_count", "expires")
    text = "\n".join([f"/object/v1/{own.account}/{path}", *(str(given[name]) for name in names)])
    given.setdefault("signature", sign(text))
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in given.items()]
    for name, body in files.items():
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: a/b\r\n\r\n'
        parts.append(head.encode() + body)
    return b"".join(b"--XX\r\n" + part + b"\r\n" for part in parts) + b"--XX--\r\n", "multipart/form-data; boundary=XX"


def post(store: Store, path: str, built: tuple[bytes, str], pieces: int = 0) -> Answer:
    body, kind = built
    if pieces:
        return store.post(
            path, upload=iter([body[n : n + pieces] for n in range(0, len(body), pieces)]), content_type=kind
        )
    return store.post(path, body, content_type=kind)


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_a_signed_form_brings_its_files(own: Store, anybody: Store, box: str, pieces: int) -> None:
    files = {"a.txt": b"one", "b.txt": b"--XX two\r\n--X", "": b""}
    post(anybody, f"{box}/in-", form(own, f"{box}/in-", files), pieces).ok(201)
    assert own.get(f"{box}/in-a.txt").raw == b"one" and own.get(f"{box}/in-b.txt").raw == b"--XX two\r\n--X"
    assert own.head(f"{box}/in-a.txt").headers["content-type"] == "a/b"
    redirected = post(anybody, box, form(own, box, {"c": b""}, redirect="http://page.test/?x=1"))
    redirected.refused(303)
    assert redirected.headers["location"] == "http://page.test/?x=1&status=201&message="


def test_a_form_keeps_to_what_was_signed(own: Store, anybody: Store, box: str) -> None:
    path = f"{box}/in-"
    post(anybody, path, form(own, path, {"a": b"x"}, signature="0" * 64)).refused(401, "signature")
    post(anybody, path, form(own, path, {"a": b"x"}, expires=1)).refused(401, "expired")
    post(anybody, path, form(own, path, {"a": b"x" * 101})).refused(413, "max_file_size")
    post(anybody, path, form(own, path, {"a": b"", "b": b"", "c": b""})).refused(400, "max file count")
    post(anybody, path, form(own, path, {})).refused(400, "no files")
    post(anybody, path, form(own, path, {"a": b"x"}, max_file_size="many")).refused(400, "integer")
    for broken in (b"", b"--XX", b"--XX\r\nno end of headers", b"nothing", b"--XX\r\n\r\n\r\nx"):
        post(anybody, path, (broken, "multipart/form-data; boundary=XX")).refused(400)
    post(anybody, path, (b"x", "multipart/form-data")).refused(400, "boundary")
    assert [name for name in own.names(box) if name.startswith("in-")] in (["in-a", "in-b"], [])


# -- web sites -----------------------------------------------------------------------------------------------------------


def test_a_container_is_a_web_site(own: Store, anybody: Store) -> None:
    site = own.container(x_container_read=".r:*,.rlistings", x_container_meta_web_index="index.html",
                         x_container_meta_web_error="error.html")  # fmt: skip
    own.put(f"{site}/index.html", b"<p>home</p>").ok(201)
    own.put(f"{site}/sub/index.html", b"<p>sub</p>").ok(201)
    own.put(f"{site}/404error.html", b"<p>none</p>").ok(201)
    assert anybody.get(f"{site}/").ok(200) == b"<p>home</p>"
    assert anybody.get(f"{site}/sub/").ok(200) == b"<p>sub</p>"
    for path in (site, f"{site}/sub"):
        answer = anybody.get(path)
        answer.refused(301)
        assert answer.headers["location"].endswith(f"{path}/")
    assert anybody.get(f"{site}/none").refused(404, "none") == b"<p>none</p>"
    assert own.names(site)  # with a token, it is a container
    assert own.get(f"{site}/", x_web_mode="true").raw == b"<p>home</p>"


def test_a_web_site_lists_what_has_no_index(own: Store, anybody: Store) -> None:
    site = own.container(x_container_read=".r:*,.rlistings", x_container_meta_web_listings="true",
                         x_container_meta_web_listings_css="style.css")  # fmt: skip
    own.put(f"{site}/a<b>/o", b"x").ok(201)
    own.put(f"{site}/o&p", b"x").ok(201)
    page = anybody.get(f"{site}/").ok(200)
    assert b"a&lt;b&gt;/" in page and b"o&amp;p" in page and b'href="style.css"' in page and b"<b>" not in page
    assert b'href="../style.css"' in anybody.get(f"{site}/a<b>/").ok(200)
    anybody.get(f"{site}/none/").refused(404)
    own.post(site, x_container_read=".r:*").ok(204)
    anybody.get(f"{site}/").refused(401)
