"""Kinds of fields a resource declares: what a client may send, and how it is checked.

`check` returns the value as the domain wants it and raises BadRequest naming the field otherwise.
"""

import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.microversions import Version, version

REQUIRED = "required"
OPTIONAL = "optional"
_UNSET: Any = object()


class Field:
    """One attribute of a resource.

    create: REQUIRED, OPTIONAL, or None when a client may not set it; update: whether it may be changed;
    default: its value at creation when absent (a callable is called); null: whether null may be sent;
    since, until: the microversions that have it; filter, sort: usable in a list's query; source: the row's attribute;
    show: a function (row) -> value, where the view differs from the row;
    rule: `shared` guards it by `create_X:shared` and `update_X:shared`; hidden: left out unless `get_X:field` is granted.
    """

    wanted = "a value"

    def __init__(
        self,
        name: str,
        *,
        create: str | None = None,
        update: bool = False,
        default: Any = _UNSET,
        null: bool = False,
        since: str | None = None,
        until: str | None = None,
        filter: bool = False,
        sort: bool = False,
        source: str | None = None,
        show: Callable[[Any], Any] | None = None,
        rule: bool = False,
        hidden: bool = False,
        secret: bool = False,
    ):
        self.name = name
        self.create = create
        self.update = update
        self._default = default
        self.null = null
        self.since: Version | None = version(since) if since else None
        self.until: Version | None = version(until) if until else None
        self.filter = filter
        self.sort = sort
        self.source = source or name.rpartition(":")[2].replace("-", "_")
        self.show = show
        self.rule = rule
        self.hidden = hidden
        self.secret = secret

    def spans(self, asked: Version) -> bool:
        return (self.since is None or self.since <= asked) and (self.until is None or asked <= self.until)

    @property
    def has_default(self) -> bool:
        return self._default is not _UNSET

    def default(self) -> Any:
        return self._default() if callable(self._default) else self._default

    def check(self, value: Any) -> Any:
        if value is None:
            if self.null:
                return None
            self.refuse(value)
        return self.convert(value)

    def convert(self, value: Any) -> Any:
        return value

    def query(self, text: str) -> Any:
        """A filter's value, from the query string, as the column keeps it."""
        return text

    def refuse(self, value: Any, why: str | None = None) -> NoReturn:
        shown = "***" if self.secret else _shorten(value)
        raise BadRequest(
            f"Invalid input for field/attribute {self.name}. Value: {shown}. {why or f'It must be {self.wanted}.'}",
            kind="InvalidInput",
        )


