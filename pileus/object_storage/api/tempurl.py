"""Addresses that carry their own permission: signed with a key of the account or the container, for a time."""

import base64
import binascii
import calendar
import hmac
import ipaddress
import time
from collections.abc import Iterator
from email.utils import formatdate
from urllib.parse import quote

from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.wire import Response
from pileus.object_storage import accounts, containers, limits
from pileus.object_storage.api.base import Call, Grant

DIGESTS = ("sha1", "sha256", "sha512")
_BY_LENGTH = {40: "sha1", 64: "sha256", 128: "sha512"}
_FORMS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")
# of these, HEAD is as good as what was signed for
_ALSO_HEAD = ("HEAD", "GET", "PUT", "POST")
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")


def grant(call: Call) -> None:
    """Let in who has a good signature; others stay who they are. Raises Unauthorized for one that is not good."""
    query = call.rq.query
    if "temp_url_sig" not in query or "temp_url_expires" not in query:
        if "temp_url_sig" in query or "temp_url_expires" in query:
            raise _invalid()
        return
    expires = moment(query.get("temp_url_expires") or "")
    digest, given = digest_of(query.get("temp_url_sig") or "")
    if expires is None or expires < time.time() or digest is None or call.rq.method not in METHODS:
        raise _invalid()
    prefix = query.get("temp_url_prefix")
    if call.container is None or (prefix is None and call.name is None):
        raise _invalid()
    if prefix is not None and not (call.name or "").startswith(prefix):
        raise _invalid()
    allowed = query.get("temp_url_ip_range")
    if allowed is not None and not within(call.rq.client, allowed):
        raise _invalid()
    scopes = list(keys(call))
    for path in paths(call, prefix):
        for method in _ALSO_HEAD if call.rq.method == "HEAD" else (call.rq.method,):
            text = f"{method}\n{expires}\n{path}"
            text = text if allowed is None else f"ip={allowed}\n{text}"
            for key, scope in scopes:
                if hmac.compare_digest(hmac.digest(key.encode(), _bytes(text), digest), given):
                    call.grant = scope
                    scope.prefix = prefix
                    return
    raise _invalid()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _invalid() -> Unauthorized:
    return Unauthorized("Temp URL invalid", headers={"www-authenticate": 'Swift realm="tempurl"'})


def moment(text: str) -> int | None:
    """A number of seconds, or a moment in one of ISO 8601's forms."""
    number = limits.whole_number(text)
    if number is not None:
        return number
    for form in _FORMS:
        try:
            return calendar.timegm(time.strptime(text, form))
        except (ValueError, OverflowError):
            continue
    return None


def digest_of(text: str) -> tuple[str | None, bytes]:
    """`sha256:` and base64, or hexadecimal digits whose number tells which it is."""
    name, colon, rest = text.partition(":")
    try:
        if colon:
            padded = rest.replace("-", "+").replace("_", "/") + "=" * (-len(rest) % 4)
            return (name if name in DIGESTS else None), base64.b64decode(padded, validate=True)
        return _BY_LENGTH.get(len(text)), bytes.fromhex(text)
    except (binascii.Error, ValueError):
        return None, b""


def within(client: str, allowed: str) -> bool:
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(allowed, strict=False)
    except ValueError:
        return False


def keys(call: Call) -> Iterator[tuple[str, Grant]]:
    """The account's keys let to all of it, the container's to itself."""
    with call.read() as tx:
        account = accounts.get_account(tx, call.account).headers
        found = containers.find_container(tx, call.account, call.container or "")
    for number in ("", "-2"):
        if key := account.get(f"x-account-meta-temp-url-key{number}"):
            yield key, Grant(call.account, None)
        if found is not None and (key := found.headers.get(f"x-container-meta-temp-url-key{number}")):
            yield key, Grant(call.account, call.container)


def paths(call: Call, prefix: str | None) -> list[str]:
    """What was signed: the path as it is here, or as other Swifts have it, `/v1/...`."""
    name = call.name if prefix is None else prefix
    short = f"/{call.version}/{call.account}/{call.container}/{name}"
    found = [short, "/object" + short]
    return found if prefix is None else [f"prefix:{path}" for path in found]


def query_of(call: Call) -> str:
    """What the links of a listing need, so that they lead on with the same signature."""
    if call.grant is None or call.grant.prefix is None:
        return ""
    query = call.rq.query
    names = ("temp_url_prefix", "temp_url_expires", "temp_url_sig", "temp_url_ip_range")
    found = [f"{name}={quote(query.get(name) or '', errors='replace')}" for name in names if name in query]
    return "?" + "&amp;".join([*found, *(["inline"] if "inline" in query else [])])


def check_put(call: Call) -> None:
    """What a signed upload may not do: make other objects readable. Raises BadRequest."""
    if call.grant is None:
        return
    for name in ("x-object-manifest", "x-symlink-target", "x-copy-from"):
        if name in call.headers:
            raise BadRequest(f"The header '{name}' is not allowed in this tempurl")


def dress(call: Call, response: Response) -> Response:
    """What a browser shall do with the bytes; the object's own metadata are not told."""
    query = call.rq.query
    if call.grant is None or call.rq.method not in ("GET", "HEAD") or response.status >= 400:
        return response
    for name in list(response.headers):
        if name.startswith("x-object-meta-") and not name.startswith("x-object-meta-public-"):
            del response.headers[name]
    named = query.get("filename")
    if "inline" in query:
        disposition = "inline" if not named else _disposition("inline", named)
    elif named:
        disposition = _disposition("attachment", named)
    else:
        last = (call.name or "").rstrip("/").rpartition("/")[2]
        disposition = response.headers.get("content-disposition") or _disposition("attachment", last)
    response.headers["content-disposition"] = disposition
    expires = moment(query.get("temp_url_expires") or "") or 0
    response.headers["expires"] = formatdate(min(expires, 253402300799), usegmt=True)
    return response


def _disposition(kind: str, name: str) -> str:
    ascii_name = "".join(c if " " <= c < "\x7f" else "?" for c in name).replace("\\", "\\\\").replace('"', '\\"')
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, errors='replace')}"
