"""Mappings: rules that read what an identity provider says of a user ("remote") into what it is here ("local").

`check` refuses a mapping that could not work, naming the place; `evaluate` applies its rules to an assertion. Version 2.0
of the rules lets projects and users be in the domain that a rule names; 3.0 reads projects from the assertion, and takes
back what it no longer has.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import msgspec

from pileus.core.errors import BadRequest

VERSIONS = ("1.0", "2.0", "3.0")
CHOICES = ("any_one_of", "not_any_of", "blacklist", "whitelist")
Assertion = dict[str, list[str]]

_PLACE = re.compile(r"\{(\d{1,4})\}")
_MOST_RULES = 1000


class Unmappable(Exception):
    """An assertion that the rules make nobody of."""


# -- checking a mapping --------------------------------------------------------------------------------------------------


def check(rules: Any, version: Any) -> tuple[list[dict[str, Any]], str]:
    """The rules and their version. Raises BadRequest, which names what is wrong and where."""
    version = version or VERSIONS[0]
    if version not in VERSIONS:
        raise BadRequest(f"Invalid input for field 'schema_version': it must be one of {', '.join(VERSIONS)}.")
    if not isinstance(rules, list) or not 1 <= len(rules) <= _MOST_RULES:
        _refuse("rules", f"it must be a list of 1 to {_MOST_RULES} rules")
    for number, rule in enumerate(rules):
        _rule(f"rules[{number}]", rule, version)
    return rules, version


def _refuse(where: str, why: str) -> NoReturn:
    raise BadRequest(f"Invalid input for field '{where[:200]}': {why}.")


def _members(where: str, value: Any, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(where, "it must be an object")
    known = {*required, *optional}
    for name in value:
        if name not in known:
            _refuse(f"{where}.{name}", f"there is no such member, only {', '.join(sorted(known))}")
    for name in required:
        if name not in value:
            _refuse(f"{where}.{name}", "it is missing")
    found: dict[str, Any] = value
    return found


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        _refuse(where, "it must be a string of characters that can be stored")
    return value


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        _refuse(where, "it must be a list")
    return value


def _rule(where: str, rule: Any, version: str) -> None:
    _members(where, rule, ("local", "remote"))
    remote = _list(f"{where}.remote", rule["remote"])
    if not remote:
        _refuse(f"{where}.remote", "it must have at least one requirement")
    for number, requirement in enumerate(remote):
        _requirement(f"{where}.remote[{number}]", requirement)
    values = sum(not ({"any_one_of", "not_any_of"} & set(requirement)) for requirement in remote)
    for number, local in enumerate(_list(f"{where}.local", rule["local"])):
        _local(f"{where}.local[{number}]", local, version)
        _places(f"{where}.local[{number}]", local, values)


def _requirement(where: str, given: Any) -> None:
    _members(where, given, ("type",), (*CHOICES, "regex"))
    _text(f"{where}.type", given["type"])
    chosen = [name for name in CHOICES if name in given]
    if len(chosen) > 1:
        _refuse(where, f"it has both {chosen[0]} and {chosen[1]}")
    if "regex" in given and (not chosen or not isinstance(given["regex"], bool)):
        _refuse(f"{where}.regex", f"it must be a boolean beside one of {', '.join(CHOICES)}")
    for name in chosen:
        for number, value in enumerate(_list(f"{where}.{name}", given[name])):
            text = _text(f"{where}.{name}[{number}]", value)
            if given.get("regex"):
                try:
                    re.compile(text)
                except (re.error, RecursionError, OverflowError) as error:
                    _refuse(f"{where}.{name}[{number}]", f"it is not a regular expression: {error}")


def _local(where: str, given: Any, version: str) -> None:
    names = ["user", "group", "groups", "group_ids", "domain", "projects"]
    _members(where, given, (), [*names, "projects_json"] if version == "3.0" else names)
    for name in ("groups", "group_ids", "projects_json"):
        if name in given:
            _text(f"{where}.{name}", given[name])
    if "domain" in given:
        _domain(f"{where}.domain", given["domain"])
    if "user" in given:
        user = _members(f"{where}.user", given["user"], (), ("id", "name", "email", "type", "domain"))
        for name in ("id", "name", "email"):
            if name in user:
                _text(f"{where}.user.{name}", user[name])
        if user.get("type", "local") not in ("local", "ephemeral"):
            _refuse(f"{where}.user.type", "it must be local or ephemeral")
        if "domain" in user:
            _domain(f"{where}.user.domain", user["domain"])
    if "group" in given:
        _group(f"{where}.group", given["group"])
    if "projects" in given:
        for number, project in enumerate(_list(f"{where}.projects", given["projects"])):
            _project(f"{where}.projects[{number}]", project, version)


def _group(where: str, given: Any) -> None:
    if isinstance(given, dict) and "id" in given:
        _text(f"{where}.id", _members(where, given, ("id",))["id"])
    else:
        _text(f"{where}.name", _members(where, given, ("name", "domain"))["name"])
        _domain(f"{where}.domain", given["domain"])


def _domain(where: str, given: Any) -> None:
    found = _members(where, given, (), ("id", "name"))
    for name, value in found.items():
        _text(f"{where}.{name}", value)
    if not found:
        _refuse(where, "it must have an id or a name")


def _project(where: str, given: Any, version: str) -> None:
    _members(where, given, ("name", "roles"), () if version == "1.0" else ("domain",))
    _text(f"{where}.name", given["name"])
    for number, role in enumerate(_list(f"{where}.roles", given["roles"])):
        _text(f"{where}.roles[{number}].name", _members(f"{where}.roles[{number}]", role, ("name",))["name"])
    if "domain" in given:
        _domain(f"{where}.domain", given["domain"])


def _places(where: str, given: Any, values: int) -> None:
    """Every `{n}` means a value that the rule's remote part has."""
    if isinstance(given, dict):
        for name, inner in given.items():
            _places(f"{where}.{name}", inner, values)
    elif isinstance(given, list):
        for number, inner in enumerate(given):
            _places(f"{where}[{number}]", inner, values)
    elif isinstance(given, str):
        for match in _PLACE.finditer(given):
            if int(match.group(1)) >= values:
                _refuse(where, f"{match.group()} means nothing: the rule's remote part has {values} values")


