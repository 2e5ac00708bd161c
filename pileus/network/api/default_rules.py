"""What new security groups begin with (Networking API, "Security Group Default Rules")."""

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import viewer
from pileus.network.api.plain import plain
from pileus.network.resources.security_groups import default_rule as RULE
from pileus.network.service import default_rules


def default_rule(rq: Request, id: str) -> rows.DefaultRule:
    return default_rules.get_rule(rq.tx, id)


plain(
    RULE,
    rows.DefaultRule,
    "/default-security-group-rules",
    on=default_rule,
    make=lambda rq, values: default_rules.create_rule(rq.tx, viewer(rq), **values),
    delete=lambda rq, found: default_rules.delete_rule(rq.tx, found),
    clauses=lambda rq: [("there", columns(rows.DefaultRule).removed == sa.false(), {})],
)
