"""The API's declaration, and what every request of it has: a path, a caller, and what the caller may do there.

All routes are public to the request path: who has no token may still be let in by a container's ACL, a signed URL, a form
or a counterpart's signature. So each handler begins with a `Call`, and asks it before it does anything.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from urllib.parse import quote

from pileus import identity
from pileus.core import faults
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound, PreconditionFailed, Unauthorized
from pileus.core.routes import Service
from pileus.core.wire import Request, Response
from pileus.object_storage import acl, containers, limits
from pileus.object_storage.drivers.files import Files
from pileus.object_storage.store import Container

api = Service("object_storage", "/object/v1", faults.object_storage, aliases=("/v1",))
ACCOUNT, CONTAINER, OBJECT = "/{account}", "/{account}/{container}", "/{account}/{container}/{object:path}"
_HALF = re.compile("[\ud800-\udfff]")  # of a character: nothing that can be stored
HTML = "text/html; charset=UTF-8"
MISSING = "The resource could not be found."
# what only those see whom the account is open to
OWNERS_ONLY = frozenset(
    [
        "x-container-read", "x-container-write", "x-container-sync-key", "x-container-sync-to",
        *(f"x-{kind}-meta-temp-url-key{number}" for kind in ("account", "container") for number in ("", "-2")),
    ]
)  # fmt: skip


class Grant:
    """What a signature gives to its bearer: an account, or one container of it."""

    def __init__(self, account: str, container: str | None, prefix: str | None = None):
        self.account, self.container = account, container
        self.prefix = prefix  # with one, the names that begin so may be listed too, as a web site

    def covers(self, account: str, container: str | None) -> bool:
        return account == self.account and (self.container is None or container == self.container)


class Call:
    """One request: `account`, `container` and `name` are its path's, as far as that goes."""

    def __init__(self, rq: Request):
        self.rq = rq
        self.cloud = rq.cloud
        self.version, self.account, self.container, self.name = split(rq.path)
        self.grant: Grant | None = None
        self.project_id = self.account.partition("_")[2]
        limits.check_names(self.container, self.name)
        if "\0" in self.account:
            raise PreconditionFailed("Invalid UTF8 or contains NULL")
        if any(not value.isascii() and _HALF.search(value) for value in rq.headers.values()):
            raise BadRequest("A header is not valid text.")
        rq.ctx = _caller(rq)

    # -- where -----------------------------------------------------------------------------------------------------

    @property
    def files(self) -> Files:
        found: Files = self.cloud.drivers["object_storage"]
        return found

    def read(self) -> AbstractContextManager[Tx]:
        found: AbstractContextManager[Tx] = self.cloud.db.read()
        return found

    def write(self) -> AbstractContextManager[Tx]:
        found: AbstractContextManager[Tx] = self.cloud.db.write()
        return found

    @property
    def headers(self) -> Mapping[str, str]:
        return self.rq.headers

    def place(self, account: str, container: str, name: str) -> str:
        """An object's path, below the prefix that the client uses."""
        prefix = "/object" if self.rq.path.startswith("/object/") else ""
        return quote(f"{prefix}/{self.version}/{account}/{container}/{name}")

    # -- who -------------------------------------------------------------------------------------------------------

    @property
    def ctx(self) -> Context:
        return self.rq.ctx

    def _is(self, rule: str, account: str | None = None) -> bool:
        if self.ctx.user_id is None:
            return False
        project_id = (account or self.account).partition("_")[2]
        allowed: bool = self.rq.allows(rule, {"project_id": project_id})
        return allowed and (account or self.account).startswith("AUTH_")

    def owns(self, account: str | None = None) -> bool:
        return self._is("object_storage:owner", account)

    def sells(self) -> bool:
        return self._is("object_storage:reseller")

    def reads(self, account: str | None = None) -> bool:
        return self._is("object_storage:reader", account)

    def refuse(self) -> Exception:
        if self.ctx.user_id is None:
            return Unauthorized(
                "This server could not verify that you are authorized to access the document you requested.",
                headers={"www-authenticate": f'Keystone uri="{self.rq.root}/identity"'},
            )
        return Forbidden("Access was denied to this resource.")

    def may_read(self, container: Container, listing: bool = False) -> bool:
        if self.grant is not None:
            return not listing and self.grant.covers(container.account, container.name)
        if self.reads(container.account):
            return True
        granted = acl.parse(container.headers.get("x-container-read"))
        if acl.refers(granted, self.headers.get("referer")) and (granted.listings or not listing):
            return True
        return acl.names(granted, self.ctx, lambda: self._in_default_domain(container))

    def may_write(self, container: Container) -> bool:
        if self.grant is not None:
            return self.grant.covers(container.account, container.name)
        if self.owns(container.account):
            return True
        granted = acl.parse(container.headers.get("x-container-write"))
        return acl.names(granted, self.ctx, lambda: self._in_default_domain(container))

    def _in_default_domain(self, container: Container) -> bool:
        with self.read() as tx:
            project = tx.find(identity.Project, id=container.project_id)
        return project is not None and project.domain_id == acl.DEFAULT_DOMAIN

    def require_account(self, *, writing: bool) -> None:
        """Raises Unauthorized, Forbidden."""
        if self.grant is not None or not (self.owns() if writing else self.reads()):
            raise self.refuse()

    # -- containers ------------------------------------------------------------------------------------------------

    def container_to_read(
        self, tx: Tx, name: str | None = None, account: str | None = None, listing: bool = False
    ) -> Container:
        """The path's, or another. Raises NotFound, Unauthorized, Forbidden."""
        found = self._find(tx, account or self.account, name or self.container or "")
        if not self.may_read(found, listing):
            raise self.refuse()
        return found

    def container_to_write(self, tx: Tx, name: str | None = None, account: str | None = None) -> Container:
        """Raises NotFound, Unauthorized, Forbidden."""
        found = self._find(tx, account or self.account, name or self.container or "")
        if not self.may_write(found):
            raise self.refuse()
        return found

    def own_container(self, tx: Tx) -> Container:
        """One that the caller may change the settings of."""
        self.require_account(writing=True)
        return self._find(tx, self.account, self.container or "")

    def _find(self, tx: Tx, account: str, name: str) -> Container:
        found = containers.find_container(tx, account, name)
        if found is None:  # who may not look is not told
            known = self.grant.covers(account, name) if self.grant else self.reads(account)
            raise NotFound("The resource could not be found.") if known else self.refuse()
        return found


