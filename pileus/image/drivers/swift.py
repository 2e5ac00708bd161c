"""Image data in a container of any Swift, as segments under a static manifest. Needs python-swiftclient (`pileus[swift]`).

A segment is streamed, not held: only its size is bounded, because a Swift takes objects of 5 GiB at most.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

from pileus.image.drivers.base import StoreError, StoreFull
from pileus.image.drivers.remote import Parts, RemoteStore
from pileus.image.options import MIB, SwiftOptions

CHUNK = 1 << 20


class SwiftStore(RemoteStore):
    """A connection belongs to one thread; it finds its endpoint and renews its token by itself."""

    kind = "swift"

    def __init__(self, options: SwiftOptions, markers: Path):
        super().__init__(options, markers)
        self.options = options
        self._local = threading.local()
        self._connect: Callable[[], Any] = _connector(options)
        self._made = False

    @property
    def segments(self) -> str:
        return f"{self.options.container}_segments"

    def url(self, key: str) -> str:
        scheme, _, rest = self.options.auth_url.partition("://")
        return f"swift+{scheme}://{rest.rstrip('/')}/{self.options.container}/{key}"

    def size(self, key: str) -> int:
        return int(self.call("head_object", self.options.container, key)["content-length"])

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        headers = {}
        if offset or length is not None:
            headers["Range"] = f"bytes={offset}-" + (str(offset + length - 1) if length is not None else "")
        _, body = self.call("get_object", self.options.container, key, resp_chunk_size=CHUNK, headers=headers)
        return self._chunks(body)

    def _chunks(self, body: Any) -> Iterator[bytes]:
        try:
            yield from body
        except Exception as error:  # of swiftclient and of requests below it
            raise StoreError(f"{self.name}: the download broke off: {error}") from None

    def begin(self, key: str) -> Parts:
        if not self._made:
            for container in (self.options.container, self.segments):
                self.call("put_container", container)
            self._made = True
        return _SwiftParts(self, key)

    def remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.call("delete_object", self.options.container, key)
        with contextlib.suppress(FileNotFoundError):
            for name in self._names(self.segments, f"{key}/"):
                with contextlib.suppress(FileNotFoundError):
                    self.call("delete_object", self.segments, name)

    def stored(self) -> set[str]:
        found: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            found |= set(self._names(self.options.container, ""))
        with contextlib.suppress(FileNotFoundError):
            found |= {name.partition("/")[0] for name in self._names(self.segments, "")}
        return found

    def _names(self, container: str, prefix: str) -> list[str]:
        _, items = self.call("get_container", container, prefix=prefix, full_listing=True)
        return [item["name"] for item in items]

    def call(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Raises FileNotFoundError for what is not there, StoreFull over a quota, else StoreError."""
        from swiftclient.exceptions import ClientException

        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        try:
            return getattr(self._local.connection, operation)(*arguments, **named)
        except ClientException as error:
            if error.http_status == 404:
                raise FileNotFoundError(arguments[-1]) from None
            if error.http_status in (413, 507):
                raise StoreFull(str(error)) from None
            raise StoreError(f"{self.name}: {error}") from None
        except OSError as error:
            raise StoreError(f"{self.name}: {error}") from None


class _SwiftParts(Parts):
    """The client pulls a segment's bytes in a thread of its own, while `write` pushes them."""

    def __init__(self, store: SwiftStore, key: str):
        self.store, self.key = store, key
        self.limit = store.options.segment_mib * MIB
        self.manifest: list[dict[str, Any]] = []
        self.segment: _Segment | None = None

    def write(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        while view:
            if self.segment is None:
                self.segment = _Segment(self.store, f"{self.key}/{len(self.manifest):08d}")
            room = self.limit - self.segment.size
            self.segment.push(bytes(view[:room]))
            view = view[room:]
            if self.segment.size >= self.limit:
                self._end()

    def finish(self) -> None:
        if self.segment is not None:
            self._end()
        if not self.manifest:
            self.store.call("put_object", self.store.options.container, self.key, b"")
            return
        self.store.call(
            "put_object", self.store.options.container, self.key, json.dumps(self.manifest),
            query_string="multipart-manifest=put",
        )  # fmt: skip

    def abort(self) -> None:
        if self.segment is not None:
            with contextlib.suppress(StoreError, StoreFull, FileNotFoundError):
                self._end()

    def _end(self) -> None:
        segment, self.segment = self.segment, None
        assert segment is not None
        etag = segment.end()
        path = f"/{self.store.segments}/{segment.name}"
        self.manifest.append({"path": path, "size_bytes": segment.size, "etag": etag})


class _Segment:
    def __init__(self, store: SwiftStore, name: str):
        self.store, self.name, self.size = store, name, 0
        self._chunks: Queue[bytes] = Queue(maxsize=4)
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._send, name="swift-segment", daemon=True)
        self._thread.start()

    def push(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._chunks.put(chunk)
        if isinstance(self._outcome, Exception):
            raise self._outcome

    def end(self) -> str:
        self._chunks.put(b"")
        self._thread.join()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return str(self._outcome)

    def _send(self) -> None:
        coming = iter(self._chunks.get, b"")
        try:
            self._outcome = self.store.call("put_object", self.store.segments, self.name, coming)
        except Exception as error:  # told to the thread that pushes
            self._outcome = error
            for _ in coming:  # which may wait for room; at the end already, this is none
                pass


def _connector(options: SwiftOptions) -> Callable[[], Any]:
    try:
        from keystoneauth1.identity.v3 import Password
        from keystoneauth1.session import Session
        from swiftclient.client import Connection
    except ImportError:
        raise ValueError(f"The store {options.id} needs python-swiftclient: install pileus[swift].") from None

    def connect() -> Any:
        who = Password(
            auth_url=options.auth_url, username=options.user, password=options.password, project_name=options.project,
            user_domain_name=options.user_domain, project_domain_name=options.project_domain,
        )  # fmt: skip
        where = {"region_name": options.region} if options.region else {}
        # a body that has passed by cannot be sent again, so nothing is retried here
        return Connection(session=Session(auth=who), os_options=where, retries=0, timeout=60)

    return connect
