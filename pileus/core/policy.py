"""Who may do what: OpenStack's rule names in oslo.policy's language, compiled to functions.

Language (oslo.policy's documentation): `role:admin`, `rule:name`, `attribute:%(target)s`, `attribute:literal`,
 `'literal':%(target)s`, `@` (everybody), `!` (nobody), empty (everybody), `not`, `and`, `or`, parentheses.
The library itself costs half a second of imports at start and 50 µs a check; the tests hold ours against it.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pileus.core.context import Context
from pileus.core.errors import Forbidden

Check = Callable[[Context, Any], bool]


class Rule(NamedTuple):
    """One permission: its name, who has it, why, and the routes it guards (`GET /servers/{server_id}`).

    `scopes` names the scopes (system, domain, project) a token must have one of; empty: any. What an override says of the
    check does not widen it.
    """

    name: str
    check: str
    why: str = ""
    operations: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class Policy:
    """All rules of a service, the operator's overrides applied."""

    def __init__(
        self, rules: Iterable[Rule], overrides: Mapping[str, str] | None = None, *, enforce_scope: bool = True
    ):
        self.rules = {rule.name: rule for rule in rules}
        for name, check in (overrides or {}).items():
            known = self.rules.get(name)
            self.rules[name] = known._replace(check=check) if known else Rule(name, check)
        self._checks: dict[str, Check] = {}
        self._guards = {
            name: _scoped(rule.scopes, self.check(name)) if enforce_scope and rule.scopes else self.check(name)
            for name, rule in self.rules.items()
        }

    def check(self, name: str) -> Check:
        """A rule as others build on it: its scopes count only where it is itself what a route asks."""
        found = self._checks.get(name)
        if found is None:
            if name not in self.rules:
                raise KeyError(f"no policy rule is named {name}")
            # a rule may refer to itself only by mistake: the placeholder denies, so that it does not recurse for ever
            self._checks[name] = _nobody
            found = self._checks[name] = _Parser(self.rules[name].check, self).parse()
        return found

    def allows(self, name: str, ctx: Context, target: Any) -> bool:
        guard = self._guards.get(name)
        return guard(ctx, target) if guard is not None else self.check(name)(ctx, target)

    def enforce(self, name: str, ctx: Context, target: Any) -> None:
        if not self.allows(name, ctx, target):
            raise denied(name)


def _scoped(scopes: tuple[str, ...], check: Check) -> Check:
    return lambda ctx, target: ctx.scope in scopes and check(ctx, target)


def by_service(
    rules: Mapping[str, Iterable[Rule]], overrides: Mapping[str, Any] | None = None, *, enforce_scope: bool = True
) -> dict[str, Policy]:
    """Each service's policy: `context_is_admin` is one thing to compute and may be another to the network.

    An override holds wherever a rule of that name is; under a service's name, only there; a new name is known to all.
    """
    given = {service: list(found) for service, found in rules.items()}
    shared = {name: check for name, check in (overrides or {}).items() if isinstance(check, str)}
    known = {rule.name for found in given.values() for rule in found}
    policies = {}
    for service, found in given.items():
        names = {rule.name for rule in found}
        theirs = {name: check for name, check in shared.items() if name in names or name not in known}
        own = (overrides or {}).get(service, {})
        given_here = {**theirs, **(own if isinstance(own, Mapping) else {})}
        policies[service] = Policy(found, given_here, enforce_scope=enforce_scope)
    return policies


def denied(name: str) -> Forbidden:
    return Forbidden(f"Policy doesn't allow {name} to be performed.", kind="PolicyNotAuthorized")


