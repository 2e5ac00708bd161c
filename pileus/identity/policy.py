"""Identity's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

RULES = [
    Rule("admin_required", "role:admin"),
    Rule("owner", "user_id:%(user_id)s"),
    Rule("identity:validate_token", "(role:reader and system_scope:all) or role:admin or role:service or "
         "user_id:%(target.token.user_id)s", "A token may be looked at by its owner and by services.",
         ("GET /v3/auth/tokens",)),
    Rule("identity:revoke_token", "role:admin or user_id:%(target.token.user_id)s", "", ("DELETE /v3/auth/tokens",)),
    Rule("identity:get_auth_catalog", "", "Everybody sees the catalog of their own token.", ("GET /v3/auth/catalog",)),
    Rule("identity:get_auth_projects", "", "", ("GET /v3/auth/projects",)),
    Rule("identity:get_auth_domains", "", "", ("GET /v3/auth/domains",)),
    Rule("identity:get_auth_system", "", "", ("GET /v3/auth/system",)),
]  # fmt: skip
