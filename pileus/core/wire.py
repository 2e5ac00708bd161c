"""A request and a response, as handlers see them."""

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from pileus.core.context import Context
from pileus.core.errors import BadRequest, Fault, Forbidden
from pileus.core.microversions import Version

if TYPE_CHECKING:
    from pileus.core.db import Tx
    from pileus.core.routes import Route, Service

_encoder = msgspec.json.Encoder(enc_hook=str)
_decoder = msgspec.json.Decoder()
_NUMBER = re.compile(r"-?[0-9]{1,18}")
JSON = "application/json"


class Query:
    """The query string: a name may be given several times."""

    def __init__(self, text: str):
        self.pairs = parse_qsl(text, keep_blank_values=True)

    def get(self, name: str, default: str | None = None) -> str | None:
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def names(self) -> list[str]:
        return list(dict.fromkeys(key for key, _ in self.pairs))

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.pairs)

    def number(self, name: str, low: int = 0) -> int | None:
        """A whole number, or None when absent. Raises BadRequest, naming the parameter."""
        text = self.get(name)
        if text is None:
            return None
        if not _NUMBER.fullmatch(text):
            raise BadRequest(f"Invalid input for query parameter {name}. Value: {text}. It must be an integer.")
        value = int(text)
        if value < low:
            raise BadRequest(f"Invalid input for query parameter {name}. Value: {text}. It must be at least {low}.")
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean in any of OpenStack's spellings, or None when absent."""
        text = self.get(name)
        if text is None:
            return None
        lowered = text.strip().lower()
        if lowered in ("1", "true", "t", "yes", "y", "on", ""):
            return True
        if lowered in ("0", "false", "f", "no", "n", "off"):
            return False
        raise BadRequest(f"Invalid input for query parameter {name}. Value: {text}. It must be a boolean.")

    def without(self, *names: str) -> list[tuple[str, str]]:
        return [(key, value) for key, value in self.pairs if key not in names]


class Request:
    """One request on its way through the list in `app.py`, which fills in route, context, transaction and target."""

    route: "Route"
    service: "Service"

    def __init__(
        self, method: str, path: str, query: str = "", headers: dict[str, str] | None = None, body: bytes = b""
    ):
        self.method = method
        self.path = path
        self.query_string = query
        self.headers = headers or {}
        self.body = body
        self.params: dict[str, str] = {}
        self.ctx = Context()
        self.version = Version(0, 0)
        self.target: Any = None  # what the route's `on` looked up
        self.cloud: Any = None  # what this controller runs on: `pileus.cloud.Cloud`
        self.upload: Iterator[bytes] = iter(())  # the body of a route with stream=True: a `core.uploads.Upload`
        self.client = ""  # the peer's address
        self.scheme = "http"
        self.request_id = ""
        self.out_headers: dict[str, str] = {}
        self.refused: Fault | None = None  # what the edge already found wrong
        self.began = time.monotonic()
        self._tx: Tx | None = None
        self._query: Query | None = None
        self._json: Any = msgspec.UNSET

    def again(self) -> "Request":
        """The same as it came in, for another try."""
        rq = Request(self.method, self.path, self.query_string, self.headers, self.body)
        rq.client, rq.scheme, rq.began = self.client, self.scheme, self.began
        return rq

    @property
    def age(self) -> float:
        """For how many seconds its client has been waiting."""
        return time.monotonic() - self.began

    @property
    def tx(self) -> "Tx":
        """The transaction around this request: writing for POST, PUT, PATCH and DELETE, else reading."""
        if self._tx is None:
            raise RuntimeError(f"{self.method} {self.path} is declared without a transaction")
        return self._tx

    @tx.setter
    def tx(self, tx: "Tx | None") -> None:
        self._tx = tx

    @property
    def query(self) -> Query:
        if self._query is None:
            self._query = Query(self.query_string)
        return self._query

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises BadRequest."""
        if self._json is msgspec.UNSET:
            try:
                self._json = _decoder.decode(self.body) if self.body else {}
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise BadRequest(f"The request body is not valid JSON: {error}", kind="MalformedRequestBody") from None
            if not isinstance(self._json, dict):
                raise BadRequest("The request body must be a JSON object.", kind="MalformedRequestBody")
        found: dict[str, Any] = self._json
        return found

    def unwrap(self, name: str) -> dict[str, Any]:
        """The object under the one name a body has: `{"keypair": {...}}`. Raises BadRequest."""
        body = self.json
        if name not in body:
            raise BadRequest(f"Invalid input: the body must contain {name!r}.", kind="MalformedRequestBody")
        inner = body[name]
        if not isinstance(inner, dict):
            raise BadRequest(f"Invalid input for field/attribute {name}: it must be an object.")
        return inner

    def allows(self, rule: str, target: Any = None) -> bool:
        """Does policy grant this rule to the caller, on this target or else on something of the caller's own?"""
        allowed: bool = self.cloud.policies[self.service.rules].allows(
            rule, self.ctx, self.own() if target is None else target
        )
        return allowed

    def authorize(self, rule: str, target: Any = None) -> None:
        """Raises Forbidden."""
        if not self.allows(rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", kind="PolicyNotAuthorized")

    def own(self) -> dict[str, Any]:
        """A target that belongs to the caller: what a rule is asked about before anything is looked up."""
        return {
            "project_id": self.ctx.project_id,
            "user_id": self.ctx.user_id,
            "domain_id": self.ctx.domain_id,
            "tenant_id": self.ctx.project_id,
            "owner": self.ctx.project_id,  # the image service's words
            "member_id": self.ctx.project_id,
        }

    @property
    def root(self) -> str:
        """`http://host:port` as the client wrote it."""
        return f"{self.scheme}://{self.headers.get('host', '127.0.0.1')}"

    @property
    def base(self) -> str:
        """Where this service's API begins, as the client sees it."""
        return self.root + self.service.prefix

    def link(self, **changes: str | None) -> str:
        """This request's URL with query parameters replaced; None removes one."""
        kept = self.query.without(*changes)
        query = urlencode(kept + [(key, value) for key, value in changes.items() if value is not None])
        return f"{self.root}{quote(self.path)}{'?' + query if query else ''}"


class FileBody:
    """A part of a file as a response body, sent in bounded memory."""

    def __init__(self, path: Path, offset: int = 0, length: int | None = None, after: Callable[[], None] | None = None):
        self.path = path
        self.offset = offset
        self.length = length
        self.after = after


class Response:
    """Status, headers and a body: JSON from plain data or Structs, text, bytes, a file, chunks, or a websocket's end."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None):
        self.status = status
        self.headers = headers or {}
        self.body: bytes | FileBody | socket.socket | Iterable[bytes]
        if body is None:
            self.body = b""
        elif isinstance(body, bytes | FileBody | socket.socket):
            self.body = body
        elif isinstance(body, str):
            self.body = body.encode(errors="replace")  # a message may quote what no client should have sent
            self.headers.setdefault("content-type", "text/plain; charset=utf-8")
        elif isinstance(body, Iterator):
            self.body = body
        else:
            self.body = _encoder.encode(body)
            self.headers.setdefault("content-type", JSON)


class Again(Response):
    """No answer yet: the request is to be handled once more in that many seconds, and no thread is held meanwhile."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds
