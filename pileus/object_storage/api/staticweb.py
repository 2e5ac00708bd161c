"""Containers as web sites: an index, listings in HTML, pages for errors, as X-Container-Meta-Web-* say.

For those without a token; with one the API itself answers, unless X-Web-Mode asks for this.
"""

import html
from urllib.parse import quote

from pileus.core.errors import Fault, Forbidden, NotFound, Unauthorized
from pileus.core.wire import Response
from pileus.object_storage import containers, limits, listing, objects
from pileus.object_storage.api import listings, reading, tempurl
from pileus.object_storage.api.base import HTML, Call, plain
from pileus.object_storage.store import Container, Object

_WEB = "x-container-meta-web-"
_COLUMNS = ("name", "size", "content_type", "modified")
_STYLE = (
    "<style>h1{font-size:1em;font-weight:bold} th{text-align:left;padding:0 1em} td{padding:0 1em} a{text-decoration:none}"
    "</style>"
)


def applies(call: Call) -> bool:
    if call.rq.method not in ("GET", "HEAD"):
        return False
    if call.ctx.user_id is not None and call.grant is None and not limits.is_true(call.headers.get("x-web-mode")):
        return False
    found = _container(call)
    return found is not None and any(
        found.headers.get(_WEB + name) for name in ("index", "error", "listings", "listings-css", "directory-type")
    )


def _container(call: Call) -> Container | None:
    with call.read() as tx:
        return containers.find_container(tx, call.account, call.container or "")


def of_container(call: Call) -> Response:
    """The site's first page."""
    found = _container(call)
    assert found is not None
    try:
        if not call.rq.path.endswith("/"):
            _check_listing(call, found, "", listing=bool(found.headers.get(_WEB + "listings")))
            return plain(301, {"location": _here(call)})
        return _folder(call, found, "")
    except (NotFound, Unauthorized, Forbidden) as fault:
        return _error(call, found, fault)


def of_object(call: Call) -> Response:
    """A page; a folder's index where the name is a folder's."""
    found = _container(call)
    assert found is not None and call.name is not None
    try:
        try:
            response = reading.show(call)
            kind = found.headers.get(_WEB + "directory-type", "application/directory")
            if (
                response.headers.get("content-type", "").partition(";")[0] != kind
                or int(response.headers.get("content-length", "0")) > 1
            ):
                return response
        except NotFound:
            pass
        if call.name.endswith("/"):
            return _folder(call, found, call.name)
        with call.read() as tx:
            wanted = listing.Wanted(limit=1, prefix=call.name + "/")
            below = listing.page(listing.reader(tx, Object, _COLUMNS, container_id=found.id), wanted)
        if below and (found.headers.get(_WEB + "index") or found.headers.get(_WEB + "listings")):
            return plain(301, {"location": _here(call)})
        raise NotFound("The resource could not be found.")
    except (NotFound, Unauthorized, Forbidden) as fault:
        return _error(call, found, fault)


def _here(call: Call) -> str:
    query = call.rq.query_string
    return call.rq.root + quote(call.rq.path) + "/" + (f"?{query}" if query else "")


def _check_listing(call: Call, found: Container, folder: str, listing: bool = True) -> None:
    """What there is, is told only to those who may see it. Raises Unauthorized, Forbidden."""
    if call.grant is not None:
        prefix = call.grant.prefix
        if not call.grant.covers(found.account, found.name) or prefix is None or not folder.startswith(prefix):
            raise call.refuse()
    elif not call.may_read(found, listing):
        raise call.refuse()


def _folder(call: Call, found: Container, folder: str) -> Response:
    index = found.headers.get(_WEB + "index")
    if index:
        call.name = folder + index
        try:
            return reading.show(call)
        except NotFound:
            pass
        finally:
            call.name = folder or None
    if limits.is_true(found.headers.get(_WEB + "listings")):
        return _listing(call, found, folder)
    raise NotFound("The resource could not be found.")


def _listing(call: Call, found: Container, folder: str) -> Response:
    _check_listing(call, found, folder)
    link_query, top = tempurl.query_of(call), (call.grant.prefix if call.grant else None) or ""
    label = found.headers.get(_WEB + "listings-label") or f"/{call.version}/{call.account}/{found.name}"
    with call.read() as tx:
        wanted = listing.Wanted(prefix=folder, delimiter="/")
        rows = listing.page(listing.reader(tx, Object, _COLUMNS, container_id=found.id), wanted)
    if folder and not rows:
        raise NotFound("The resource could not be found.")
    title = html.escape(f"Listing of {label}/{folder}")
    css = found.headers.get(_WEB + "listings-css")
    head = _STYLE
    if css:
        up = "" if css.startswith(("http://", "https://", "/")) else "../" * folder.count("/")
        head = f'<link rel="stylesheet" type="text/css" href="{html.escape(up + quote(css, safe=":/"))}" />'
    up = f'<tr id="parent" class="item"><td class="colname"><a href="../{link_query}">../</a></td></tr>'
    lines = [up] if folder != top else []
    for row in rows:
        name = row.name if isinstance(row, listing.Folded) else row[0]
        shown = html.escape(name[len(folder) :])
        place = quote(name[len(folder) :], errors="replace")
        link = f'<td class="colname"><a href="./{place}{link_query}">{shown}</a></td>'
        if isinstance(row, listing.Folded):
            lines.append(f'<tr class="item subdir">{link}<td></td><td></td></tr>')
        else:
            size = f'<td class="colsize">{row[1]}</td><td class="coldate">{listings.http_date(row[3])}</td>'
            lines.append(f'<tr class="item">{link}{size}</tr>')
    body = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title>{head}</head><body>"
        f'<h1 id="title">{title}</h1><table id="listing"><tr id="heading"><th class="colname">Name</th>'
        f'<th class="colsize">Size</th><th class="coldate">Date</th></tr>{"".join(lines)}</table></body></html>'
    )
    data = body.encode("utf-8", "replace")
    return Response(b"" if call.rq.method == "HEAD" else data, 200,
                    {"content-type": HTML, "content-length": str(len(data))})  # fmt: skip


def _error(call: Call, found: Container, fault: Fault) -> Response:
    """The site's own page for it, an object named after the status. Raises the fault where there is none to be read."""
    ending = found.headers.get(_WEB + "error")
    if not ending:
        raise fault
    before, call.name = call.name, f"{fault.status}{ending}"
    try:
        with call.read() as tx:
            container = call.container_to_read(tx)
            row = objects.get_object(tx, container, call.name)
            content = reading.source(call, tx, container, row)
    except Fault:
        raise fault from None
    finally:
        call.name = before
    headers = {"content-type": row.content_type, "content-length": str(content.size), **fault.headers}
    body = b"" if call.rq.method == "HEAD" else content.body(0, content.size)
    return Response(body, fault.status, headers)
