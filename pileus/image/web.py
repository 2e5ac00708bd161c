"""Downloads on a user's word: only from where the settings allow, redirects included, and from no other address.

A name is resolved once, its addresses are judged, and the connection goes to the address that was judged: a name server
that answers differently the second time leads nowhere.
"""

import http.client
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from pileus.core import tls
from pileus.core.errors import BadRequest
from pileus.image.options import WebOptions

CHUNK = 1 << 20
SECONDS = 30
REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
USER_AGENT = "pileus"


class WebError(Exception):
    """The other side does not give what was asked; the message is for the user."""


def check_url(url: Any, rules: WebOptions) -> SplitResult:
    """Whether the settings allow this address, as far as it can be told without asking a name server. Raises BadRequest."""
    if not isinstance(url, str) or len(url) > 4096 or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise BadRequest("Invalid input: the URI is no address that images can be downloaded from.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadRequest(f"Invalid input: URI {url[:200]!r} makes no sense.") from None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    port = PORTS.get(scheme, 0) if port is None else port
    if scheme not in PORTS or not host or parts.username is not None:
        raise BadRequest(f"URI {url[:200]!r} does not pass filtering: it must be http or https, without credentials.")
    if not (
        _passes(scheme, rules.allowed_schemes, rules.disallowed_schemes)
        and _passes(port, rules.allowed_ports, rules.disallowed_ports)
        and (not rules.allowed_hosts or _named(host, rules.allowed_hosts) or _maybe_inside(host, rules))
        and (rules.allowed_hosts or not _named(host, rules.disallowed_hosts))
    ):
        raise _forbidden(url)
    if (address := _address(host)) is not None and not _may_reach(host, address, rules):
        raise _forbidden(url)
    return parts


def _forbidden(url: str) -> BadRequest:
    return BadRequest(f"URI {url[:200]!r} does not pass filtering: this cloud downloads nothing from there.")


def _passes(value: Any, allowed: list[Any], disallowed: list[Any]) -> bool:
    return value in allowed if allowed else value not in disallowed


def _named(host: str, names: list[str]) -> bool:
    return host in [name.lower() for name in names]


def _maybe_inside(host: str, rules: WebOptions) -> bool:
    """A list with networks in it can be judged only once the address is known."""
    return any("/" in name for name in rules.allowed_hosts)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _may_reach(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, rules: WebOptions) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    inside = any(_covers(name, address) for name in rules.allowed_hosts)
    if inside or _named(host, rules.allowed_hosts):
        return True
    if rules.allowed_hosts or any(_covers(name, address) for name in rules.disallowed_hosts):
        return False
    return address.is_global and not address.is_multicast


def _covers(name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


class Download:
    """An open answer: `size` where the server tells it, and the bytes as an iterator."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse):
        self._connection = connection
        self._response = response
        length = response.headers.get("Content-Length", "")
        self.size = int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None
        self.headers = response.headers

    def __iter__(self) -> Iterator[bytes]:
        arrived = 0
        try:
            while chunk := self._response.read(CHUNK):
                arrived += len(chunk)
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise WebError(f"the download broke off after {arrived} bytes: {error or type(error).__name__}") from None
        finally:
            self.close()
        if self.size is not None and arrived < self.size:
            raise WebError(f"the download broke off after {arrived} of {self.size} bytes")

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def download(
    url: str, rules: WebOptions, *, method: str = "GET", headers: dict[str, str] | None = None, trusted: bool = False
) -> Download:
    """Follow the address to its bytes. `trusted` addresses come from our own catalog, and are not judged.

    Raises BadRequest for what the settings forbid, WebError for what the other side refuses.
    """
    for _ in range(REDIRECTS + 1):
        parts = urlsplit(url) if trusted else check_url(url, rules)
        connection = _connect(parts, rules, trusted)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, headers={"User-Agent": USER_AGENT, "Accept": "*/*", **(headers or {})})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            connection.close()
            raise WebError(f"{parts.hostname} does not answer: {error or type(error).__name__}") from None
        if response.status in (301, 302, 303, 307, 308) and not trusted:
            url = urljoin(url, response.headers.get("Location", ""))
            connection.close()
            continue
        if response.status not in (200, 206):
            connection.close()
            raise WebError(f"{parts.hostname} answers {response.status} {response.reason}")
        return Download(connection, response)
    raise WebError(f"more than {REDIRECTS} redirects")


def _connect(parts: SplitResult, rules: WebOptions, trusted: bool) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme.lower()]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebError(f"{host} cannot be found: {error}") from None
    addresses = [str(item[4][0]) for item in found]
    if not trusted:
        # all of them: a name that leads inside by one of its addresses is no name to follow
        for text in addresses:
            address = _address(text)
            if address is None or not _may_reach(host.lower(), address, rules):
                raise _forbidden(parts.geturl())
    kind = _Secure if parts.scheme.lower() == "https" else _Plain
    return kind(host, port, addresses)


class _Plain(http.client.HTTPConnection):
    """Speaks to a host at addresses that were judged before."""

    def __init__(self, host: str, port: int, addresses: list[str]):
        super().__init__(host, port, timeout=SECONDS)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _open(self._addresses, self.port)


class _Secure(http.client.HTTPSConnection):
    def __init__(self, host: str, port: int, addresses: list[str]):
        super().__init__(host, port, timeout=SECONDS, context=tls.trust())
        self._addresses = addresses
        self._tls = tls.trust()

    def connect(self) -> None:
        self.sock = self._tls.wrap_socket(_open(self._addresses, self.port), server_hostname=self.host)


def _open(addresses: list[str], port: int) -> socket.socket:
    error: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=SECONDS)
        except OSError as failed:
            error = failed
    raise error