def load_overrides(path: Path, services: Iterable[str] = ()) -> dict[str, Any]:
    """The operator's policy file, YAML or JSON: rule names and their checks, or such a mapping under a service's name.

    Raises ValueError with a reason.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"the policy file {path} cannot be read: {error}") from error
    if not _checks(found, nested=frozenset(services)):
        raise ValueError(f"the policy file {path} must map rule names to check strings")
    return dict(found)


def _checks(found: Any, nested: frozenset[str] = frozenset()) -> bool:
    return isinstance(found, dict) and all(
        isinstance(name, str) and (isinstance(check, str) or (name in nested and _checks(check)))
        for name, check in found.items()
    )


def _nobody(ctx: Context, target: Any) -> bool:
    return False


def _everybody(ctx: Context, target: Any) -> bool:
    return True


def target_value(target: Any, key: str) -> Any:
    """A member of the thing acted on, by a dotted path; a missing one is a KeyError, which a check takes as no."""
    if isinstance(target, Mapping):
        if key in target:
            return target[key]
        head, _, rest = key.partition(".")
        if rest and head in target:
            return target_value(target[head], rest)
        raise KeyError(key)
    if key == "tenant_id":
        key = "project_id"
    try:
        return getattr(target, key)
    except AttributeError:
        raise KeyError(key) from None


_TOKEN = re.compile(r"\s*(\(|\)|(?:'[^']*'|\"[^\"]*\"|%\([^)]*\)s|[^\s()])+)")
_SUBSTITUTION = re.compile(r"%\(([^)]+)\)s")


class _Parser:
    """Recursive descent; `or` binds loosest, then `and`, then `not`."""

    def __init__(self, text: str, policy: Policy):
        self.policy = policy
        self.text = text
        self.tokens = _TOKEN.findall(text)
        self.position = 0

    def parse(self) -> Check:
        if not self.text.strip():
            return _everybody
        check = self.alternatives()
        if self.position != len(self.tokens):
            raise ValueError(f"policy check {self.text!r}: unexpected {self.tokens[self.position]!r}")
        return check

    def peek(self) -> str:
        return self.tokens[self.position].lower() if self.position < len(self.tokens) else ""

    def alternatives(self) -> Check:
        parts = [self.conjunction()]
        while self.peek() == "or":
            self.position += 1
            parts.append(self.conjunction())
        if len(parts) == 1:
            return parts[0]
        return lambda ctx, target: any(part(ctx, target) for part in parts)

    def conjunction(self) -> Check:
        parts = [self.negation()]
        while self.peek() == "and":
            self.position += 1
            parts.append(self.negation())
        if len(parts) == 1:
            return parts[0]
        return lambda ctx, target: all(part(ctx, target) for part in parts)

    def negation(self) -> Check:
        if self.peek() == "not":
            self.position += 1
            inner = self.negation()
            return lambda ctx, target: not inner(ctx, target)
        return self.atom()

    def atom(self) -> Check:
        if self.position >= len(self.tokens):
            raise ValueError(f"policy check {self.text!r} ends too early")
        token = self.tokens[self.position]
        self.position += 1
        if token == "(":
            inner = self.alternatives()
            if self.peek() != ")":
                raise ValueError(f"policy check {self.text!r}: a parenthesis is not closed")
            self.position += 1
            return inner
        if token == "@":
            return _everybody
        if token == "!":
            return _nobody
        kind, colon, match = token.partition(":")
        if not colon:
            raise ValueError(f"policy check {self.text!r}: {token!r} is neither a check nor a keyword")
        if kind == "rule":
            return self.policy.check(match) if match in self.policy.rules else _nobody
        if kind == "role":
            return _role(match)
        return _compare(kind, match)


def _right(match: str) -> Callable[[Any], str]:
    """The right side of a check, as a function of the target. Raises KeyError when the target lacks what it names."""
    whole = _SUBSTITUTION.fullmatch(match)
    if whole:
        key = whole.group(1)
        return lambda target: str(target_value(target, key))
    if "%(" in match:
        return lambda target: _SUBSTITUTION.sub(lambda found: str(target_value(target, found.group(1))), match)
    return lambda target: match


def _role(match: str) -> Check:
    if "%(" not in match:
        wanted = match.lower()
        return lambda ctx, target: wanted in ctx.roles
    right = _right(match)

    def role(ctx: Context, target: Any) -> bool:
        try:
            return right(target).lower() in ctx.roles
        except KeyError:
            return False

    return role


def _compare(kind: str, match: str) -> Check:
    right = _right(match)
    try:
        left = str(ast.literal_eval(kind))  # 'text', 7, True, None: compared with the target alone
    except (ValueError, SyntaxError):
        left = None

    def constant(ctx: Context, target: Any) -> bool:
        try:
            return left == right(target)
        except KeyError:
            return False

    def attribute(ctx: Context, target: Any) -> bool:
        # an unscoped caller must not match what belongs to nobody: None equals nothing but its own name in the rule
        value = ctx.credentials.get(kind)
        if value is None:
            return match == "None" and kind in ctx.credentials
        try:
            return str(value) == right(target)
        except KeyError:
            return False

    return attribute if left is None else constant
