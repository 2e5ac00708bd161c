"""Consistency groups, which groups have replaced: closed to everybody by default (Block Storage API, "Consistency groups").

An operator's policy can open them; then they answer that they are not built.
"""

from typing import Any

from pileus.block_storage.api.base import api
from pileus.core.errors import NotBuilt
from pileus.core.wire import Request


def _refuse(rq: Request) -> Any:
    raise NotBuilt("Consistency groups are not built: use groups, since 3.13.")


def _declare(method: str, path: str, rule: str, sentence: str) -> None:
    def handler(rq: Request) -> Any:
        return _refuse(rq)

    handler.__doc__ = sentence
    api.route(method, path, policy=rule)(handler)


for _plural, _word in (("consistencygroups", "consistencygroup"), ("cgsnapshots", "consistencygroup")):
    _noun = "consistency groups" if _plural == "consistencygroups" else "their snapshots"
    _prefix = _word if _plural == "consistencygroups" else f"{_word}:cgsnapshot"
    _one = f"/{_plural}/{{{_plural.removesuffix('s')}_id}}"
    _declare("GET", f"/{_plural}", f"{_prefix}:get_all", f"List {_noun}: closed to everybody (403).")
    _declare("GET", f"/{_plural}/detail", f"{_prefix}:get_all", f"List {_noun}, in detail: closed to everybody (403).")
    _declare("POST", f"/{_plural}", f"{_prefix}:create", f"Create one of the {_noun}: closed to everybody (403).")
    _declare("GET", _one, f"{_prefix}:get", f"Show one of the {_noun}: closed to everybody (403).")
    _declare("DELETE", _one, f"{_prefix}:delete", f"Delete one of the {_noun}: closed to everybody (403).")
_declare(
    "POST", "/consistencygroups/create_from_src", "consistencygroup:create", "Copy one: closed to everybody (403)."
)
_declare("POST", "/consistencygroups/{consistencygroup_id}/delete", "consistencygroup:delete",
         "Delete one of the consistency groups: closed to everybody (403).")  # fmt: skip
_declare("PUT", "/consistencygroups/{consistencygroup_id}/update", "consistencygroup:update",
         "Change one of the consistency groups: closed to everybody (403).")  # fmt: skip
