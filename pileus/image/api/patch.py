"""Changing an image by JSON patch: the two media types the API has had, and what each path may be told."""

from typing import Any, NamedTuple

import msgspec

from pileus.core.errors import BadRequest, Conflict, Forbidden, UnsupportedMediaType
from pileus.core.wire import Request
from pileus.image.protections import Guard
from pileus.image.resources import IMAGE, READ_ONLY, check_property, check_settable
from pileus.image.store import Image

_V20 = ("application/openstack-images-v2.0-json-patch", "application/openstack-images-v2-json-patch")
_V21 = ("application/openstack-images-v2.1-json-patch", "application/json-patch+json")
_OPERATIONS = ("add", "remove", "replace")


LOCATIONS = "locations"


class Change(NamedTuple):
    operation: str
    name: str
    value: Any
    place: str = ""  # of a location: `-` for the end, or its number


def parse(rq: Request) -> list[Change]:
    """Raises UnsupportedMediaType, BadRequest or Forbidden."""
    media = rq.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _V20 + _V21:
        raise UnsupportedMediaType(
            f"The media type {media[:100]!r} is not known; send {_V21[0]}.", headers={"accept-patch": _V21[0]}
        )
    try:
        given = msgspec.json.decode(rq.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None
    if not isinstance(given, list):
        raise BadRequest("The request body must be a JSON array of operation objects.")
    changes = []
    for item in given:
        if not isinstance(item, dict):
            raise BadRequest("Operations must be JSON objects.")
        changes.append(_v20(item) if media in _V20 else _v21(item))
    return changes


def _v20(item: dict[str, Any]) -> Change:
    """`{"replace": "/name", "value": ...}`"""
    named = [operation for operation in _OPERATIONS if operation in item]
    if len(named) != 1:
        raise BadRequest(f"An operation must have exactly one member of {', '.join(_OPERATIONS)}.")
    return _change(named[0], item[named[0]], item)


def _v21(item: dict[str, Any]) -> Change:
    """`{"op": "replace", "path": "/name", "value": ...}`"""
    operation = item.get("op")
    if operation not in _OPERATIONS:
        raise BadRequest(f"Operation {str(operation)[:100]!r} is not one of {', '.join(_OPERATIONS)}.")
    return _change(operation, item.get("path"), item)


def _change(operation: str, path: Any, item: dict[str, Any]) -> Change:
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadRequest(f"Pointer {str(path)[:100]!r} does not start with '/'.")
    parts = path[1:].split("/")
    if parts[0] == LOCATIONS:
        return _location(operation, parts[1:], item)
    if len(parts) != 1 or not parts[0].strip():
        raise BadRequest(f"Invalid JSON pointer {path[:100]!r}: it must name one attribute of the image.")
    if "~" in parts[0].replace("~0", "").replace("~1", ""):
        raise BadRequest(f"Pointer {path[:100]!r} contains '~' not part of a recognized escape sequence.")
    if operation != "remove" and "value" not in item:
        raise BadRequest(f"Operation {operation!r} requires a member named 'value'.")
    return Change(operation, parts[0].replace("~1", "/").replace("~0", "~"), item.get("value"))


def _location(operation: str, rest: list[str], item: dict[str, Any]) -> Change:
    """`/locations` is replaced as a whole, `/locations/-` and `/locations/0` are added, the latter also removed."""
    place = rest[0] if rest else ""
    fits = {"replace": not rest, "remove": place.isdecimal(), "add": place == "-" or place.isdecimal()}[operation]
    if not fits or len(rest) > 1 or len(place) > 4:
        raise BadRequest(f"Invalid JSON pointer: a location cannot be the subject of {operation} like this.")
    if operation != "remove" and "value" not in item:
        raise BadRequest(f"Operation {operation!r} requires a member named 'value'.")
    return Change(operation, LOCATIONS, item.get("value"), place)


def apply(image: Image, changes: list[Change], guard: Guard) -> dict[str, Any]:
    """The columns that these changes, in their order, give a new value. Raises Forbidden, BadRequest, Conflict.

    A property that the caller may not read is as good as not there.
    """
    columns: dict[str, Any] = {}
    properties = dict(image.properties)
    for operation, name, value, _ in changes:
        field = IMAGE.fields.get(name)
        if name in READ_ONLY or name == "id":
            raise Forbidden(f"Attribute '{name}' is read-only.")
        if field is not None:
            if operation == "remove":
                raise Forbidden(f"Property {name} may not be removed.")
            columns[field.source] = field.check(value)
            continue
        check_settable(name)
        there = name in properties and guard.allows("read", name)
        if operation != "add" and not there:
            raise Conflict(f"Property {name[:255]} does not exist.")
        if operation == "remove":
            guard.check("delete", name)
            del properties[name]
        else:
            checked = check_property(name, value)
            guard.check("update" if name in properties else "create", name)
            properties[name] = checked
    if properties != image.properties:
        columns["properties"] = properties
    return columns
