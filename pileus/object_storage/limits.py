"""What a client may send: the numbers, and the checks by them. `/info` tells the same numbers."""

import re
from collections.abc import Mapping

from pileus.core.errors import BadRequest, PreconditionFailed

MAX_FILE = 5 * (1 << 30) + 2
MAX_OBJECT_NAME, MAX_CONTAINER_NAME, MAX_ACCOUNT_NAME = 1024, 256, 256
MAX_META_NAME, MAX_META_VALUE, MAX_META_COUNT, MAX_META_SIZE = 128, 256, 90, 4096
MAX_LISTING = 10000
MAX_HEADER = 8192
MAX_DELETES, MAX_BULK_CONTAINERS, MAX_BULK_FAILURES = 10000, 10000, 1000
MAX_SEGMENTS, MAX_MANIFEST, MAX_NESTED = 1000, 8 << 20, 10
MAX_SYMLINKS = 2
MAX_ACCOUNT_CONTAINERS = 0  # any number
_SECRETS = ("x-auth-token", "x-storage-token", "x-service-token", "authorization")  # as long as they have to be
_HEADER = re.compile(r"[!-9;-~\xa1-\xff]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_CONTENT_TYPE = re.compile(r"[^\x00-\x1f\x7f]{0,4096}")


def check_names(container: str | None, name: str | None) -> None:
    """Raises PreconditionFailed for what is no UTF-8, BadRequest for what is too long."""
    for text in (container, name):
        if text is not None and ("\0" in text or "\ufffd" in text or any("\ud800" <= c <= "\udfff" for c in text)):
            raise PreconditionFailed("Invalid UTF8 or contains NULL")
    if container is not None and len(container.encode()) > MAX_CONTAINER_NAME:
        raise BadRequest(f"Container name length of {len(container.encode())} longer than {MAX_CONTAINER_NAME}")
    if name is not None and len(name.encode()) > MAX_OBJECT_NAME:
        raise BadRequest(f"Object name length of {len(name.encode())} longer than {MAX_OBJECT_NAME}")


def check_new_metadata(headers: Mapping[str, str], prefix: str) -> None:
    """The metadata of one request, by itself. Raises BadRequest."""
    found = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
    for name, value in found.items():
        if not name:
            raise BadRequest("Metadata name cannot be empty")
        if not _HEADER.fullmatch(name):
            raise BadRequest("Metadata name has characters that no header may have.")
        if len(name.encode()) > MAX_META_NAME:
            raise BadRequest(f"Metadata name too long: {prefix}{name[:MAX_META_NAME]}")
        if len(value.encode()) > MAX_META_VALUE:
            raise BadRequest(f"Metadata value longer than {MAX_META_VALUE}: {prefix}{name}")
        check_value(value)
    check_metadata(found)
    for name, value in headers.items():
        if len(value) > MAX_HEADER and name not in _SECRETS:
            raise BadRequest(f"Header value too long: {name[:MAX_META_NAME]}")


def check_value(value: str) -> None:
    """What comes in an archive or a form becomes a header of answers all the same. Raises BadRequest."""
    if not _VALUE.fullmatch(value):
        raise BadRequest("A value has characters that no header may have.")


def check_metadata(found: Mapping[str, str]) -> None:
    """All metadata of a thing together. Raises BadRequest."""
    if len(found) > MAX_META_COUNT:
        raise BadRequest(f"Too many metadata items; max {MAX_META_COUNT}")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in found.items())
    if size > MAX_META_SIZE:
        raise BadRequest(f"Total metadata too large; max {MAX_META_SIZE}")


def check_content_type(value: str) -> str:
    if not _CONTENT_TYPE.fullmatch(value):
        raise BadRequest("Content-Type has characters that no header may have.")
    return value


def whole_number(text: str) -> int | None:
    """What a header says in digits, or None."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1", "yes", "on", "t", "y")


FALSE = ("false", "0", "no", "off", "f", "n")
