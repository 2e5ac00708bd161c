"""Identity (OpenStack Identity API v3): who there is, what they may do, and the tokens that say so.

The front: what other services and the program itself may use.
"""

from pileus.identity import limits
from pileus.identity.bootstrap import bootstrap
from pileus.identity.catalog.entries import catalog as service_catalog
from pileus.identity.delegation.access_rules import permitted
from pileus.identity.login.log_in_limits import FailedLogIns
from pileus.identity.store import Domain, Project, User, find_project
from pileus.identity.tokens.provider import Tokens
from pileus.identity.tokens.receipts import Receipts
from pileus.identity.tokens.rotation import check as check_keys

__all__ = [
    "Domain",
    "FailedLogIns",
    "Project",
    "Receipts",
    "Tokens",
    "User",
    "bootstrap",
    "check_keys",
    "find_project",
    "limits",
    "permitted",
    "service_catalog",
]
