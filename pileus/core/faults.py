"""How each service words a refusal: one function a service, status and body chosen here and nowhere else."""

import html
from typing import Any

from pileus.core.errors import Fault

Body = tuple[int, Any]  # status; a dict is JSON, a str is HTML

_COMPUTE_WORDS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def identity(fault: Fault) -> Body:
    """Identity API v3, "Errors"."""
    body = {"code": fault.status, "title": fault.title, "message": fault.message, **fault.extra}
    return fault.status, {"error": body}


def compute(fault: Fault) -> Body:
    """Compute API guide, "Faults"."""
    word = _COMPUTE_WORDS.get(fault.status, "computeFault")
    return fault.status, {word: {"code": fault.status, "message": fault.message, **fault.extra}}


def block_storage(fault: Fault) -> Body:
    """Compute's form; what is over a quota is too large."""
    status = 413 if fault.kind == "OverQuota" else fault.status
    word = _COMPUTE_WORDS.get(status, "computeFault")
    return status, {word: {"code": status, "message": fault.message, **fault.extra}}


def network(fault: Fault) -> Body:
    """Networking API v2.0, "Faults": NeutronError with a type that clients switch on."""
    status = 409 if fault.kind == "OverQuota" else fault.status
    return status, {"NeutronError": {"type": fault.kind, "message": fault.message, "detail": ""}}


def image(fault: Fault) -> Body:
    """The image service answers errors in HTML, whatever was asked for."""
    status = 413 if fault.kind == "OverQuota" else fault.status
    title = f"{status} {fault.title if status == fault.status else 'Request Entity Too Large'}"
    text = html.escape(fault.message)
    return status, (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n"
        f" <body>\n  <h1>{title}</h1>\n  {text}<br /><br />\n\n </body>\n</html>"
    )


def object_storage(fault: Fault) -> Body:
    """The sentence alone, as text; clients look at the status."""
    fault.headers.setdefault("content-type", "text/plain; charset=UTF-8")
    return fault.status, fault.message.encode(errors="replace")


def placement(fault: Fault) -> Body:
    """API-SIG "Errors" form."""
    error = {"status": fault.status, "title": fault.title, "detail": fault.message, **fault.extra}
    return fault.status, {"errors": [error]}