def split(path: str) -> tuple[str, str, str | None, str | None]:
    """`/object/v1/AUTH_p/container/any/object//` into version, account, container, object."""
    path = path.removeprefix("/object")
    parts = path.split("/", 4)[1:]
    parts += [""] * (4 - len(parts))
    if not parts[1] or (parts[3] and not parts[2]):
        raise NotFound(MISSING)
    return parts[0], parts[1], parts[2] or None, (parts[3] or None) if parts[2] else None


def _caller(rq: Request) -> Context:
    """A token that is none makes nobody of its bearer, who may still be let in."""
    kind, _, bearer = rq.headers.get("authorization", "").partition(" ")
    secret = rq.headers.get("x-auth-token") or rq.headers.get("x-storage-token")
    secret = secret or (bearer.strip() if kind.lower() == "bearer" else "")
    found: Context | None = rq.cloud.authenticate(secret) if secret else None
    if found is None:
        return rq.ctx
    found.request_id, found.global_request_id = rq.request_id, rq.ctx.global_request_id
    if found.access_rules is not None and not identity.permitted(found, rq):
        raise Unauthorized("The application credential's access rules do not allow this call.")
    return found


def metadata(headers: Mapping[str, str], kind: str, also: tuple[str, ...] = ()) -> dict[str, str]:
    """What a request says of an account's or container's metadata; empty is what shall be removed.

    Raises BadRequest.
    """
    prefix, removing = f"x-{kind}-meta-", f"x-remove-{kind}-meta-"
    limits.check_new_metadata(headers, prefix)
    found = {}
    for name in headers:
        if name.startswith(removing):
            found[prefix + name[len(removing) :]] = ""
        elif name.startswith("x-remove-") and "x-" + name.removeprefix("x-remove-") in also:
            found["x-" + name.removeprefix("x-remove-")] = ""
    for name, value in headers.items():
        if name in also or name.startswith(prefix):
            found[name] = value.strip()
    return found


def plain(status: int, headers: dict[str, str] | None = None) -> Response:
    """An answer without a body, which still says what that would be."""
    return Response(b"", status, {"content-type": HTML, **(headers or {})})