def _shorten(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= 120 else text[:117] + "..."


class Text(Field):
    """A string of min to max characters; choices and pattern (a full match) narrow it; strip removes outer blanks."""

    wanted = "a string"

    def __init__(
        self,
        name: str,
        *,
        min: int = 0,
        max: int | None = 255,
        choices: Iterable[str] | None = None,
        pattern: str | None = None,
        strip: bool = False,
        **options: Any,
    ):
        super().__init__(name, **options)
        self.min = min
        self.max = max
        self.choices = tuple(choices) if choices is not None else None
        self.pattern = re.compile(pattern) if pattern else None
        self.strip = strip

    def convert(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.refuse(value)
        if self.strip:
            value = value.strip()
        if "\x00" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
            self.refuse(value, "It has a character that cannot be stored.")
        if len(value) < self.min:
            self.refuse(value, f"It must have at least {self.min} character{'s' * (self.min != 1)}.")
        if self.max is not None and len(value) > self.max:
            self.refuse(value, f"It is too long: at most {self.max} characters.")
        if self.choices is not None and value not in self.choices:
            self.refuse(value, f"It must be one of {', '.join(self.choices)}.")
        if self.pattern is not None and not self.pattern.fullmatch(value):
            self.refuse(value, f"It does not match {self.pattern.pattern}.")
        return value


class Integer(Field):
    """A whole number; digits in a string pass too unless strict, as OpenStack's clients send both."""

    wanted = "an integer"

    def __init__(
        self, name: str, *, min: int | None = None, max: int | None = 2**31 - 1, strict: bool = False, **options: Any
    ):
        super().__init__(name, **options)
        self.min = min
        self.max = max
        self.strict = strict

    def convert(self, value: Any) -> Any:
        if isinstance(value, str) and not self.strict and re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(value)
        if self.min is not None and value < self.min:
            self.refuse(value, f"It must be at least {self.min}.")
        if self.max is not None and value > self.max:
            self.refuse(value, f"It must be at most {self.max}.")
        return value

    def query(self, text: str) -> Any:
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            self.refuse(text)
        return int(text)


class Number(Field):
    wanted = "a number"

    def convert(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(value)
        return value


TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


class Boolean(Field):
    """true or false; OpenStack's other spellings pass too unless strict."""

    wanted = "a boolean"

    def __init__(self, name: str, *, strict: bool = False, **options: Any):
        super().__init__(name, **options)
        self.strict = strict

    def convert(self, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if not self.strict and isinstance(value, str | int):
            lowered = str(value).strip().lower()
            if lowered in TRUE:
                return True
            if lowered in FALSE:
                return False
        self.refuse(value)

    def query(self, text: str) -> Any:
        lowered = text.strip().lower()
        if lowered in TRUE:
            return True
        if lowered in FALSE:
            return False
        self.refuse(text)


class Uuid(Field):
    """An identifier in any of the forms a UUID has; kept as the client wrote it."""

    wanted = "a UUID"

    def convert(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.refuse(value)
        try:
            uuid.UUID(value)
        except ValueError:
            self.refuse(value, f"'{_shorten(value)}' is not a valid UUID.")
        if not value.isascii() or not value.isprintable():  # the library takes any script's digits
            self.refuse(value)
        return value


class Time(Field):
    wanted = "a time in ISO 8601"

    def convert(self, value: Any) -> Any:
        try:
            return clock.canonical(value)
        except (ValueError, AttributeError, OverflowError):
            self.refuse(value)

    def query(self, text: str) -> Any:
        return self.convert(text)


class Address(Field):
    """An IP address; kept in its canonical form."""

    wanted = "an IP address"

    def convert(self, value: Any) -> Any:
        try:
            if not isinstance(value, str) or "%" in value:  # a zone means something on one host only
                raise ValueError
            return str(ipaddress.ip_address(value.strip()))
        except ValueError:
            self.refuse(value, f"'{_shorten(value)}' is not a valid IP address.")


class Cidr(Field):
    """A network in CIDR notation. exact refuses host bits; otherwise they are cleared."""

    wanted = "a network in CIDR notation"

    def __init__(self, name: str, *, exact: bool = False, **options: Any):
        super().__init__(name, **options)
        self.exact = exact

    def convert(self, value: Any) -> Any:
        try:
            if not isinstance(value, str) or "/" not in value or "%" in value:
                raise ValueError
            return str(ipaddress.ip_network(value.strip(), strict=self.exact))
        except ValueError:
            self.refuse(value, f"'{_shorten(value)}' is not a valid CIDR.")


_MAC = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")


class Mac(Field):
    wanted = "a MAC address"

    def convert(self, value: Any) -> Any:
        if not isinstance(value, str) or not _MAC.fullmatch(value):
            self.refuse(value, f"'{_shorten(value)}' is not a valid MAC address.")
        mac = value.lower().replace("-", ":")
        if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
            self.refuse(value, "It must be the address of one interface, not a group or zero.")
        return mac


class Items(Field):
    """A list whose members each pass `of`; unique drops the list that repeats one."""

    wanted = "a list"

    def __init__(self, name: str, of: Field, *, max: int | None = None, unique: bool = False, **options: Any):
        super().__init__(name, **options)
        self.of = of
        self.max = max
        self.unique = unique

    def convert(self, value: Any) -> Any:
        if not isinstance(value, list):
            self.refuse(value)
        if self.max is not None and len(value) > self.max:
            self.refuse(value, f"It must have at most {self.max} items.")
        checked = [self.of.check(item) for item in value]
        # compared as text: members may be objects, and lists come as long as a body may be
        if self.unique and len({json.dumps(item, sort_keys=True, default=str) for item in checked}) < len(checked):
            self.refuse(value, "An item is given twice.")
        return checked


class Object(Field):
    """An object with declared members; further ones are refused unless open."""

    wanted = "an object"

    def __init__(self, name: str, fields: Iterable[Field] = (), *, open: bool = False, **options: Any):
        super().__init__(name, **options)
        self.fields = {field.name: field for field in fields}
        self.open = open

    def convert(self, value: Any) -> Any:
        if not isinstance(value, dict):
            self.refuse(value)
        found: dict[str, Any] = {}
        for key, item in value.items():
            if key in self.fields:
                found[key] = self.fields[key].check(item)
            elif self.open:
                found[key] = item
            else:
                self.refuse(value, f"It has no member {_shorten(key)!r}.")
        for name, field in self.fields.items():
            if name in found:
                continue
            if field.create == REQUIRED:
                self.refuse(value, f"Its member {name!r} is missing.")
            if field.has_default:
                found[name] = field.default()
        return found


class Strings(Field):
    """An object of strings: metadata. Keys 1 to 255 characters, values up to `max`."""

    wanted = "an object whose values are strings"

    def __init__(
        self, name: str, *, max: int = 255, key: str = r"[\w\-.: ]+", items: int | None = None, **options: Any
    ):
        super().__init__(name, **options)
        self.max = max
        self.key = re.compile(key)
        self.items = items

    def convert(self, value: Any) -> Any:
        if not isinstance(value, dict):
            self.refuse(value)
        for key, item in value.items():
            if not 1 <= len(key) <= 255 or not self.key.fullmatch(key):
                self.refuse(value, f"{_shorten(key)!r} is not a valid key.")
            if not isinstance(item, str) or len(item) > self.max or "\x00" in item:
                self.refuse(value, f"The value of {_shorten(key)!r} must be a string of at most {self.max} characters.")
        return value
