"""Refusals that only object storage has a status for."""

from pileus.core.errors import Fault


class LengthRequired(Fault):
    status, title = 411, "Length Required"


class Unprocessable(Fault):
    """The bytes are not those that were promised."""

    status, title = 422, "Unprocessable Entity"


class StoreFull(Fault):
    status, title = 507, "Insufficient Storage"
