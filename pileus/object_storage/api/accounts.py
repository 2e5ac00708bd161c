"""Accounts: their containers, sums and metadata; and what is done to many things at once, which begins here."""

from pileus import identity
from pileus.core.errors import MethodNotAllowed
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.object_storage import accounts, listing, store
from pileus.object_storage.api import bulk, cors, listings
from pileus.object_storage.api.base import ACCOUNT, OWNERS_ONLY, Call, api, metadata, plain
from pileus.object_storage.store import Account, Container

POLICY = "Policy-0"
_COLUMNS = ("name", "objects", "bytes", "put_at")


@api.get(ACCOUNT, policy=PUBLIC, tx="")
def list_containers(rq: Request) -> Response:
    """List an account's containers, and show its sums and metadata."""
    call = Call(rq)
    call.require_account(writing=False)
    wanted, kind = listings.wanted(rq.query), listings.media_type(rq)
    with call.read() as tx:
        account = accounts.get_account(tx, call.account)
        headers = _headers(call, account, store.account_sums(tx, call.account))
        project = tx.find(identity.Project, id=call.project_id)
        if project is not None and project.domain_id and call.owns():
            headers["x-account-project-domain-id"] = project.domain_id
        fetch = listing.reader(tx, Container, _COLUMNS, account=call.account)
        rows = [] if rq.method == "HEAD" else listing.page(fetch, wanted)
    entries = [
        {"subdir": row.name}
        if isinstance(row, listing.Folded)
        else {"name": row[0], "count": row[1], "bytes": row[2], "last_modified": listings.iso(row[3]),
              "storage_policy": POLICY}
        for row in rows
    ]  # fmt: skip
    return listings.respond(kind, ("account", call.account), entries, headers, rq.method == "HEAD")


def _headers(call: Call, account: Account, sums: store.Sums) -> dict[str, str]:
    owner = call.owns()
    numbers = {"container-count": sums.containers, "object-count": sums.objects, "bytes-used": sums.bytes}
    found = {f"x-account-{name}": str(value) for name, value in numbers.items()}
    if sums.containers:
        found |= {f"x-account-storage-policy-{POLICY.lower()}-{name}": str(value) for name, value in numbers.items()}
    shown = {name: value for name, value in account.headers.items() if owner or name not in OWNERS_ONLY}
    if accounts.QUOTA_BYTES in shown:
        shown[accounts.OLD_QUOTA_BYTES] = shown[accounts.QUOTA_BYTES]
    return {
        **found,
        **shown,
        "x-timestamp": account.created_at,
        "x-put-timestamp": account.created_at,
        "accept-ranges": "bytes",
    }


@api.post(ACCOUNT, policy=PUBLIC, tx="", stream=True)
def update_account(rq: Request) -> Response:
    """Change an account's metadata and quotas; with ?bulk-delete, delete what the body lists."""
    call = Call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    call.require_account(writing=True)
    changes = metadata(rq.headers, "account", accounts.QUOTAS)
    if accounts.OLD_QUOTA_BYTES in changes:
        changes.setdefault(accounts.QUOTA_BYTES, changes.pop(accounts.OLD_QUOTA_BYTES))
    quotas = {name for name in changes if name in accounts.QUOTAS}
    if quotas:
        if not call.sells():
            raise call.refuse()
        bulk.check_quotas(changes, quotas)
    with call.write() as tx:
        accounts.update_account(tx, call.account, changes)
    return plain(204)


@api.put(ACCOUNT, policy=PUBLIC, tx="", stream=True)
def put_account(rq: Request) -> Response:
    """Make objects of an archive's files (?extract-archive); an account itself needs no making."""
    call = Call(rq)
    if "extract-archive" in rq.query:
        return bulk.extract(call)
    return _refuse(call)


@api.delete(ACCOUNT, policy=PUBLIC, tx="", stream=True)
def delete_account(rq: Request) -> Response:
    """Delete what the body lists (?bulk-delete); an account itself goes with its project."""
    call = Call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    return _refuse(call)


@api.route("OPTIONS", ACCOUNT, policy=PUBLIC, tx="")
def ask_account(rq: Request) -> Response:
    """Say which methods there are."""
    Call(rq)
    return plain(200, {"allow": cors.METHODS})


def _refuse(call: Call) -> Response:
    call.require_account(writing=True)
    raise MethodNotAllowed(
        "The method is not allowed for this resource.", headers={"allow": "COPY, GET, HEAD, OPTIONS, POST"}
    )
