"""Domain configuration (Identity API v3, "Domain Configuration"): the whole, a group of options, or one option.

One set of handlers for the three forms of the path: what it names is read from its parameters.
"""

from typing import Any

from pileus.core.errors import Forbidden
from pileus.core.wire import Request, Response
from pileus.identity import domain_configs, projects
from pileus.identity.api.base import Target, api
from pileus.identity.delegation.credentials import Vault
from pileus.identity.store import DEFAULT_DOMAIN, Project

_READABLE = ("password_regex", "password_regex_description")  # by everybody, so that people can choose a password


def _vault(rq: Request) -> Vault:
    return Vault(rq.cloud.settings.folder)


def _named(rq: Request) -> tuple[str | None, str | None]:
    return rq.params.get("group"), rq.params.get("option")


def domain(rq: Request, domain_id: str, *_: str) -> Target[Project]:
    found = projects.get_domain(rq.tx, domain_id)
    return Target(found, domain=found)


def _follow(rq: Request) -> None:
    """Where users and groups come from may be another place now: look there at once."""
    rq.tx.after_commit(lambda: rq.cloud.tasks.wake("identity-directories"))


def show_config(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Show options that hold in a domain only."""
    return {"config": domain_configs.show(rq.tx, _vault(rq), found.row.id, *_named(rq))}


def update_config(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Change options of a domain."""
    section, name = _named(rq)
    domain_configs.check_names(section, name)
    given = rq.unwrap("config")
    config = domain_configs.check({section: given} if section and name else given)
    _follow(rq)
    domain_configs.update(rq.tx, _vault(rq), found.row.id, config, section, name)
    return {"config": domain_configs.show(rq.tx, _vault(rq), found.row.id)}


def delete_config(rq: Request, found: Target[Project]) -> None:
    """Take options from a domain: the cloud's hold again."""
    _follow(rq)
    domain_configs.delete(rq.tx, found.row.id, *_named(rq))


for _path in ("", "/{group}", "/{group}/{option}"):
    _path = f"/v3/domains/{{domain_id}}/config{_path}"
    api.get(_path, policy="identity:get_domain_config", on=domain)(show_config)
    api.patch(_path, policy="identity:update_domain_config", on=domain)(update_config)
    api.delete(_path, policy="identity:delete_domain_config", on=domain)(delete_config)


@api.put("/v3/domains/{domain_id}/config", policy="identity:create_domain_config", on=domain, status=201)
def replace_config(rq: Request, found: Target[Project]) -> Response:
    """Give a domain options of its own, and no others than these."""
    config = domain_configs.check(rq.unwrap("config"))
    _follow(rq)
    fresh = domain_configs.replace(rq.tx, _vault(rq), found.row.id, config)
    return Response({"config": domain_configs.show(rq.tx, _vault(rq), found.row.id)}, 201 if fresh else 200)


def show_default(rq: Request) -> dict[str, Any]:
    """Show what holds where a domain has no options of its own."""
    return {"config": domain_configs.default(*_named(rq))}


for _path in ("/default", "/{group}/default", "/{group}/{option}/default"):
    api.get(f"/v3/domains/config{_path}", policy="identity:get_domain_config_default")(show_default)


def show_compliance(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Show what passwords must be like, so that people can choose one."""
    if found.row.id != DEFAULT_DOMAIN:
        raise Forbidden(
            "Invalid domain specific configuration: what passwords must be like is told of the default domain."
        )
    rules = rq.cloud.settings.security_compliance
    shown = {name: getattr(rules, name) or None for name in _READABLE}
    option = rq.params.get("option")
    if option is None:
        return {"config": {"security_compliance": shown}}
    if option not in shown:
        raise Forbidden(f"Invalid domain specific configuration: only {' and '.join(_READABLE)} can be read.")
    return {"config": {option: shown[option]}}


for _path in ("", "/{option}"):
    api.get(
        f"/v3/domains/{{domain_id}}/config/security_compliance{_path}",
        policy="identity:get_security_compliance_domain_config",
        on=domain,
    )(show_compliance)