# -- applying it ---------------------------------------------------------------------------------------------------------


class Mapped(msgspec.Struct):
    """What the rules made of an assertion. Domains, here and in groups and projects, are `{"id": ...}` or by name."""

    user: dict[str, Any]
    group_ids: list[str] = []
    groups: list[dict[str, Any]] = []
    projects: list[dict[str, Any]] = []
    version: str = VERSIONS[0]


def evaluate(rules: list[dict[str, Any]], version: str, assertion: Assertion) -> Mapped:
    """All rules that apply count; of the users they name the first, of their projects the last. Raises Unmappable."""
    mapped = Mapped({}, version=version)
    applied = False
    for rule in rules:
        values = _values(rule["remote"], assertion)
        if values is None:
            continue
        for local in rule["local"]:
            applied = True
            _add(mapped, local, values, version)
    if not applied:
        raise Unmappable("no rule of the mapping applies")
    mapped.group_ids = list(dict.fromkeys(mapped.group_ids))
    return mapped


def _values(requirements: list[dict[str, Any]], assertion: Assertion) -> list[list[str]] | None:
    """What `{0}`, `{1}` and so on stand for; None when a requirement is not met."""
    found = []
    for requirement in requirements:
        given = assertion.get(requirement["type"])
        if not given:
            return None
        choice = next((name for name in CHOICES if name in requirement), None)
        if choice is None:
            found.append(given)
            continue
        fits = _fitting(given, requirement[choice], bool(requirement.get("regex")))
        if choice == "any_one_of":
            if not fits:
                return None
        elif choice == "not_any_of":
            if fits:
                return None
        else:
            found.append([value for value in given if (value in fits) == (choice == "whitelist")])
    return found


def _fitting(given: list[str], wanted: list[str], regex: bool) -> set[str]:
    if not regex:
        return set(given) & set(wanted)
    return {value for value in given if any(re.search(pattern, value) for pattern in wanted)}


def _add(mapped: Mapped, local: dict[str, Any], values: list[list[str]], version: str) -> None:
    domain = _filled(local["domain"], values) if "domain" in local else None
    if "user" in local and not mapped.user:
        mapped.user = _filled(local["user"], values)
        if version != "1.0" and domain and "domain" not in mapped.user:
            mapped.user["domain"] = domain
    if "group" in local:
        group = _filled(local["group"], values)
        if "id" in group:
            mapped.group_ids.append(group["id"])
        else:
            mapped.groups.append(group)
    if "groups" in local:
        mapped.groups.extend(_named(text, domain) for text in _many(local["groups"], values))
    if "group_ids" in local:
        mapped.group_ids.extend(_many(local["group_ids"], values))
    if "projects" in local or "projects_json" in local:
        projects = [_filled(project, values) for project in local.get("projects", [])]
        if "projects_json" in local:
            projects += _from_json(_many(local["projects_json"], values))
        if version != "1.0" and domain:
            projects = [{"domain": domain, **project} for project in projects]
        mapped.projects = projects


def _named(text: str, domain: dict[str, Any] | None) -> dict[str, Any]:
    """A group by its name; another cloud of this kind says `JSON:{"name": ..., "domain": {...}}`."""
    if text.startswith("JSON:"):
        try:
            _group("group", found := json.loads(text[5:]))
        except (ValueError, RecursionError, BadRequest) as error:
            raise Unmappable(f"a group is not readable: {error}") from None
        return dict(found)
    if not domain:
        raise Unmappable("a rule has groups and no domain for them")
    return {"name": text, "domain": domain}


def _from_json(texts: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for text in texts:
        try:
            given = json.loads(text)
            given = given if isinstance(given, list) else [given]
            for project in given:
                _project("projects_json", project, "3.0")
        except (ValueError, RecursionError, BadRequest) as error:
            raise Unmappable(f"the assertion's projects are not readable: {error}") from None
        found.extend(given)
    return found


def _filled(template: Any, values: list[list[str]]) -> Any:
    if isinstance(template, dict):
        return {name: _filled(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [_filled(inner, values) for inner in template]
    # not str.format: templates would reach into objects with it
    return _PLACE.sub(lambda match: ";".join(_value(values, match)), template)


def _many(template: str, values: list[list[str]]) -> list[str]:
    """`{1}` alone is all its values, each for itself."""
    match = _PLACE.fullmatch(template.strip())
    return _value(values, match) if match else [_filled(template, values)]


def _value(values: list[list[str]], match: re.Match[str]) -> list[str]:
    number = int(match.group(1))
    if number >= len(values):  # only in rules that were stored before they were checked for it
        raise Unmappable(f"{match.group()} means nothing in this rule")
    return values[number]
