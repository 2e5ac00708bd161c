"""Federation's rules: administrators change, readers of the whole system see. It is no domain's business."""

from pileus.core.policy import Rule

_ADMIN = "rule:admin_required"
_READERS = f"{_ADMIN} or (role:reader and system_scope:all)"
_PLACES = {
    "identity_provider": "identity_providers/{idp_id}",
    "protocol": "identity_providers/{idp_id}/protocols/{protocol_id}",
    "mapping": "mappings/{mapping_id}",
    "service_provider": "service_providers/{service_provider_id}",
}
_VERBS = {
    "create": ("PUT", _ADMIN),
    "get": ("GET", _READERS),
    "list": ("GET", _READERS),
    "update": ("PATCH", _ADMIN),
    "delete": ("DELETE", _ADMIN),
}


def _rule(thing: str, verb: str) -> Rule:
    method, check = _VERBS[verb]
    path = f"/v3/OS-FEDERATION/{_PLACES[thing]}"
    if verb == "list":
        thing, path = f"{thing}s", path.rpartition("/")[0]
    return Rule(f"identity:{verb}_{thing}", check, "", (f"{method} {path}",), ("system", "project"))


RULES = [_rule(thing, verb) for thing in _PLACES for verb in _VERBS]
