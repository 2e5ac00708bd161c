"""RBAC policies."""

from pileus.core.fields import OPTIONAL, REQUIRED, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, ONCE

OBJECTS = ("network", "security_group", "subnetpool", "address_scope", "address_group", "qos_policy")
ACTIONS = ("access_as_shared", "access_as_external")

rbac_policy = Resource(
    "rbac_policy",
    [
        Text("id", max=36, **EVERYWHERE),
        Text("project_id", **ONCE),
        Text("tenant_id", source="project_id", **ONCE),
        Text("object_type", choices=OBJECTS, create=REQUIRED, **EVERYWHERE),
        Uuid("object_id", create=REQUIRED, **EVERYWHERE),
        Text("action", choices=ACTIONS, create=REQUIRED, **EVERYWHERE),
        Text("target_tenant", min=1, max=255, create=OPTIONAL, update=True, **EVERYWHERE),
        Text("target_project", min=1, max=255, source="target_tenant", create=OPTIONAL, update=True, secret=True),
    ],
    plural="rbac_policies",
)
