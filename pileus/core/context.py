"""Who asks: what a token says, for the length of one request or saga."""

from typing import Any

import msgspec


class Context(msgspec.Struct, kw_only=True):
    """The caller. Without a scope, `project_id`, `domain_id` and `system` are all empty."""

    user_id: str | None = None
    user_name: str | None = None
    user_domain_id: str | None = None
    user_domain_name: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    project_domain_name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None
    system: bool = False
    roles: frozenset[str] = frozenset()
    role_ids: frozenset[str] = frozenset()
    is_admin_project: bool = True
    request_id: str = ""
    global_request_id: str | None = None
    access_rules: Any = None  # the only calls it is good for, where an application credential limits them
    token: Any = None  # the identity service's own view of the token
    attributes: dict[str, Any] = {}  # what policy checks may name, flat; made by `credentials`

    @property
    def scope(self) -> str:
        """What a rule's `scopes` name. A token without one counts as a project's, as in oslo.policy."""
        return "system" if self.system else "domain" if self.domain_id else "project"

    @property
    def credentials(self) -> dict[str, Any]:
        """The attributes a policy's check may name on its left side."""
        if not self.attributes:
            self.attributes = {
                "user_id": self.user_id,
                "project_id": self.project_id,
                "tenant_id": self.project_id,
                "tenant": self.project_id,
                "project": self.project_id,
                "domain_id": self.domain_id,
                "user_domain_id": self.user_domain_id,
                "project_domain_id": self.project_domain_id,
                "system_scope": "all" if self.system else None,
                "system": "all" if self.system else None,
                "is_admin": False,
                "is_admin_project": self.is_admin_project,
                "token.project.domain.id": self.project_domain_id,
                "token.domain.id": self.domain_id,
                "user.id": self.user_id,
                "user.domain_id": self.user_domain_id,
            }
        return self.attributes


def internal(request_id: str = "") -> Context:
    """The cloud itself, for work nobody asked for by a token (reconcile tasks, sagas' undo)."""
    return Context(user_id="pileus", roles=frozenset({"admin", "manager", "member", "reader"}), request_id=request_id)
