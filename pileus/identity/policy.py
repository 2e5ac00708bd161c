"""Identity's rules, by OpenStack's names and with its default roles.

Three circles: administrators; readers of the whole system; and inside a domain its readers and its managers, who may
make users, groups and projects there and hand out the roles member, reader and manager. An administrator of a domain is
none of the cloud: where a rule names system and project, a token of a domain is refused whatever its roles.
"""

from pileus.core.policy import Rule
from pileus.identity.federation.policy import RULES as FEDERATION

ADMIN = "rule:admin_required"
SYSTEM_READER = "(role:reader and system_scope:all)"
READERS = f"{ADMIN} or {SYSTEM_READER}"
SYSTEM_ADMIN = "(role:admin and system_scope:all)"
OWNER = "user_id:%(user_id)s"  # spelled out: other services' rules of that name mean projects
IN_DOMAIN = "domain_id:%(target.{}.domain_id)s"


def _reader(where: str) -> str:
    return f"(role:reader and {where})"


def _manager(where: str) -> str:
    return f"{ADMIN} or (role:manager and {where})"


_OWN_DOMAIN = _reader("domain_id:%(target.domain_id)s")
_PROJECT_READERS = (
    f"{READERS} or (role:reader and {IN_DOMAIN.format('project')} and not None:%(target.project.domain_id)s) or "
    "project_id:%(target.project.id)s"
)
_PROJECT_MANAGERS = _manager(f"{IN_DOMAIN.format('project')} and not None:%(target.project.domain_id)s")
_USER_MANAGERS = _manager("token.domain.id:%(target.user.domain_id)s")
_GROUP_READERS = f"{READERS} or {_reader(IN_DOMAIN.format('group'))}"
_GROUP_MANAGERS = _manager(IN_DOMAIN.format("group"))
_BOTH_IN_DOMAIN = f"{IN_DOMAIN.format('group')} and {IN_DOMAIN.format('user')}"
_LIMIT_OWNER = (
    "domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s or "
    "(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)"
)
_SELF = "user_id:%(target.user.id)s"
_CREDENTIAL_OWNER = "user_id:%(target.credential.user_id)s"
_TRUSTOR, _TRUSTEE = "user_id:%(target.trust.trustor_user_id)s", "user_id:%(target.trust.trustee_user_id)s"


def _grants(role: str) -> str:
    """Actor and target both in the caller's domain."""
    pairs = [
        f"({IN_DOMAIN.format(actor)} and {target})"
        for actor in ("user", "group")
        for target in (IN_DOMAIN.format("project"), "domain_id:%(target.domain.id)s")
    ]
    return f"(role:{role} and ({' or '.join(pairs)}))"


_ROLE_IN_DOMAIN = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
_GRANT_READERS = f"{READERS} or ({_grants('reader')} and {_ROLE_IN_DOMAIN})"
_GRANT_MANAGERS = (
    f"{ADMIN} or ({_grants('admin')} and {_ROLE_IN_DOMAIN}) or "
    f"({_grants('manager')} and rule:domain_managed_target_role)"
)


_FOR, _ENDPOINTS = "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY", "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"
SCOPES = {"system", "domain", "project"}


def _rules(table: str) -> list[Rule]:
    """A line each: name, method and path; then, indented, the scopes a token may have and the check, for all names above."""
    found: list[Rule] = []
    waiting: list[tuple[str, str]] = []
    for line in table.splitlines():
        if line.startswith("    "):
            words, _, check = line.strip().partition(": ")
            scopes = () if words == "any" else tuple(words.split())
            if not check or set(scopes) - SCOPES:
                raise ValueError(f"{line.strip()}: begins with the scopes a token may have, or with any, and a colon")
            found.extend(Rule(f"identity:{name}", check, "", (where,), scopes) for name, where in waiting)
            waiting.clear()
        elif line.strip():
            name, _, where = line.partition(" ")
            waiting.append((name, where.strip()))
    return found


