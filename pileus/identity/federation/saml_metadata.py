"""What an identity provider's own metadata says of it, as `federation.json` has it. An operator reads it, once."""

import base64
import binascii
import textwrap
from typing import Any

from lxml import etree

from pileus.identity.federation.saml import METADATA, PROTOCOL, SIGNATURE
from pileus.identity.federation.saml_asking import BY_REDIRECT
from pileus.identity.federation.saml_reading import safe_parser
from pileus.identity.federation.settings import Saml


def read(data: bytes, entity_id: str = "") -> Saml:
    """The one identity provider in it, or the one of this name. Raises ValueError, with a sentence."""
    try:
        root = etree.fromstring(data, safe_parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(f"it is no XML: {error}") from None
    roles = {
        entity.get("entityID", ""): role
        for entity in root.iter(f"{{{METADATA}}}EntityDescriptor")
        for role in entity.findall(f"{{{METADATA}}}IDPSSODescriptor")
        if PROTOCOL in role.get("protocolSupportEnumeration", "").split()
    }
    if entity_id and entity_id not in roles:
        raise ValueError(f"it has no identity provider {entity_id} that speaks SAML 2.0")
    if not roles:
        raise ValueError("it has no identity provider that speaks SAML 2.0")
    if not entity_id and len(roles) > 1:
        raise ValueError(f"it has {len(roles)} identity providers: say which is meant, by its entity id")
    name = entity_id or next(iter(roles))
    certificates = _certificates(roles[name])
    if not certificates:
        raise ValueError(f"it has no certificate that {name} signs with")
    return Saml(entity_id=name, certificates=certificates, sso_url=_address(roles[name]))


def _certificates(role: Any) -> list[str]:
    found = []
    for key in role.findall(f"{{{METADATA}}}KeyDescriptor"):
        if key.get("use", "signing") == "signing":
            found += [_pem(element.text or "") for element in key.iter(f"{{{SIGNATURE}}}X509Certificate")]
    return found


def _pem(text: str) -> str:
    packed = "".join(text.split())
    try:
        base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("one of its certificates is no base64") from None
    lines = "\n".join(textwrap.wrap(packed, 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _address(role: Any) -> str:
    """Where browsers are redirected to; "" where it takes none."""
    for service in role.findall(f"{{{METADATA}}}SingleSignOnService"):
        if service.get("Binding") == BY_REDIRECT:
            return str(service.get("Location", ""))
    return ""
