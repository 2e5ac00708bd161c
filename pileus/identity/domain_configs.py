"""Options that hold in one domain only: where its users and groups come from. OpenStack's names, and its defaults.

Only what is listed here can be set. Values are encrypted in the database; a sensitive one is never shown again.
"""

from typing import Any

import msgspec

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.identity.delegation.credentials import Vault
from pileus.identity.store import DomainOption

DEFAULTS: dict[str, dict[str, Any]] = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": {
        "url": "ldap://localhost",
        "user": None,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "alias_dereferencing": "default",
        "debug_level": None,
        "chase_referrals": None,
        "user_tree_dn": None,
        "user_filter": None,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_description_attribute": "description",
        "user_pass_attribute": "userPassword",
        "user_enabled_attribute": "enabled",
        "user_enabled_invert": False,
        "user_enabled_mask": 0,
        "user_enabled_default": "True",
        "user_attribute_ignore": ["default_project_id"],
        "user_default_project_id_attribute": None,
        "user_enabled_emulation": False,
        "user_enabled_emulation_dn": None,
        "user_enabled_emulation_use_group_config": False,
        "user_additional_attribute_mapping": [],
        "group_tree_dn": None,
        "group_filter": None,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_members_are_ids": False,
        "group_member_attribute": "member",
        "group_desc_attribute": "description",
        "group_attribute_ignore": [],
        "group_additional_attribute_mapping": [],
        "group_ad_nesting": False,
        "connection_timeout": -1,
        "tls_cacertfile": None,
        "tls_cacertdir": None,
        "use_tls": False,
        "tls_req_cert": "demand",
        "use_pool": True,
        "pool_size": 10,
        "pool_retry_max": 3,
        "pool_retry_delay": 0.1,
        "pool_connection_timeout": -1,
        "pool_connection_lifetime": 600,
        "use_auth_pool": True,
        "auth_pool_size": 100,
        "auth_pool_connection_lifetime": 60,
    },
}
SENSITIVE = {"ldap": {"password"}}
_LONGEST = 65535

Config = dict[str, dict[str, Any]]


def _invalid(why: str) -> Forbidden:
    return Forbidden(f"Invalid domain specific configuration: {why}.")


def check_names(section: str | None, name: str | None) -> None:
    """Raises Forbidden for a section or an option that a domain cannot have of its own."""
    if section is not None and section not in DEFAULTS:
        raise _invalid(f"there is no group {section[:100]!r}")
    if section is not None and name is not None and not (name in DEFAULTS[section] or _sensitive(section, name)):
        raise _invalid(f"group {section!r} has no option {name[:100]!r}")


def _sensitive(section: str, name: str) -> bool:
    return name in SENSITIVE.get(section, ())


# -- reading -------------------------------------------------------------------------------------------------------------


def _stored(tx: Tx, vault: Vault, domain_id: str, **place: str) -> Config:
    found: Config = {}
    for row in tx.select(DomainOption, order="name", domain_id=domain_id, **place):
        text = vault.reveal(row.encrypted_value, f"Option {row.name} of domain {domain_id}")
        found.setdefault(row.section, {})[row.name] = msgspec.json.decode(text.encode())
    return found


def effective(tx: Tx, vault: Vault, domain_id: str) -> Config:
    """All that holds in a domain, secrets included, for who works by it; empty when nothing was set for it.

    `%(password)s` in an option stands for the sensitive option of that name in its group.
    """
    found = _stored(tx, vault, domain_id)
    if not found:
        return {}
    for section, options in found.items():
        secrets = {name: str(value) for name, value in options.items() if _sensitive(section, name)}
        for name, value in options.items():
            if name not in secrets and isinstance(value, str):
                for secret, text in secrets.items():
                    value = value.replace(f"%({secret})s", text)
                options[name] = value
    return {section: {**defaults, **found.get(section, {})} for section, defaults in DEFAULTS.items()}


