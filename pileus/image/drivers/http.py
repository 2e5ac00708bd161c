"""Images that stay on the web: a key is the address. Nothing is written, and nothing deleted."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urldefrag

from pileus.image.drivers.base import StoreError, Writer
from pileus.image.options import HttpOptions, WebOptions
from pileus.image.web import WebError, download


class HttpStore:
    """Reads from where the settings allow downloads from."""

    kind = "http"
    remote = True
    read_only = True

    def __init__(self, options: HttpOptions, rules: WebOptions):
        self.name, self.weight, self.description = options.id, options.weight, options.description
        self.rules = rules

    def url(self, key: str) -> str:
        return key

    def size(self, key: str) -> int:
        try:
            answer = download(urldefrag(key).url, self.rules, method="HEAD")
        except WebError as error:
            raise StoreError(str(error)) from None
        answer.close()
        if answer.size is None:
            raise StoreError("the server does not say how large the image is")
        return answer.size

    def create(self, key: str) -> Writer:
        raise StoreError(f"{self.name} is read-only")

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        headers = {}
        if offset or length is not None:
            headers["Range"] = f"bytes={offset}-" + (str(offset + length - 1) if length is not None else "")
        try:
            answer = download(urldefrag(key).url, self.rules, headers=headers)
        except WebError as error:
            raise StoreError(str(error)) from None
        given = answer.headers.get("Content-Range", "")
        if given and not given.replace(" ", "").startswith(f"bytes{offset}-"):
            answer.close()
            raise StoreError(f"the server was asked for bytes from {offset} on, and gave {given[:100]!r}")
        return _bytes(answer, 0 if given else offset, length)

    def path(self, key: str) -> Path | None:
        return None

    def delete(self, key: str) -> None:
        pass

    def keys(self) -> set[str]:
        return set()

    def being_written(self, key: str) -> bool:
        return False

    def sweep(self, keys: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
        return []


def _bytes(answer: Iterable[bytes], skip: int, length: int | None) -> Iterator[bytes]:
    """A server that knows no ranges sends all: what was not asked for is dropped."""
    left = length
    try:
        for chunk in answer:
            part = chunk[skip:] if skip else chunk
            skip = max(0, skip - len(chunk))
            if left is not None:
                part = part[:left]
                left -= len(part)
            if part:
                yield part
            if left == 0:
                return
    except WebError as error:
        raise StoreError(str(error)) from None
