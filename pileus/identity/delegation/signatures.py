"""Signatures of requests in the manner of Amazon's APIs: versions 1, 2 and 4 of EC2's, and those of S3's.

A service that was sent such a request passes on what was signed; here it is signed again with the secret and compared.
Version 4 is described in AWS's "Signature Version 4 signing process", 1 and 2 in the archived EC2 developer guides.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from pileus.core import clock
from pileus.core.errors import BadRequest, Unauthorized

V4 = "AWS4-HMAC-SHA256"
SECONDS = 900  # after its timestamp that a signature is good for
_S3_SERVICES = ("s3", "iam", "sts")
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


class Request(msgspec.Struct):
    """What was signed with a secret that only the signer and the cloud know, and the signature."""

    access: str
    signature: str = ""
    host: str = ""
    verb: str = ""
    path: str = "/"
    params: dict[str, str] = {}
    headers: dict[str, str] = {}
    body_hash: str = ""
    token: str = ""  # S3: the string that was signed, in base 64


def parse(body: dict[str, Any]) -> Request:
    """From a body's `credentials`, or an older name of it. Raises BadRequest, or Unauthorized without an access key."""
    if not body:
        raise BadRequest("The request must have a body.")
    given: Any = next((body[name] for name in ("credentials", "credential", "ec2Credentials") if body.get(name)), {})
    if not isinstance(given, dict) or not given.get("access"):
        raise Unauthorized("The request has no EC2 signature.")
    plain = {name: value for name, value in given.items() if value is not None}
    for name in ("params", "headers"):
        if isinstance(plain.get(name), dict):
            plain[name] = {key: value if isinstance(value, str) else _text(value) for key, value in plain[name].items()}
    try:
        return msgspec.convert(plain, Request)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'credentials': {error}") from None


def _text(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    raise BadRequest("Invalid input for field 'credentials': params and headers are texts.")


def check_ec2(rq: Request, secret: str) -> None:
    """Raises Unauthorized, or BadRequest for a signature of no known version."""
    if not rq.signature:
        raise Unauthorized("The request has no EC2 signature.")
    hosts = [rq.host]
    bare, colon, port = rq.host.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        hosts.append(bare)  # some clients sign without the port
    for host in hosts:
        if _same(rq.signature, _sign_ec2(rq, host, secret)):
            return
    raise Unauthorized("The EC2 signature is not right.")


def check_s3(rq: Request, secret: str) -> None:
    """Raises Unauthorized."""
    try:
        text = base64.urlsafe_b64decode(rq.token)
    except (binascii.Error, ValueError):
        raise Unauthorized("The string that was signed cannot be decoded.") from None
    if text.startswith(b"AWS4"):
        expected = _sign_s3_v4(text, secret)
    else:
        expected = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha1).digest()).decode()
    if not _same(rq.signature, expected):
        raise Unauthorized("The signature is not right.")


def check_time(rq: Request) -> None:
    """A signature that says when it was made is good for a quarter of an hour. Raises Unauthorized."""
    stamp = rq.params.get("Timestamp") or _header(rq, "x-amz-date") or rq.params.get("X-Amz-Date")
    if not stamp:
        return
    try:
        made = clock.canonical(stamp)
    except (ValueError, OverflowError):
        raise Unauthorized("The signature's timestamp cannot be read.") from None
    if made < clock.after(-SECONDS):
        raise Unauthorized("The signature has expired.")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _header(rq: Request, name: str) -> str | None:
    return next((value for key, value in rq.headers.items() if key.lower().strip() == name), None)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(errors="replace"), hashlib.sha256).digest()


# -- EC2 -----------------------------------------------------------------------------------------------------------------


def _sign_ec2(rq: Request, host: str, secret: str) -> str:
    version = rq.params.get("SignatureVersion")
    if version == "1":
        return _sign_1(rq.params, secret)
    if version == "2":
        return _sign_2(rq, host, secret)
    if version is None and (
        rq.headers.get("Authorization", "").startswith(V4) or rq.params.get("X-Amz-Algorithm") == V4
    ):
        return _sign_4(rq, secret)
    # version 0 signs no more than the action and the time
    raise BadRequest("The signature is of no version that is known: 1, 2 and 4 are.")


def _sign_1(params: Mapping[str, str], secret: str) -> str:
    signed = "".join(key + params[key] for key in sorted(params, key=str.lower) if key != "Signature")
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(errors="replace"), hashlib.sha1).digest()).decode()


def _sign_2(rq: Request, host: str, secret: str) -> str:
    params = {**rq.params, "SignatureMethod": "HmacSHA256"}
    text = f"{rq.verb}\n{host}\n{rq.path}\n{_query(params)}"
    return base64.b64encode(_hmac(secret.encode(), text)).decode()


def _query(params: Mapping[str, str]) -> str:
    pairs = sorted((_quoted(key), _quoted(value)) for key, value in params.items() if key not in _SIGNATURES)
    return "&".join(f"{key}={value}" for key, value in pairs)


_SIGNATURES = ("Signature", "X-Amz-Signature")  # which nobody can have signed


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~", errors="replace")


def _sign_4(rq: Request, secret: str) -> str:
    """Raises Unauthorized when what was sent contradicts itself."""
    credential, signed = _said(rq, "Credential"), _said(rq, "SignedHeaders")
    _, *scope = credential.split("/")
    stamp = _header(rq, "x-amz-date") or rq.params.get("X-Amz-Date") or ""
    if len(scope) != 4 or scope[3] != "aws4_request" or not _STAMP.fullmatch(stamp) or not stamp.startswith(scope[0]):
        raise Unauthorized("The signature's date or scope is not right.")
    headers = {key.lower().strip(): " ".join(value.split()) for key, value in rq.headers.items()}
    listed = "".join(f"{name}:{headers[name]}\n" for name in signed.split(";") if name in headers)
    query = "" if rq.verb.upper() == "POST" else _query(rq.params)
    canonical = "\n".join((rq.verb.upper(), rq.path, query, listed, signed, rq.body_hash))
    digest = hashlib.sha256(canonical.encode(errors="replace")).hexdigest()
    text = "\n".join((V4, stamp, "/".join(scope), digest))
    return _hmac(_key_4(secret, scope), text).hex()


def _said(rq: Request, name: str) -> str:
    """A part of the Authorization header, or the parameter that stands for it."""
    header = rq.headers.get("Authorization")
    if header is None:
        return rq.params.get(f"X-Amz-{name}", "")
    found = re.search(rf"\b{name}=([^,\s]*)", header)
    return found[1] if found else ""


def _key_4(secret: str, scope: list[str]) -> bytes:
    """The key for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = _hmac(key, part)
    return key


def _sign_s3_v4(text: bytes, secret: str) -> str:
    lines = text.decode("utf-8", "replace").split("\n")
    scope = lines[2].split("/") if len(lines) == 4 else []
    if lines[0] != V4 or len(scope) != 4 or scope[3] != "aws4_request" or scope[2] not in _S3_SERVICES:
        raise Unauthorized("The string that was signed is not right.")
    return hmac.new(_key_4(secret, scope), text, hashlib.sha256).hexdigest()