def show(tx: Tx, vault: Vault, domain_id: str, section: str | None = None, name: str | None = None) -> dict[str, Any]:
    """What was set and may be shown: groups of options, or the one option. Raises NotFound, Forbidden."""
    check_names(section, name)
    found = _visible(_stored(tx, vault, domain_id, **_place(section, name)))
    if not found:
        raise _missing(domain_id, section, name)
    return found[section] if section and name else found


def _visible(config: Config) -> Config:
    shown = {
        section: {name: value for name, value in options.items() if not _sensitive(section, name)}
        for section, options in config.items()
    }
    return {section: options for section, options in shown.items() if options}


def _place(section: str | None, name: str | None) -> dict[str, str]:
    given = {"section": section, "name": name}
    return {key: value for key, value in given.items() if value is not None}


def _missing(domain_id: str, section: str | None, name: str | None) -> NotFound:
    what = f"option {name} in group {section}" if name else f"group {section}" if section else "any options"
    return NotFound(f"Could not find {what} in domain configuration for domain {domain_id}.")


def default(section: str | None = None, name: str | None = None) -> dict[str, Any]:
    """What holds where nothing was set. Raises Forbidden."""
    check_names(section, name)
    if section is None:
        return DEFAULTS
    if name is None:
        return {section: DEFAULTS[section]}
    if _sensitive(section, name):
        raise _invalid(f"the default of option {name!r} is not shown")
    return {name: DEFAULTS[section][name]}


# -- writing -------------------------------------------------------------------------------------------------------------


def check(given: Any) -> Config:
    """A configuration that a client sent. Raises BadRequest for its form, Forbidden for names it may not have."""
    if not isinstance(given, dict):
        raise BadRequest("Invalid input for field 'config': it must be an object.")
    if not given:
        raise _invalid("it has no options")
    for section, options in given.items():
        check_names(section, None)
        if not isinstance(options, dict) or not options:
            raise _invalid(f"group {section!r} must be an object of options")
        for name, value in options.items():
            check_names(section, name)
            _check_value(name, value)
    return given


def _check_value(name: str, value: Any) -> None:
    plain = value is None or isinstance(value, bool | int | float | str)
    if not plain and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise BadRequest(
            f"Invalid input for option {name!r}: it must be a string, a number, a boolean or a list of strings."
        )
    if len(msgspec.json.encode(value)) > _LONGEST:
        raise BadRequest(f"Invalid input for option {name!r}: it is too long.")


def replace(tx: Tx, vault: Vault, domain_id: str, config: Config) -> bool:
    """Give a domain these options and no others; was there none before?"""
    fresh = not tx.delete(DomainOption, domain_id=domain_id)
    merge(tx, vault, domain_id, config)
    return fresh


def merge(tx: Tx, vault: Vault, domain_id: str, config: Config) -> None:
    for section, options in config.items():
        for name, value in options.items():
            closed = vault.close(msgspec.json.encode(value).decode())
            place = {"domain_id": domain_id, "section": section, "name": name}
            if not tx.update(DomainOption, place, encrypted_value=closed):
                tx.insert(DomainOption(clock.new_hex_id(), domain_id, section, name, closed))


def update(tx: Tx, vault: Vault, domain_id: str, config: Config, section: str | None, name: str | None) -> None:
    """Merge `config`. With a group or option named, it must say just that, which must be there already.

    Raises Forbidden, NotFound.
    """
    if section is not None:
        if set(config) != {section}:
            raise _invalid(f"to update group {section!r}, give that group and nothing else")
        if name is not None and set(config[section]) != {name}:
            raise _invalid(f"to update option {name!r}, give that option and nothing else")
        if not tx.find(DomainOption, domain_id=domain_id, **_place(section, name)):
            raise _missing(domain_id, section, name)
    merge(tx, vault, domain_id, config)


def delete(tx: Tx, domain_id: str, section: str | None = None, name: str | None = None) -> None:
    """Back to the defaults, wholly or in part. Raises NotFound for a part that was not set, Forbidden."""
    check_names(section, name)
    if not tx.delete(DomainOption, domain_id=domain_id, **_place(section, name)) and section is not None:
        raise _missing(domain_id, section, name)
