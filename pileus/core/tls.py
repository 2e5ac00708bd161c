"""How servers elsewhere prove who they are, when we are their client."""

import ssl
from functools import cache


@cache
def trust(ca_file: str | None = None) -> ssl.SSLContext:
    """The machine's certificate authorities, or those of a file; read once a process: it takes a tenth of a second."""
    return ssl.create_default_context(cafile=ca_file)
