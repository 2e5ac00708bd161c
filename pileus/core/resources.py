"""A resource, declared once: what clients send and see. From it come validation, views, filters and sort keys."""

from collections.abc import Callable, Iterable
from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Field
from pileus.core.microversions import Version
from pileus.core.wire import Request

REFUSE, KEEP, IGNORE = "refuse", "keep", "ignore"
View = Callable[[Any], dict[str, Any]]


class Resource:
    """`name` and `plural` wrap bodies; `extra` says what becomes of members nobody declared.

    `earlier` declares how fields were in older microversions, where that differs: each with an `until`.
    """

    def __init__(
        self,
        name: str,
        fields: Iterable[Field],
        *,
        plural: str | None = None,
        extra: str = REFUSE,
        rules: str | None = None,
        earlier: Iterable[Field] = (),
    ):
        self.name = name
        self.plural = plural or name + "s"
        self.fields = {field.name: field for field in fields}
        self.earlier = list(earlier)
        self.extra = extra
        self.rules = rules or name  # the word in `create_X:field`
        self._at: dict[Version, dict[str, Field]] = {}
        self._views: dict[tuple[Version, tuple[str, ...] | None, frozenset[str]], View] = {}

    def fields_at(self, asked: Version) -> dict[str, Field]:
        """The fields of a microversion, by name."""
        found = self._at.get(asked)
        if found is None:
            found = self._at[asked] = {
                field.name: field for field in (*self.fields.values(), *self.earlier) if field.spans(asked)
            }
        return found

    # -- in --------------------------------------------------------------------------------------------------------

    def parse_create(self, rq: Request, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The body of a POST, checked, defaults filled in; keyed by row attribute. Raises BadRequest or Forbidden."""
        given = rq.unwrap(self.name) if body is None else body
        found = self._given(rq, given, "create")
        for field in self.fields_at(rq.version).values():
            if field.source in found:
                continue
            if field.create == REQUIRED:
                raise BadRequest(
                    f"Invalid input for field/attribute {self.name}. '{field.name}' is a required property.",
                    kind="InvalidInput",
                )
            if field.create == OPTIONAL and field.has_default:
                found[field.source] = field.default()
        return found

    def parse_update(self, rq: Request, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The members a PUT or PATCH changes, checked; keyed by row attribute."""
        return self._given(rq, rq.unwrap(self.name) if body is None else body, "update")

    def _given(self, rq: Request, given: dict[str, Any], verb: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        fields = self.fields_at(rq.version)
        for name, value in given.items():
            field = fields.get(name)
            if field is None:
                if self.extra == KEEP:
                    extra[name] = value
                elif self.extra == REFUSE:
                    raise BadRequest(
                        f"Invalid input for field/attribute {self.name}. "
                        f"Additional properties are not allowed ({name[:100]!r} was unexpected).",
                        kind="HTTPBadRequest",
                    )
                continue
            allowed = field.create if verb == "create" else field.update
            if not allowed:
                if self.extra == IGNORE:
                    continue
                raise BadRequest(f"Attribute {name} is read-only and cannot be set.", kind="HTTPBadRequest")
            found[field.source] = field.check(value)
            if field.rule and not (field.has_default and value == field.default()):
                rq.authorize(f"{verb}_{self.rules}:{name}", rq.target)
        if extra:
            found["extra"] = extra
        return found

    # -- out -------------------------------------------------------------------------------------------------------

    def viewer(self, rq: Request, only: Iterable[str] | None = None) -> View:
        """A function from row to body for this request: its microversion, its `fields`, what its caller may see."""
        wanted = tuple(sorted(only)) if only is not None else None
        hidden = frozenset(
            field.name
            for field in self.fields.values()
            if field.hidden and not rq.allows(f"get_{self.rules}:{field.name}")
        )
        key = (rq.version, wanted, hidden)
        found = self._views.get(key)
        if found is None:
            if len(self._views) > 500:  # `fields` comes from clients: bounded
                self._views.clear()
            found = self._views[key] = self._compile(rq.version, wanted, hidden)
        return found

    def view(self, rq: Request, row: Any) -> dict[str, Any]:
        return self.viewer(rq)(row)

    def one(self, rq: Request, row: Any) -> dict[str, Any]:
        """The body of a resource alone: `{"keypair": {...}}`."""
        return {self.name: self.viewer(rq)(row)}

    def _compile(self, asked: Version, wanted: tuple[str, ...] | None, hidden: frozenset[str]) -> View:
        shown = [
            (field.name, field.source, field.show)
            for field in self.fields_at(asked).values()
            if not field.secret and field.name not in hidden and (wanted is None or field.name in wanted)
        ]
        keep_extra = self.extra == KEEP

        def view(row: Any) -> dict[str, Any]:
            body = {name: show(row) if show else getattr(row, source) for name, source, show in shown}
            if keep_extra and (extra := getattr(row, "extra", None)):
                for name, value in extra.items():
                    if name not in body and (wanted is None or name in wanted):
                        body[name] = value
            return body

        return view
