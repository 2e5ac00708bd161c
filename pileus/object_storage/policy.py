"""Object storage's rules. Who an account is not open to may still be let in by a container's ACL, which is not policy."""

from pileus.core.policy import Rule

_OWN = "project_id:%(project_id)s"
_OBJECT = "/object/v1/{account}/{container}/{object:path}"

RULES = [
    Rule("object_storage:reseller", "role:ResellerAdmin", "Do anything to every account, and set its quotas.",
         ("POST /object/v1/{account}",)),
    Rule("object_storage:owner",
         f"rule:object_storage:reseller or ((role:admin or role:member or role:swiftoperator) and {_OWN})",
         "Do anything to the containers and objects of one's project.",
         ("POST /object/v1/{account}", "PUT /object/v1/{account}/{container}", f"PUT {_OBJECT}")),
    Rule("object_storage:reader",
         f"rule:object_storage:owner or (role:reader and {_OWN}) or (role:reader and system_scope:all)",
         "Read the containers and objects of one's project; of every project with a token of the system.",
         ("GET /object/v1/{account}", "GET /object/v1/{account}/{container}", f"GET {_OBJECT}")),
]  # fmt: skip
