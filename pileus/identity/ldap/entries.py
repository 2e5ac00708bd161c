"""What an entry of a directory means here: pure functions from its attributes to a person or a circle of people."""

import uuid
from typing import Any

import msgspec

from pileus.identity.ldap.options import Options, further

Attributes = dict[str, list[bytes]]
DEPTH = 10  # of groups in groups that still count: whoever is further away, or in a circle without end, does not
_LONGEST = 255


class Person(msgspec.Struct):
    """A user as its directory has it."""

    local_id: str
    dn: str
    name: str
    enabled: bool = True
    description: str | None = None
    email: str | None = None
    default_project_id: str | None = None
    extra: dict[str, Any] = {}


class Circle(msgspec.Struct):
    """A group as its directory has it; `members` are DNs in `plain` form, or local ids where the options say so."""

    local_id: str
    dn: str
    name: str
    description: str = ""
    members: list[str] = []
    extra: dict[str, Any] = {}


def text(value: bytes) -> str | None:
    """None for what is no text; 16 bytes that are none are a UUID, as one kind of directory keeps them."""
    try:
        found = value.decode()
    except UnicodeDecodeError:
        return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else None
    return None if "\0" in found else found


def _first(attributes: Attributes, name: str | None) -> str | None:
    values = attributes.get((name or "").lower(), [])
    return text(values[0]) if values else None


def _identifier(attributes: Attributes, attribute: str, rdn: dict[str, str]) -> str | None:
    """One of several values would be a matter of chance: then it is the one that the entry is called by, or none."""
    values = attributes.get(attribute.lower(), [])
    return text(values[0]) if len(values) == 1 else rdn.get(attribute.lower())


def person(options: Options, dn: str, rdn: dict[str, str], raw: Attributes, enabled: set[str] | None) -> Person | None:
    """None for an entry that cannot be a user: without an id or a name. `enabled`: the plain DNs that are, if emulated."""
    attributes = {name.lower(): values for name, values in raw.items()}
    local_id = _identifier(attributes, options.user_id_attribute, rdn)
    name = _first(attributes, options.user_name_attribute)
    if not local_id or not name or not name.strip() or max(len(name), len(local_id)) > _LONGEST:
        return None
    ignored = set(options.user_attribute_ignore)

    def told(member: str, attribute: str | None) -> str | None:
        return None if member in ignored else _first(attributes, attribute)

    extra = {
        member: _first(attributes, source) for source, member in further(options.user_additional_attribute_mapping)
    }
    return Person(
        local_id,
        dn,
        name,
        _enabled(options, attributes) if enabled is None else plain(dn) in enabled,
        told("description", options.user_description_attribute),
        told("email", options.user_mail_attribute),
        told("default_project_id", options.user_default_project_id_attribute),
        {name: value for name, value in extra.items() if value is not None},
    )


def _enabled(options: Options, attributes: Attributes) -> bool:
    if "enabled" in options.user_attribute_ignore:
        return True
    told = _first(attributes, options.user_enabled_attribute)
    found = told if told is not None else options.user_enabled_default
    if options.user_enabled_mask:
        try:
            return int(found) & options.user_enabled_mask != options.user_enabled_mask
        except ValueError:
            return False
    return (found.strip().lower() == "true") != options.user_enabled_invert


def circle(options: Options, dn: str, rdn: dict[str, str], raw: Attributes) -> Circle | None:
    attributes = {name.lower(): values for name, values in raw.items()}
    local_id = _identifier(attributes, options.group_id_attribute, rdn)
    name = _first(attributes, options.group_name_attribute)
    if not local_id or not name or not name.strip() or max(len(name), len(local_id)) > _LONGEST:
        return None
    told = [text(value) for value in attributes.get(options.group_member_attribute.lower(), [])]
    members = [member if options.group_members_are_ids else plain(member) for member in told if member]
    described = None if "description" in options.group_attribute_ignore else options.group_desc_attribute
    extra = {
        member: _first(attributes, source) for source, member in further(options.group_additional_attribute_mapping)
    }
    kept = {name: value for name, value in extra.items() if value is not None}
    return Circle(local_id, dn, name, _first(attributes, described) or "", members, kept)


def nested(circles: list[Circle]) -> list[Circle]:
    """Each with the members of the groups that are its members, and so on."""
    known = {plain(circle.dn): circle for circle in circles}
    found = []
    for circle in circles:
        members, seen, level = dict.fromkeys(circle.members), {plain(circle.dn)}, circle.members
        for _ in range(DEPTH - 1):
            inside = {dn for dn in level if dn in known} - seen
            if not inside:
                break
            seen |= inside
            level = [member for dn in sorted(inside) for member in known[dn].members]
            members.update(dict.fromkeys(level))
        found.append(msgspec.structs.replace(circle, members=list(members)))
    return found


def plain(dn: str) -> str:
    """The same for the same entry, however it is written: capitals, and blanks around its signs, mean nothing."""
    parts, part, escaped = [], "", False
    for sign in dn:
        if sign == "," and not escaped:
            parts.append(part)
            part = ""
        else:
            part += sign
        escaped = sign == "\\" and not escaped
    return ",".join("=".join(side.strip() for side in part.split("=", 1)).lower() for part in [*parts, part])