RULES = [
    # the words that operators' own policy files build on
    Rule("admin_required", "role:admin or is_admin:1"),
    Rule("service_role", "role:service"),
    Rule("service_or_admin", "rule:admin_required or rule:service_role"),
    Rule("owner", OWNER),
    Rule("admin_or_owner", "rule:admin_required or rule:owner"),
    Rule("token_subject", "user_id:%(target.token.user_id)s"),
    Rule("admin_or_token_subject", "rule:admin_required or rule:token_subject"),
    Rule("service_admin_or_token_subject", "rule:service_or_admin or rule:token_subject"),
    # of a call that is no more; operators' files may name it
    Rule("identity:revocation_list", "rule:service_or_admin", scopes=("system", "project")),
    # list_trusts_of_anybody is ours: whose trusts a list is about decides which of OpenStack's three rules is asked
    Rule(
        "domain_managed_target_role",
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
        "The roles that a domain's manager may hand out.",
    ),
    *_rules(f"""
validate_token GET /v3/auth/tokens
    any: {READERS} or rule:service_role or rule:token_subject
check_token HEAD /v3/auth/tokens
    any: {READERS} or rule:token_subject
revoke_token DELETE /v3/auth/tokens
    any: {ADMIN} or rule:token_subject
get_auth_catalog GET /v3/auth/catalog
get_auth_projects GET /v3/auth/projects
get_auth_domains GET /v3/auth/domains
list_projects_for_user GET /v3/OS-FEDERATION/projects
list_domains_for_user GET /v3/OS-FEDERATION/domains
get_auth_system GET /v3/auth/system
list_trusts_of_anybody GET /v3/OS-TRUST/trusts
list_regions GET /v3/regions
get_region GET /v3/regions/{{region_id}}
get_security_compliance_domain_config GET /v3/domains/{{domain_id}}/config/security_compliance
list_registered_limits GET /v3/registered_limits
get_registered_limit GET /v3/registered_limits/{{registered_limit_id}}
list_limits GET /v3/limits
get_limit_model GET /v3/limits/model
    any: @
get_limit GET /v3/limits/{{limit_id}}
    any: {READERS} or {_LIMIT_OWNER}
create_region POST /v3/regions
update_region PATCH /v3/regions/{{region_id}}
delete_region DELETE /v3/regions/{{region_id}}
create_service POST /v3/services
update_service PATCH /v3/services/{{service_id}}
delete_service DELETE /v3/services/{{service_id}}
create_endpoint POST /v3/endpoints
update_endpoint PATCH /v3/endpoints/{{endpoint_id}}
delete_endpoint DELETE /v3/endpoints/{{endpoint_id}}
create_domain POST /v3/domains
update_domain PATCH /v3/domains/{{domain_id}}
delete_domain DELETE /v3/domains/{{domain_id}}
create_role POST /v3/roles
update_role PATCH /v3/roles/{{role_id}}
delete_role DELETE /v3/roles/{{role_id}}
create_domain_role POST /v3/roles
update_domain_role PATCH /v3/roles/{{role_id}}
delete_domain_role DELETE /v3/roles/{{role_id}}
create_implied_role PUT /v3/roles/{{role_id}}/implies/{{implied_role_id}}
delete_implied_role DELETE /v3/roles/{{role_id}}/implies/{{implied_role_id}}
create_system_grant_for_user PUT /v3/system/users/{{user_id}}/roles/{{role_id}}
revoke_system_grant_for_user DELETE /v3/system/users/{{user_id}}/roles/{{role_id}}
create_system_grant_for_group PUT /v3/system/groups/{{group_id}}/roles/{{role_id}}
revoke_system_grant_for_group DELETE /v3/system/groups/{{group_id}}/roles/{{role_id}}
create_policy POST /v3/policies
update_policy PATCH /v3/policies/{{policy_id}}
delete_policy DELETE /v3/policies/{{policy_id}}
create_policy_association_for_endpoint PUT {_FOR}/endpoints/{{endpoint_id}}
delete_policy_association_for_endpoint DELETE {_FOR}/endpoints/{{endpoint_id}}
create_policy_association_for_service PUT {_FOR}/services/{{service_id}}
delete_policy_association_for_service DELETE {_FOR}/services/{{service_id}}
create_policy_association_for_region_and_service PUT {_FOR}/services/{{service_id}}/regions/{{region_id}}
delete_policy_association_for_region_and_service DELETE {_FOR}/services/{{service_id}}/regions/{{region_id}}
create_endpoint_group POST /v3/OS-EP-FILTER/endpoint_groups
update_endpoint_group PATCH {_ENDPOINTS}
delete_endpoint_group DELETE {_ENDPOINTS}
add_endpoint_group_to_project PUT {_ENDPOINTS}/projects/{{project_id}}
remove_endpoint_group_from_project DELETE {_ENDPOINTS}/projects/{{project_id}}
add_endpoint_to_project PUT /v3/OS-EP-FILTER/projects/{{project_id}}/endpoints/{{endpoint_id}}
remove_endpoint_from_project DELETE /v3/OS-EP-FILTER/projects/{{project_id}}/endpoints/{{endpoint_id}}
create_domain_config PUT /v3/domains/{{domain_id}}/config
update_domain_config PATCH /v3/domains/{{domain_id}}/config
delete_domain_config DELETE /v3/domains/{{domain_id}}/config
create_registered_limits POST /v3/registered_limits
update_registered_limit PATCH /v3/registered_limits/{{registered_limit_id}}
delete_registered_limit DELETE /v3/registered_limits/{{registered_limit_id}}
create_limits POST /v3/limits
update_limit PATCH /v3/limits/{{limit_id}}
delete_limit DELETE /v3/limits/{{limit_id}}
create_consumer POST /v3/OS-OAUTH1/consumers
update_consumer PATCH /v3/OS-OAUTH1/consumers/{{consumer_id}}
delete_consumer DELETE /v3/OS-OAUTH1/consumers/{{consumer_id}}
    system project: {ADMIN}
authorize_request_token PUT /v3/OS-OAUTH1/authorize/{{request_token_id}}
list_access_tokens GET /v3/users/{{user_id}}/OS-OAUTH1/access_tokens
get_access_token GET /v3/users/{{user_id}}/OS-OAUTH1/access_tokens/{{access_token_id}}
delete_access_token DELETE /v3/users/{{user_id}}/OS-OAUTH1/access_tokens/{{access_token_id}}
list_access_token_roles GET /v3/users/{{user_id}}/OS-OAUTH1/access_tokens/{{access_token_id}}/roles
get_access_token_role GET /v3/users/{{user_id}}/OS-OAUTH1/access_tokens/{{access_token_id}}/roles/{{role_id}}
    project: {ADMIN}
list_services GET /v3/services
get_service GET /v3/services/{{service_id}}
list_endpoints GET /v3/endpoints
get_endpoint GET /v3/endpoints/{{endpoint_id}}
list_domain_roles GET /v3/roles?domain_id={{domain_id}}
get_domain_role GET /v3/roles/{{role_id}}
list_implied_roles GET /v3/roles/{{role_id}}/implies
get_implied_role GET /v3/roles/{{role_id}}/implies/{{implied_role_id}}
check_implied_role HEAD /v3/roles/{{role_id}}/implies/{{implied_role_id}}
list_role_inference_rules GET /v3/role_inferences
list_system_grants_for_user GET /v3/system/users/{{user_id}}/roles
check_system_grant_for_user GET /v3/system/users/{{user_id}}/roles/{{role_id}}
list_system_grants_for_group GET /v3/system/groups/{{group_id}}/roles
check_system_grant_for_group GET /v3/system/groups/{{group_id}}/roles/{{role_id}}
list_consumers GET /v3/OS-OAUTH1/consumers
get_consumer GET /v3/OS-OAUTH1/consumers/{{consumer_id}}
check_policy_association_for_endpoint GET {_FOR}/endpoints/{{endpoint_id}}
check_policy_association_for_service GET {_FOR}/services/{{service_id}}
check_policy_association_for_region_and_service GET {_FOR}/services/{{service_id}}/regions/{{region_id}}
get_policy_for_endpoint GET /v3/endpoints/{{endpoint_id}}/OS-ENDPOINT-POLICY/policy
list_endpoints_for_policy GET {_FOR}/endpoints
list_endpoint_groups GET /v3/OS-EP-FILTER/endpoint_groups
get_endpoint_group GET {_ENDPOINTS}
list_projects_associated_with_endpoint_group GET {_ENDPOINTS}/projects
list_endpoints_associated_with_endpoint_group GET {_ENDPOINTS}/endpoints
get_endpoint_group_in_project GET {_ENDPOINTS}/projects/{{project_id}}
list_endpoint_groups_for_project GET /v3/OS-EP-FILTER/projects/{{project_id}}/endpoint_groups
list_projects_for_endpoint GET /v3/OS-EP-FILTER/endpoints/{{endpoint_id}}/projects
check_endpoint_in_project GET /v3/OS-EP-FILTER/projects/{{project_id}}/endpoints/{{endpoint_id}}
list_endpoints_for_project GET /v3/OS-EP-FILTER/projects/{{project_id}}/endpoints
get_domain_config GET /v3/domains/{{domain_id}}/config
get_domain_config_default GET /v3/domains/config/default
list_policies GET /v3/policies
get_policy GET /v3/policies/{{policy_id}}
list_trusts GET /v3/OS-TRUST/trusts
    system project: {READERS}
list_roles GET /v3/roles
    any: {READERS} or (role:manager and not domain_id:None)
get_role GET /v3/roles/{{role_id}}
    any: {READERS} or (role:manager and rule:domain_managed_target_role)
get_domain GET /v3/domains/{{domain_id}}
    any: {READERS} or token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s
list_domains GET /v3/domains
    any: {READERS} or {_reader("domain_id:%(target.domain.id)s")}
list_projects GET /v3/projects
list_users GET /v3/users
list_role_assignments GET /v3/role_assignments
list_role_assignments_for_tree GET /v3/role_assignments?include_subtree
    any: {READERS} or {_OWN_DOMAIN}
get_project GET /v3/projects/{{project_id}}
list_project_tags GET /v3/projects/{{project_id}}/tags
get_project_tag GET /v3/projects/{{project_id}}/tags/{{tag}}
    any: {_PROJECT_READERS}
create_project POST /v3/projects
update_project PATCH /v3/projects/{{project_id}}
delete_project DELETE /v3/projects/{{project_id}}
update_project_tags PUT /v3/projects/{{project_id}}/tags
delete_project_tags DELETE /v3/projects/{{project_id}}/tags
create_project_tag PUT /v3/projects/{{project_id}}/tags/{{tag}}
delete_project_tag DELETE /v3/projects/{{project_id}}/tags/{{tag}}
    any: {_PROJECT_MANAGERS}
get_user GET /v3/users/{{user_id}}
    any: {READERS} or (role:reader and token.domain.id:%(target.user.domain_id)s) or {_SELF}
list_user_projects GET /v3/users/{{user_id}}/projects
    any: {READERS} or {_reader(IN_DOMAIN.format("user"))} or {_SELF}
list_groups_for_user GET /v3/users/{{user_id}}/groups
    any: {READERS} or {_reader(IN_DOMAIN.format("user"))} or {OWNER}
create_user POST /v3/users
update_user PATCH /v3/users/{{user_id}}
delete_user DELETE /v3/users/{{user_id}}
    any: {_USER_MANAGERS}
list_groups GET /v3/groups
get_group GET /v3/groups/{{group_id}}
list_users_in_group GET /v3/groups/{{group_id}}/users
    any: {_GROUP_READERS}
create_group POST /v3/groups
update_group PATCH /v3/groups/{{group_id}}
delete_group DELETE /v3/groups/{{group_id}}
    any: {_GROUP_MANAGERS}
check_user_in_group GET /v3/groups/{{group_id}}/users/{{user_id}}
    any: {READERS} or {_reader(_BOTH_IN_DOMAIN)}
add_user_to_group PUT /v3/groups/{{group_id}}/users/{{user_id}}
remove_user_from_group DELETE /v3/groups/{{group_id}}/users/{{user_id}}
    any: {_manager(_BOTH_IN_DOMAIN)}
check_grant GET /v3/projects/{{project_id}}/users/{{user_id}}/roles/{{role_id}}
    any: {_GRANT_READERS}
list_grants GET /v3/projects/{{project_id}}/users/{{user_id}}/roles
    any: {READERS} or {_grants("reader")}
create_grant PUT /v3/projects/{{project_id}}/users/{{user_id}}/roles/{{role_id}}
revoke_grant DELETE /v3/projects/{{project_id}}/users/{{user_id}}/roles/{{role_id}}
    any: {_GRANT_MANAGERS}
get_credential GET /v3/credentials/{{credential_id}}
list_credentials GET /v3/credentials
    any: {READERS} or {_CREDENTIAL_OWNER}
create_credential POST /v3/credentials
update_credential PATCH /v3/credentials/{{credential_id}}
delete_credential DELETE /v3/credentials/{{credential_id}}
    any: {ADMIN} or {_CREDENTIAL_OWNER}
ec2_get_credential GET /v3/users/{{user_id}}/credentials/OS-EC2/{{credential_id}}
    system project: {READERS} or {_CREDENTIAL_OWNER}
ec2_list_credentials GET /v3/users/{{user_id}}/credentials/OS-EC2
    system project: {READERS} or {OWNER}
ec2_create_credential POST /v3/users/{{user_id}}/credentials/OS-EC2
ec2_delete_credential DELETE /v3/users/{{user_id}}/credentials/OS-EC2/{{credential_id}}
    system project: {ADMIN} or (role:member and {_CREDENTIAL_OWNER})
ec2tokens_validate POST /v3/ec2tokens
s3tokens_validate POST /v3/s3tokens
    any: rule:service_or_admin
list_revoke_events GET /v3/OS-REVOKE/events
    system project: rule:service_or_admin
create_trust POST /v3/OS-TRUST/trusts
    project: {_TRUSTOR}
list_trusts_for_trustor GET /v3/OS-TRUST/trusts?trustor_user_id={{trustor_user_id}}
    system project: {READERS} or {_TRUSTOR}
list_trusts_for_trustee GET /v3/OS-TRUST/trusts?trustee_user_id={{trustee_user_id}}
    system project: {READERS} or {_TRUSTEE}
get_trust GET /v3/OS-TRUST/trusts/{{trust_id}}
list_roles_for_trust GET /v3/OS-TRUST/trusts/{{trust_id}}/roles
get_role_for_trust GET /v3/OS-TRUST/trusts/{{trust_id}}/roles/{{role_id}}
    system project: {READERS} or {_TRUSTOR} or {_TRUSTEE}
delete_trust DELETE /v3/OS-TRUST/trusts/{{trust_id}}
    system project: {ADMIN} or {_TRUSTOR}
list_application_credentials GET /v3/users/{{user_id}}/application_credentials
get_application_credential GET /v3/users/{{user_id}}/application_credentials/{{application_credential_id}}
    system project: {READERS} or {OWNER}
list_access_rules GET /v3/users/{{user_id}}/access_rules
get_access_rule GET /v3/users/{{user_id}}/access_rules/{{access_rule_id}}
    system project: {SYSTEM_READER} or {_SELF}
delete_access_rule DELETE /v3/users/{{user_id}}/access_rules/{{access_rule_id}}
    system project: {SYSTEM_ADMIN} or {_SELF}
create_application_credential POST /v3/users/{{user_id}}/application_credentials
    project: {OWNER}
delete_application_credential DELETE /v3/users/{{user_id}}/application_credentials/{{application_credential_id}}
    system project: {ADMIN} or {OWNER}
"""),
    *FEDERATION,
]
