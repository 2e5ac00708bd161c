"""Compute's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

RULES = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_or_owner", "is_admin:True or project_id:%(project_id)s"),
    Rule("admin_api", "is_admin:True"),
    Rule("project_member_api", "role:member and project_id:%(project_id)s"),
    Rule("project_reader_api", "role:reader and project_id:%(project_id)s"),
    Rule("project_manager_api", "role:manager and project_id:%(project_id)s"),
    Rule("project_member_or_admin", "rule:project_member_api or rule:context_is_admin"),
    Rule("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin"),
    Rule("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin"),
    *(
        Rule(f"os_compute_api:os-keypairs:{verb}", "role:admin or user_id:%(user_id)s",
             "A key pair belongs to its user.", (operation,))
        for verb, operation in [
            ("index", "GET /os-keypairs"),
            ("create", "POST /os-keypairs"),
            ("show", "GET /os-keypairs/{name}"),
            ("delete", "DELETE /os-keypairs/{name}"),
        ]
    ),
]  # fmt: skip
