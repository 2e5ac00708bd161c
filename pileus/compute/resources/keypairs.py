"""Key pairs, as clients send and see them."""

from pileus.core.fields import OPTIONAL, REQUIRED, Text
from pileus.core.resources import Resource

KEYPAIR = Resource(
    "keypair",
    [
        Text("name", create=REQUIRED, min=1, pattern=r"(?! )[a-zA-Z0-9_\-. @]*(?<! )"),
        Text("type", create=OPTIONAL, default="ssh", choices=["ssh", "x509"], since="2.2"),
        Text("public_key", create=REQUIRED, max=65535),  # since 2.92 pairs are made by their users alone
        Text("user_id", create=OPTIONAL, since="2.10"),
        Text("fingerprint"),
    ],
    earlier=[
        Text("name", create=REQUIRED, min=1, pattern=r"(?! )[a-zA-Z0-9_\- ]*(?<! )", until="2.91"),
        Text("public_key", create=OPTIONAL, max=65535, until="2.91"),
    ],
)
