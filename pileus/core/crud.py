"""The five routes of a plain resource, declared at once.

What they do is a service's own idiom (how it pages a list, reads a body, words a link), bound once in its `api/plain.py`;
a resource then says only what is its own.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pileus.core.routes import Handler, Lookup, Service
from pileus.core.wire import Request

# verb: whether it is about one thing that is there, the status it answers, and what it does, in a sentence
VERBS = {
    "list": (False, 200, "List {nouns}."),
    "create": (False, 201, "Create {a} {noun}."),
    "show": (True, 200, "Show {a} {noun}."),
    "update": (True, 200, "Change {a} {noun}."),
    "delete": (True, 204, "Delete {a} {noun}."),
}


def declare(
    api: Service,
    path: str,
    key: str,
    handlers: Mapping[str, Handler],
    *,
    noun: str,
    rule: Callable[[str], str],
    on: Lookup,
    new: Lookup | None = None,
    lookups: Mapping[str, Lookup] = MappingProxyType({}),
    update: str = "PATCH",
    bodies: Mapping[str, Callable[[Request], Any]] = MappingProxyType({}),
) -> None:
    """Adds a route for each of `handlers`, by verb: `path` for all, `path/{key}` for the one that `on` looks up.

    `rule` gives a verb's policy rule, `new` what a create is asked about, `lookups` what looks things up for verbs that
    have their own way, `bodies` what checks a verb's body. The sentence that the coverage page shows is the handler's own
    docstring, or else made of `noun`.
    """
    nouns = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    methods = {"list": "GET", "create": "POST", "show": "GET", "update": update, "delete": "DELETE"}
    for verb, handler in handlers.items():
        single, status, sentence = VERBS[verb]
        usual = on if single else new if verb == "create" else None
        article = "an" if noun[0] in "aeiou" else "a"
        handler.__doc__ = handler.__doc__ or sentence.format(a=article, noun=noun, nouns=nouns)
        place = f"{path}/{{{key}}}" if single else path
        options = {"policy": rule(verb), "on": lookups.get(verb, usual), "status": status, "body": bodies.get(verb)}
        api.route(methods[verb], place, **options)(handler)
