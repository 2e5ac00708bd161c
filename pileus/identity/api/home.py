"""The JSON home (draft-nottingham-json-home): where every resource of this API is, under the names that clients know.

Most names are made of a path's words (`project_user_roles`); those that OpenStack chose differently are listed.
"""

import re
from functools import cache
from typing import Any

from pileus.identity.api.base import api

_REL = "https://docs.openstack.org/api/openstack-identity/3"
# path: its extension, if it is in one, and its name
_NAMED = {
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints": "OS-EP-FILTER endpoints_in_endpoint_group",
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects": (
        "OS-EP-FILTER projects_associated_with_endpoint_group"
    ),
    "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}": (
        "OS-EP-FILTER endpoint_group_to_project_association"
    ),
    "/v3/OS-FEDERATION/saml2/metadata": "OS-FEDERATION metadata",
    "/v3/OS-OAUTH1/access_token": "OS-OAUTH1 access_tokens",
    "/v3/OS-OAUTH1/authorize/{request_token_id}": "OS-OAUTH1 authorize_request_token",
    "/v3/OS-OAUTH1/request_token": "OS-OAUTH1 request_tokens",
    "/v3/OS-SIMPLE-CERT/ca": "OS-SIMPLE-CERT ca_certificate",
    "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso": (
        "OS-FEDERATION identity_providers_websso"
    ),
    "/v3/auth/OS-FEDERATION/saml2": "OS-FEDERATION saml2",
    "/v3/auth/OS-FEDERATION/saml2/ecp": "OS-FEDERATION ecp",
    "/v3/auth/OS-FEDERATION/websso/{protocol_id}": "OS-FEDERATION websso",
    "/v3/auth/tokens/OS-PKI/revoked": "OS-PKI revocations",
    "/v3/domains/config/default": " domain_config_default",
    "/v3/domains/config/{group}/default": " domain_config_default_group",
    "/v3/domains/config/{group}/{option}/default": " domain_config_default_option",
    "/v3/domains/{domain_id}/config/security_compliance": " domain_config_security_compliance",
    "/v3/domains/{domain_id}/config/security_compliance/{option}": " domain_config_security_compliance_option",
    "/v3/domains/{domain_id}/config/{group}": " domain_config_group",
    "/v3/domains/{domain_id}/config/{group}/{option}": " domain_config_option",
    "/v3/ec2tokens": "OS-EC2 ec2tokens",
    "/v3/limits/model": " limit_model",
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints/{endpoint_id}": (
        "OS-ENDPOINT-POLICY endpoint_policy_association"
    ),
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}": (
        "OS-ENDPOINT-POLICY service_policy_association"
    ),
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/services/{service_id}/regions/{region_id}": (
        "OS-ENDPOINT-POLICY region_and_service_policy_association"
    ),
    "/v3/roles/{role_id}/implies": " implied_roles",
    "/v3/roles/{role_id}/implies/{implied_role_id}": " implied_role",
    "/v3/s3tokens": "s3tokens s3tokens",
    "/v3/users/{user_id}/access_rules": " access_rules",
    "/v3/users/{user_id}/access_rules/{access_rule_id}": " access_rule",
    "/v3/users/{user_id}/application_credentials": " application_credentials",
    "/v3/users/{user_id}/application_credentials/{application_credential_id}": " application_credential",
    "/v3/users/{user_id}/credentials/OS-EC2": "OS-EC2 user_credentials",
    "/v3/users/{user_id}/credentials/OS-EC2/{access}": "OS-EC2 user_credential",
    "/v3/users/{user_id}/password": " user_change_password",
}


@cache
def home() -> dict[str, Any]:
    resources: dict[str, Any] = {}
    for path in sorted({route.path for route in api.routes if route.path.startswith("/v3/")}):
        extension, _, name = (_NAMED.get(path) or _named(path)).partition(" ")
        base = f"{_REL}/ext/{extension}/1.0" if extension else _REL
        variables = {name: f"{_REL}/param/{name}" for name in re.findall(r"\{(\w+)", path)}
        where: dict[str, Any] = {"href-template": path, "href-vars": variables} if variables else {"href": path}
        resources[f"{base}/rel/{name}"] = where
    return resources


def _named(path: str) -> str:
    words, extension = [], ""
    segments = path.split("/")[2:]
    for segment, following in zip(segments, [*segments[1:], ""], strict=True):
        if segment.startswith("OS-"):
            extension = segment
        elif not segment.startswith("{"):
            words.append(_singular(segment) if following.startswith("{") else segment)
    return f"{extension} {'_'.join(words)}"


def _singular(word: str) -> str:
    return word.removesuffix("ies") + "y" if word.endswith("ies") else word.removesuffix("s")
