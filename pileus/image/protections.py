"""Property protections: which roles may create, read, update or delete which properties of images.

The operator's file is Glance's: a section a pattern, the first that is found in a property's name decides, and what none
fits nobody has. Its values are roles, or rules of the policy: `image_property_rules` in cloud.json says which.
"""

import configparser
import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pileus.core.errors import Forbidden, Unavailable

OPERATIONS = ("create", "read", "update", "delete")
ROLES, POLICIES = "roles", "policies"
EVERYBODY, NOBODY = "@", "!"
OURS = "os_glance"  # what the service keeps there itself is not the file's to speak of
Grants = Callable[[str], bool]  # does the caller have this role, or does this rule hold for the caller?


class Section(NamedTuple):
    pattern: re.Pattern[str]
    who: dict[str, frozenset[str]]  # by operation


class Protections:
    """A file of them."""

    def __init__(self, sections: Iterable[Section]):
        self.sections = tuple(sections)

    def allows(self, operation: str, name: str, grants: Grants) -> bool:
        if name.startswith(OURS):
            return True
        found = next((section.who[operation] for section in self.sections if section.pattern.search(name)), frozenset())
        if NOBODY in found:
            return False
        return EVERYBODY in found or any(grants(one) for one in found)


class Guard:
    """What one caller may do with properties; without a file, everything."""

    def __init__(self, protections: Protections | None, grants: Grants):
        self._protections = protections
        self._grants = grants

    def allows(self, operation: str, name: str) -> bool:
        return self._protections is None or self._protections.allows(operation, name, self._grants)

    def check(self, operation: str, name: str) -> None:
        """Raises Forbidden."""
        if not self.allows(operation, name):
            raise Forbidden(f"Property '{name[:255]}' is protected: you may not {operation} it.")

    def readable(self, properties: dict[str, str]) -> dict[str, str]:
        if self._protections is None:
            return properties
        return {name: value for name, value in properties.items() if self.allows("read", name)}

    def __bool__(self) -> bool:
        return self._protections is not None


def guard(rq: Any) -> Guard:
    """For this request's caller. Raises Unavailable while the operator's file cannot be read: nothing is open by mistake."""
    settings = rq.cloud.settings
    if not settings.image_property_protections:
        return Guard(None, lambda _: True)
    try:
        protections = load(Path(settings.image_property_protections), settings.image_property_rules)
    except ValueError as error:
        raise Unavailable("The property protections of this cloud cannot be read.", detail=str(error)) from None
    if settings.image_property_rules == ROLES:
        return Guard(protections, lambda role: role.lower() in rq.ctx.roles)
    known = rq.cloud.policies[rq.service.rules].rules
    return Guard(protections, lambda rule: rule in known and rq.allows(rule))


@functools.lru_cache(maxsize=8)
def load(path: Path, kind: str) -> Protections:
    """Raises ValueError with a reason."""
    if kind not in (ROLES, POLICIES):
        raise ValueError(f"image_property_rules is {kind!r}; it is {ROLES} or {POLICIES}")
    # sections in the file's own order; `%` is a character of patterns
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        return Protections([_section(parser, name, kind) for name in parser.sections()])
    except (OSError, configparser.Error, re.error, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _section(parser: configparser.ConfigParser, name: str, kind: str) -> Section:
    who = {}
    for operation in OPERATIONS:
        if operation not in parser[name]:
            raise ValueError(f"[{name}] does not say who may {operation}")
        found = frozenset(part.strip() for part in parser[name][operation].split(",") if part.strip())
        if {EVERYBODY, NOBODY} <= found:
            raise ValueError(f"[{name}] {operation}: it is either everybody ({EVERYBODY}) or nobody ({NOBODY})")
        if kind == POLICIES and len(found) > 1:
            raise ValueError(f"[{name}] {operation}: one rule is named, which the policy file may make of others")
        who[operation] = found
    return Section(re.compile(name), who)
