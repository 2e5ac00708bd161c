"""Ways to a guest's screen and serial line (Compute API, "Server consoles"), and the websocket they lead to."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from pileus.compute import consoles
from pileus.compute.api.base import api, root
from pileus.compute.api.server_actions import PATH, arguments
from pileus.compute.api.servers import server
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import REQUIRED, Text
from pileus.core.microversions import Version
from pileus.core.resources import Resource
from pileus.core.routes import PUBLIC
from pileus.core.wire import FileBody, Request, Response

RULE = "os_compute_api"
STREAM = "compute/console"
NOVNC = Path("/usr/share/novnc")  # where distributions put the page that shows a screen in a browser
NO_PAGE = """<!DOCTYPE html>
<html lang="en"><title>noVNC</title>
<p>noVNC is not installed on this controller (package <code>novnc</code>): let a client of your own speak RFB over the
websocket that this page's address names.
<p>The guest's screen <span id="answer">does not answer.</span>
<script>
const path = new URLSearchParams(location.search).get("path");
const guest = new WebSocket(location.origin.replace("http", "ws") + "/" + path, "binary");
guest.onmessage = async event => {
  document.getElementById("answer").textContent = "answers: " + await event.data.text();
  guest.close();
};
</script>
</html>
"""
MEDIA = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".png": "image/png", ".json": "application/json", ".oga": "audio/ogg", ".mp3": "audio/mpeg", ".ico": "image/x-icon",
}  # fmt: skip

OLD = {"os-getVNCConsole": "novnc", "os-getSPICEConsole": "spice-html5", "os-getRDPConsole": "rdp-html5",
       "os-getSerialConsole": "serial"}  # fmt: skip
TYPES = {
    "vnc": ("novnc", "xvpvnc"), "spice": ("spice-html5", "spice-direct"), "rdp": ("rdp-html5",), "serial": ("serial",),
    "mks": ("webmks",),
}  # fmt: skip
OLDEST = ("novnc", "xvpvnc", "spice-html5", "rdp-html5", "serial")
CONSOLE = Resource(
    "remote_console",
    [
        Text("protocol", create=REQUIRED, choices=TYPES),
        Text("type", create=REQUIRED, choices=[*OLDEST, "webmks", "spice-direct"]),
    ],
    earlier=[
        Text("protocol", create=REQUIRED, choices=[name for name in TYPES if name != "mks"], until="2.7"),
        Text("type", create=REQUIRED, choices=OLDEST, until="2.7"),
        Text("type", create=REQUIRED, choices=[*OLDEST, "webmks"], since="2.8", until="2.98"),
    ],
)


def _open(rq: Request, found: Server, type: str) -> dict[str, str]:
    """The URL that leads to a console: a page for a browser, or the websocket itself. Raises BadRequest, Conflict."""
    if type not in consoles.KINDS:
        raise BadRequest(f"Unavailable console type {type}.", kind="ConsoleTypeUnavailable")
    stream = f"{STREAM}?token={consoles.make_token(rq.tx, found, type)}"
    settings, nodes = rq.cloud.settings, rq.cloud.drivers["compute"]
    base = settings.url if found.host in nodes.fakes else settings.bodies_url  # a fake lives in this process alone
    path = f"path={quote(stream, safe='')}"
    if type == "serial":  # its `path` is for clients that look for the stream there as noVNC does
        return {"type": type, "url": f"{base.replace('http', 'ws', 1)}/{stream}&{path}"}
    return {"type": type, "url": f"{base}/compute/novnc/vnc_lite.html?{path}"}


@api.post("/servers/{server_id}/remote-consoles", policy=f"{RULE}:os-remote-consoles", on=server, since="2.6")
def create_console(rq: Request, found: Server) -> dict[str, Any]:
    """Open a guest's screen (novnc) or serial line."""
    given = CONSOLE.parse_create(rq)
    if given["type"] not in TYPES[given["protocol"]]:
        raise BadRequest(f"Invalid input for field/attribute type. {given['protocol']} has no {given['type']}.")
    return {"remote_console": {"protocol": given["protocol"], **_open(rq, found, given["type"])}}


def _old_console(action: str) -> None:
    @api.do(PATH, action, policy=f"{RULE}:os-remote-consoles", on=server, status=200, until="2.5")
    def open_console(rq: Request, found: Server) -> dict[str, Any]:
        """Open a guest's screen or serial line, one action for each kind."""
        type = arguments(rq, action, "type").get("type")
        if not isinstance(type, str):
            raise BadRequest("Invalid input for field/attribute type. It must be a string.")
        return {"console": _open(rq, found, type[:50] if type == OLD[action] else f"{type[:50]} of {action}")}


for _action in OLD:
    _old_console(_action)


@api.get("/os-console-auth-tokens/{token}", policy=f"{RULE}:os-console-auth-tokens", since="2.31")
def show_console_token(rq: Request) -> dict[str, Any]:
    """Show where a console's token leads."""
    if rq.version >= Version(2, 99) and rq.query_string:
        raise BadRequest("Additional properties are not allowed in the query.")
    token = consoles.get_token(rq.tx, rq.params["token"])
    host = rq.tx.get(Server, id=token.server_id).host
    # nothing listens on a port of the host: this is the controller's, to which its clients connect
    port = rq.cloud.settings.port + 1
    return {"console": {"instance_uuid": token.server_id, "host": host, "port": port, "internal_access_path": None}}


# -- what the URLs lead to: guarded by their tokens alone --------------------------------------------------------------


@root.socket("/console", policy=PUBLIC)
def connect_console(rq: Request) -> Response:
    """Join a websocket to a guest's screen or serial line."""
    return Response(consoles.connect(rq.cloud, rq.query.get("token") or ""), 101)


@root.get("/novnc/{file:path}", policy=PUBLIC, tx="")
def show_novnc(rq: Request) -> Response:
    """Show noVNC's page, where the distribution's package of it is installed."""
    name = rq.params["file"].replace("\0", "")
    path = (NOVNC / name[:200]).resolve()
    if path.is_relative_to(NOVNC) and path.is_file() and path.suffix in MEDIA:
        return Response(FileBody(path), 200, {"content-type": MEDIA[path.suffix]})
    if not NOVNC.is_dir() and name.endswith(".html"):
        return Response(NO_PAGE, 200, {"content-type": MEDIA[".html"]})
    raise NotFound("The resource could not be found.")
