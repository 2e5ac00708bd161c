"""Consoles: who may look at a guest gets a token, and whoever has the token gets the guest's screen or serial line.

The token is shown once, kept as its hash, good for one server and for a short time: it stands in a URL, which a browser
remembers. A console that is open stays open.
"""

import hashlib
import secrets
import socket
from typing import Any

import sqlalchemy as sa

from pileus.compute import states
from pileus.compute.servers import host_of
from pileus.compute.store import ConsoleToken, Server
from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict, NotFound
from pileus.core.tables import columns, shape
from pileus.node import protocol as p

SECONDS = 600.0
KINDS = {"novnc": "vnc", "serial": "serial"}  # by the type that clients ask for: what the host is asked for
_EXPIRED = sql(
    sa.delete(shape(ConsoleToken).table).where(columns(ConsoleToken).expires_at < sa.bindparam("now", type_=sa.Text()))
)


def make_token(tx: Tx, server: Server, type: str) -> str:
    """Raises Conflict unless there is a guest to look at."""
    if server.host is None or server.power_state not in (states.RUNNING, states.PAUSED):
        raise Conflict(f"Instance {server.id} is not ready: it does not run.", kind="InstanceNotReady")
    secret = secrets.token_urlsafe(32)
    tx.insert(ConsoleToken(_hash(secret), server.id, type, clock.after(SECONDS)))
    return secret


def get_token(tx: Tx, secret: str) -> ConsoleToken:
    """Raises NotFound."""
    found = tx.find(ConsoleToken, id=_hash(secret))
    if found is None or found.expires_at < clock.now():
        raise NotFound("Token not found")
    return found


def connect(cloud: Any, secret: str) -> socket.socket:
    """Raises NotFound."""
    with cloud.db.read() as tx:
        token = get_token(tx, secret)
        server = tx.get(Server, id=token.server_id)
    node = host_of(cloud.drivers["compute"], server)
    kind: Any = KINDS[token.type]
    return node.open_console(p.ConsoleArgs(server_id=server.id, kind=kind))


def forget_expired(tx: Tx) -> int:
    return tx.execute(_EXPIRED, now=clock.now())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
