"""How a domain's directory is reached and read: OpenStack's option names, as a domain's configuration has them."""

from typing import Any, NoReturn

import msgspec

from pileus.core.errors import Unavailable


class Options(msgspec.Struct, kw_only=True):
    """The options of group `ldap`; those about pools and debugging have no meaning here and are ignored."""

    url: str = "ldap://localhost"
    user: str | None = None
    password: str | None = None
    suffix: str = "cn=example,cn=com"
    query_scope: str = "one"
    page_size: int = 0
    alias_dereferencing: str = "default"
    chase_referrals: bool | None = None
    connection_timeout: int = -1
    use_tls: bool = False
    tls_cacertfile: str | None = None
    tls_cacertdir: str | None = None
    tls_req_cert: str = "demand"

    user_tree_dn: str | None = None
    user_filter: str | None = None
    user_objectclass: str = "inetOrgPerson"
    user_id_attribute: str = "cn"
    user_name_attribute: str = "sn"
    user_description_attribute: str | None = "description"
    user_mail_attribute: str | None = "mail"
    user_enabled_attribute: str | None = "enabled"
    user_enabled_invert: bool = False
    user_enabled_mask: int = 0
    user_enabled_default: str = "True"
    user_enabled_emulation: bool = False
    user_enabled_emulation_dn: str | None = None
    user_enabled_emulation_use_group_config: bool = False
    user_attribute_ignore: list[str] = msgspec.field(default_factory=lambda: ["default_project_id"])
    user_default_project_id_attribute: str | None = None
    user_additional_attribute_mapping: list[str] = []

    group_tree_dn: str | None = None
    group_filter: str | None = None
    group_objectclass: str = "groupOfNames"
    group_id_attribute: str = "cn"
    group_name_attribute: str = "ou"
    group_desc_attribute: str | None = "description"
    group_member_attribute: str = "member"
    group_members_are_ids: bool = False
    group_ad_nesting: bool = False
    group_attribute_ignore: list[str] = []
    group_additional_attribute_mapping: list[str] = []

    @property
    def users_below(self) -> str:
        return self.user_tree_dn or f"ou=Users,{self.suffix}"

    @property
    def groups_below(self) -> str:
        return self.group_tree_dn or f"ou=UserGroups,{self.suffix}"

    @property
    def enabled_group(self) -> str:
        return self.user_enabled_emulation_dn or f"cn=enabled_users,{self.users_below}"


_CHOICES = {
    "query_scope": ("one", "sub"),
    "alias_dereferencing": ("default", "never", "searching", "always", "finding"),
    "tls_req_cert": ("demand", "allow", "never"),
}


def read(config: dict[str, dict[str, Any]]) -> Options | None:
    """None where a domain has no directory. Raises Unavailable, saying which option is wrong."""
    if (config.get("identity") or {}).get("driver") != "ldap":
        return None
    given = {}
    for name, value in (config.get("ldap") or {}).items():
        if value is None and name != "user":
            continue
        lists = name.endswith(("_ignore", "_mapping"))
        given[name] = [part.strip() for part in value.split(",")] if lists and isinstance(value, str) else value
    try:
        found = msgspec.convert(given, Options, strict=False)
    except msgspec.ValidationError as error:
        _wrong(str(error))
    for name, choices in _CHOICES.items():
        if getattr(found, name) not in choices:
            _wrong(f"{name} must be one of {', '.join(choices)}")
    if found.group_ad_nesting and found.group_members_are_ids:
        _wrong("group_ad_nesting is for groups that name their members by DN, and group_members_are_ids is set")
    return found


def _wrong(why: str) -> NoReturn:
    raise Unavailable(f"The directory of this domain is not well configured: {why}.")


def further(mapping: list[str]) -> list[tuple[str, str]]:
    """`attribute:member` pairs, as (the directory's attribute, the member of a user or group here)."""
    pairs = [item.partition(":") for item in mapping if ":" in item]
    return [(attribute.strip(), member.strip()) for attribute, _, member in pairs]
