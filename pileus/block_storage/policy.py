"""Block storage's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

READER, MEMBER, ADMIN = (
    "rule:xena_system_admin_or_project_reader", "rule:xena_system_admin_or_project_member", "rule:admin_api",
)  # fmt: skip
ACTION = "POST /volumes/{volume_id}/action"

WORDS = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_api", "rule:context_is_admin"),
    Rule("admin_or_owner", "role:admin or project_id:%(project_id)s"),
    Rule("xena_system_admin_or_project_reader", "role:admin or (role:reader and project_id:%(project_id)s)"),
    Rule("xena_system_admin_or_project_member", "role:admin or (role:member and project_id:%(project_id)s)"),
]


def rules(check: str, why: str, text: str) -> list[Rule]:
    """A rule a line: its name, then the operations it guards, comma between."""
    found = []
    for line in text.strip().splitlines():
        name, _, operations = line.strip().partition(" ")
        found.append(Rule(name, check, why, tuple(one.strip() for one in operations.split(",") if one.strip())))
    return found


VOLUMES = [
    *rules(READER, "", """
        volume:get_all GET /volumes, GET /volumes/detail, GET /volumes/summary
        volume:get GET /volumes/{volume_id}
        volume_extension:volume_tenant_attribute GET /volumes/{volume_id}
        volume_extension:volume_image_metadata:show GET /volumes/{volume_id}
        volume:get_snapshot POST /volumes
        backup:get POST /volumes
        group:get POST /volumes
    """),
    *rules(MEMBER, "", """
        volume:create POST /volumes
        volume:create_from_image POST /volumes
        volume:multiattach POST /volumes
        volume:update PUT /volumes/{volume_id}
        volume:delete DELETE /volumes/{volume_id}
    """),
    *rules(ADMIN, "What only the operator judges.", """
        volume:force_delete DELETE /volumes/{volume_id}
        volume_extension:volume_host_attribute GET /volumes/{volume_id}
        volume_extension:volume_mig_status_attribute GET /volumes/{volume_id}
    """),
]  # fmt: skip

MESSAGES = [
    *rules(READER, "", """
        message:get_all GET /messages
        message:get GET /messages/{message_id}
    """),
    *rules(MEMBER, "", "message:delete DELETE /messages/{message_id}"),
]  # fmt: skip

RULES = [*WORDS, *VOLUMES, *MESSAGES]
