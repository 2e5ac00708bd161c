"""The dozen ways a request can be refused, and the ways an engine can fail.

Services and drivers raise these; `core/faults.py` alone turns one into a status and a service's fault body.
"""

from collections.abc import Mapping
from typing import Any


class Fault(Exception):
    """A refusal to be told to the user. `kind` is the service's own word for it (a Neutron exception type)."""

    status = 500
    title = "Internal Server Error"

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.kind = kind or type(self).__name__
        self.detail = detail  # for the log only
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})  # further members of the fault body, where a service has some


class BadRequest(Fault):
    status, title = 400, "Bad Request"


class Unauthorized(Fault):
    status, title = 401, "Unauthorized"


class Forbidden(Fault):
    status, title = 403, "Forbidden"


class NotFound(Fault):
    status, title = 404, "Not Found"


class MethodNotAllowed(Fault):
    status, title = 405, "Method Not Allowed"


class NotAcceptable(Fault):
    status, title = 406, "Not Acceptable"


class Conflict(Fault):
    status, title = 409, "Conflict"


class Gone(Fault):
    status, title = 410, "Gone"


class PreconditionFailed(Fault):
    status, title = 412, "Precondition Failed"


class TooLarge(Fault):
    status, title = 413, "Request Entity Too Large"


class UnsupportedMediaType(Fault):
    status, title = 415, "Unsupported Media Type"


class RangeNotSatisfiable(Fault):
    status, title = 416, "Requested Range Not Satisfiable"


class TooManyRequests(Fault):
    status, title = 429, "Too Many Requests"


class NotBuilt(Fault):
    """An honest answer for what OpenStack has and pileus does not yet have."""

    status, title = 501, "Not Implemented"


class Unavailable(Fault):
    status, title = 503, "Service Unavailable"


class OverQuota(Fault):
    """More than the project may have; each service answers it with a status of its own."""

    status, title = 403, "Forbidden"


class EngineUnavailable(Exception):
    """An engine or node does not answer: worth another try."""


class EngineError(Exception):
    """An engine or node answered that it cannot do this: another try would not help."""


class Duplicate(Exception):
    """A row breaks a uniqueness rule; `columns` names what collided, as `table.column` or the constraint's name."""

    def __init__(self, columns: str):
        super().__init__(columns)
        self.columns = columns


class StillReferenced(Exception):
    """A row is deleted that others refer to, or refers to one that is gone."""
