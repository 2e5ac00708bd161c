"""Compute's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

READER, MEMBER, MANAGER = (
    "rule:project_reader_or_admin",
    "rule:project_member_or_admin",
    "rule:project_manager_or_admin",
)
ADMIN, EVERYBODY = "rule:context_is_admin", "@"
READERS = "role:reader or rule:context_is_admin"

BASE = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_or_owner", "rule:context_is_admin or project_id:%(project_id)s"),
    Rule("admin_api", "rule:context_is_admin"),
    Rule("project_member_api", "role:member and project_id:%(project_id)s"),
    Rule("project_reader_api", "role:reader and project_id:%(project_id)s"),
    Rule("project_manager_api", "role:manager and project_id:%(project_id)s"),
    Rule("project_member_or_admin", "rule:project_member_api or rule:context_is_admin"),
    Rule("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin"),
    Rule("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin"),
]

ACTION = "POST /servers/{server_id}/action"

# (name below os_compute_api, who, why, method and path)
TABLE = [
    *(
        (f"os-keypairs:{verb}", "role:admin or user_id:%(user_id)s", "A key pair belongs to its user.", operation)
        for verb, operation in [
            ("index", "GET /os-keypairs"),
            ("create", "POST /os-keypairs"),
            ("show", "GET /os-keypairs/{name}"),
            ("delete", "DELETE /os-keypairs/{name}"),
        ]
    ),
    ("os-flavor-access", EVERYBODY, "Public flavors are everybody's to see; private ones their projects'.",
     "GET /flavors/{flavor_id}"),
    ("os-flavor-access:add_tenant_access", ADMIN, "", "POST /flavors/{flavor_id}/action"),
    ("os-flavor-access:remove_tenant_access", ADMIN, "", "POST /flavors/{flavor_id}/action"),
    ("os-flavor-access:list", ADMIN, "", "GET /flavors/{flavor_id}/os-flavor-access"),
    ("os-flavor-manage:create", ADMIN, "Flavors decide what hosts are filled with.", "POST /flavors"),
    ("os-flavor-manage:update", ADMIN, "", "PUT /flavors/{flavor_id}"),
    ("os-flavor-manage:delete", ADMIN, "", "DELETE /flavors/{flavor_id}"),
    ("os-flavor-extra-specs:index", READERS, "Extra specs are shown with the flavor, which is no project's.",
     "GET /flavors/{flavor_id}/os-extra_specs"),
    ("os-flavor-extra-specs:show", READERS, "", "GET /flavors/{flavor_id}/os-extra_specs/{key}"),
    ("os-flavor-extra-specs:create", ADMIN, "", "POST /flavors/{flavor_id}/os-extra_specs"),
    ("os-flavor-extra-specs:update", ADMIN, "", "PUT /flavors/{flavor_id}/os-extra_specs/{key}"),
    ("os-flavor-extra-specs:delete", ADMIN, "", "DELETE /flavors/{flavor_id}/os-extra_specs/{key}"),
    ("servers:index", READER, "", "GET /servers"),
    ("servers:detail", READER, "", "GET /servers/detail"),
    ("servers:index:get_all_tenants", ADMIN, "Other projects' servers.", "GET /servers"),
    ("servers:detail:get_all_tenants", ADMIN, "Other projects' servers.", "GET /servers/detail"),
    ("servers:allow_all_filters", READER, "", "GET /servers"),
    ("servers:show", READER, "", "GET /servers/{server_id}"),
    ("servers:show:host_status", ADMIN, "Hosts are the operator's business.", "GET /servers/{server_id}"),
    ("servers:show:flavor-extra-specs", READER, "", "GET /servers/{server_id}"),
    ("servers:create", MEMBER, "", "POST /servers"),
    ("servers:create:forced_host", ADMIN, "Placing a server past the scheduler.", "POST /servers"),
    ("compute:servers:create:requested_destination", ADMIN, "A host wished for, within the scheduler.",
     "POST /servers"),
    ("servers:create:attach_network", MEMBER, "", "POST /servers"),
    ("servers:create:trusted_certs", MEMBER, "", "POST /servers"),
    ("servers:update", MEMBER, "", "PUT /servers/{server_id}"),
    ("servers:delete", MEMBER, "", "DELETE /servers/{server_id}"),
    ("servers:start", MEMBER, "", ACTION),
    ("servers:stop", MEMBER, "", ACTION),
    ("servers:reboot", MEMBER, "", ACTION),
    ("servers:create_image", MEMBER, "", ACTION),
    ("servers:rebuild", MEMBER, "", ACTION),
    ("servers:resize", MEMBER, "", ACTION),
    ("os-extended-server-attributes", ADMIN, "Host, instance name and user data.", "GET /servers/{server_id}"),
    ("os-console-output", MEMBER, "", ACTION),
    ("os-admin-actions:reset_state", ADMIN, "A state that is not so can hide a guest.", ACTION),
    ("os-admin-actions:inject_network_info", ADMIN, "Nothing a user needs: the guest is told of changes.", ACTION),
    ("os-lock-server:lock", MEMBER, "", ACTION),
    ("os-lock-server:unlock", MEMBER, "", ACTION),
    ("os-lock-server:unlock:unlock_override", ADMIN, "Unlocking what an administrator locked.", ACTION),
    ("os-security-groups:add", MEMBER, "", ACTION),
    ("os-security-groups:remove", MEMBER, "", ACTION),
    ("os-security-groups:get", READER, "", "GET /os-security-groups"),
    ("os-security-groups:show", READER, "", "GET /os-security-groups/{group_id}"),
    ("os-security-groups:create", MEMBER, "", "POST /os-security-groups"),
    ("os-security-groups:update", MEMBER, "", "PUT /os-security-groups/{group_id}"),
    ("os-security-groups:delete", MEMBER, "", "DELETE /os-security-groups/{group_id}"),
    ("os-security-groups:rule:create", MEMBER, "", "POST /os-security-group-rules"),
    ("os-security-groups:rule:delete", MEMBER, "", "DELETE /os-security-group-rules/{rule_id}"),
    ("os-security-groups:list", READER, "", "GET /servers/{server_id}/os-security-groups"),
    ("os-multinic:add", MEMBER, "", ACTION),
    ("os-multinic:remove", MEMBER, "", ACTION),
    *(
        (f"server-metadata:{verb}", READER if verb in ("index", "show") else MEMBER, "", operation)
        for verb, operation in [
            ("index", "GET /servers/{server_id}/metadata"),
            ("show", "GET /servers/{server_id}/metadata/{key}"),
            ("create", "POST /servers/{server_id}/metadata"),
            ("update_all", "PUT /servers/{server_id}/metadata"),
            ("update", "PUT /servers/{server_id}/metadata/{key}"),
            ("delete", "DELETE /servers/{server_id}/metadata/{key}"),
        ]
    ),
    *(
        (f"os-server-tags:{verb}", READER if verb in ("index", "show") else MEMBER, "", operation)
        for verb, operation in [
            ("index", "GET /servers/{server_id}/tags"),
            ("show", "GET /servers/{server_id}/tags/{tag}"),
            ("update", "PUT /servers/{server_id}/tags/{tag}"),
            ("update_all", "PUT /servers/{server_id}/tags"),
            ("delete", "DELETE /servers/{server_id}/tags/{tag}"),
            ("delete_all", "DELETE /servers/{server_id}/tags"),
        ]
    ),
    ("ips:index", READER, "", "GET /servers/{server_id}/ips"),
    ("ips:show", READER, "", "GET /servers/{server_id}/ips/{network}"),
    ("os-attach-interfaces:list", READER, "", "GET /servers/{server_id}/os-interface"),
    ("os-attach-interfaces:show", READER, "", "GET /servers/{server_id}/os-interface/{port_id}"),
    ("os-attach-interfaces:create", MEMBER, "", "POST /servers/{server_id}/os-interface"),
    ("os-attach-interfaces:delete", MEMBER, "", "DELETE /servers/{server_id}/os-interface/{port_id}"),
    ("os-server-shares:index", READER, "", "GET /servers/{server_id}/shares"),
    ("os-server-shares:create", MEMBER, "", "POST /servers/{server_id}/shares"),
    ("os-volumes-attachments:create", MEMBER, "", "POST /servers/{server_id}/os-volume_attachments"),
    ("os-volumes-attachments:index", READER, "", "GET /servers/{server_id}/os-volume_attachments"),
    ("os-instance-actions:list", READER, "", "GET /servers/{server_id}/os-instance-actions"),
    ("os-instance-actions:show", READER, "", "GET /servers/{server_id}/os-instance-actions/{request_id}"),
    ("os-instance-actions:events", ADMIN, "Tracebacks.", "GET /servers/{server_id}/os-instance-actions/{request_id}"),
    ("os-instance-actions:events:details", ADMIN, "Host names and causes.",
     "GET /servers/{server_id}/os-instance-actions/{request_id}"),
    ("limits", EVERYBODY, "One's own limits.", "GET /limits"),
    ("limits:other_project", ADMIN, "", "GET /limits"),
    ("os-quota-sets:show", READER, "", "GET /os-quota-sets/{project_id}"),
    ("os-quota-sets:detail", READER, "", "GET /os-quota-sets/{project_id}/detail"),
    ("os-quota-sets:defaults", EVERYBODY, "", "GET /os-quota-sets/{project_id}/defaults"),
    ("os-quota-sets:update", ADMIN, "", "PUT /os-quota-sets/{project_id}"),
    ("os-quota-sets:delete", ADMIN, "", "DELETE /os-quota-sets/{project_id}"),
    ("os-quota-class-sets:show", ADMIN, "", "GET /os-quota-class-sets/{quota_class}"),
    ("os-quota-class-sets:update", ADMIN, "", "PUT /os-quota-class-sets/{quota_class}"),
    ("os-availability-zone:list", EVERYBODY, "", "GET /os-availability-zone"),
    ("os-availability-zone:detail", ADMIN, "Names hosts.", "GET /os-availability-zone/detail"),
    ("os-services:list", ADMIN, "", "GET /os-services"),
    ("os-services:update", ADMIN, "", "PUT /os-services/{service_id}"),
    ("os-services:delete", ADMIN, "", "DELETE /os-services/{service_id}"),
    ("os-hypervisors:list", ADMIN, "", "GET /os-hypervisors"),
    ("os-hypervisors:list-detail", ADMIN, "", "GET /os-hypervisors/detail"),
    ("os-hypervisors:statistics", ADMIN, "", "GET /os-hypervisors/statistics"),
    ("os-hypervisors:show", ADMIN, "", "GET /os-hypervisors/{hypervisor_id}"),
    ("os-hypervisors:uptime", ADMIN, "", "GET /os-hypervisors/{hypervisor_id}/uptime"),
    ("os-hypervisors:search", ADMIN, "", "GET /os-hypervisors/{hypervisor_id}/search"),
    ("os-hypervisors:servers", ADMIN, "", "GET /os-hypervisors/{hypervisor_id}/servers"),
    ("os-simple-tenant-usage:list", ADMIN, "", "GET /os-simple-tenant-usage"),
    ("os-simple-tenant-usage:show", READER, "", "GET /os-simple-tenant-usage/{project_id}"),
    *(
        (f"os-aggregates:{verb}", ADMIN, "Groups of hosts, which are availability zones, too.", operation)
        for verb, operation in [
            ("index", "GET /os-aggregates"),
            ("create", "POST /os-aggregates"),
            ("show", "GET /os-aggregates/{aggregate_id}"),
            ("update", "PUT /os-aggregates/{aggregate_id}"),
            ("delete", "DELETE /os-aggregates/{aggregate_id}"),
            ("add_host", "POST /os-aggregates/{aggregate_id}/action"),
            ("remove_host", "POST /os-aggregates/{aggregate_id}/action"),
            ("set_metadata", "POST /os-aggregates/{aggregate_id}/action"),
        ]
    ),
    *(
        (f"os-server-groups:{verb}", READER if verb in ("index", "show") else MEMBER, "", operation)
        for verb, operation in [
            ("index", "GET /os-server-groups"),
            ("show", "GET /os-server-groups/{group_id}"),
            ("create", "POST /os-server-groups"),
            ("delete", "DELETE /os-server-groups/{group_id}"),
        ]
    ),
    ("os-server-groups:index:all_projects", ADMIN, "Other projects' groups.", "GET /os-server-groups"),
    *(
        (name, MEMBER, "", ACTION)
        for name in (
            "os-pause-server:pause", "os-pause-server:unpause", "os-suspend-server:suspend", "os-suspend-server:resume",
            "os-rescue", "os-unrescue", "os-shelve:shelve", "os-shelve:unshelve", "servers:confirm_resize",
            "servers:revert_resize", "os-create-backup", "os-admin-password", "os-deferred-delete:restore",
            "os-deferred-delete:force",
        )
    ),
    ("os-shelve:shelve_offload", ADMIN, "When hosts are freed is the operator's business.", ACTION),
    ("os-shelve:unshelve_to_host", ADMIN, "Placing a server.", ACTION),
    ("os-migrate-server:migrate", MANAGER, "Where a server is, is the operator's business.", ACTION),
    ("os-migrate-server:migrate:host", ADMIN, "Placing a server.", ACTION),
    ("os-migrate-server:migrate_live", MANAGER, "Where a server is, is the operator's business.", ACTION),
    ("os-evacuate", ADMIN, "Only who knows the host knows that it is dead.", ACTION),
    ("servers:trigger_crash_dump", ADMIN, "A guest's memory.", ACTION),
    ("os-server-password:show", READER, "", "GET /servers/{server_id}/os-server-password"),
    ("os-server-password:clear", MEMBER, "", "DELETE /servers/{server_id}/os-server-password"),
    ("os-server-diagnostics", ADMIN, "Names of the hypervisor's devices.", "GET /servers/{server_id}/diagnostics"),
    ("os-remote-consoles", MEMBER, "", "POST /servers/{server_id}/remote-consoles"),
    ("os-console-auth-tokens", ADMIN, "Where a console is.", "GET /os-console-auth-tokens/{token}"),
    ("os-server-external-events:create", ADMIN, "Only services tell them.", "POST /os-server-external-events"),
    ("os-migrations:index", ADMIN, "Names hosts.", "GET /os-migrations"),
    ("servers:migrations:index", ADMIN, "Names hosts.", "GET /servers/{server_id}/migrations"),
    ("servers:migrations:show", ADMIN, "Names hosts.", "GET /servers/{server_id}/migrations/{migration_id}"),
    ("servers:migrations:delete", ADMIN, "", "DELETE /servers/{server_id}/migrations/{migration_id}"),
    ("servers:migrations:force_complete", ADMIN, "", "POST /servers/{server_id}/migrations/{migration_id}/action"),
    *(
        (f"os-hosts:{verb}", ADMIN, "Hosts are the operator's business.", operation)
        for verb, operation in [
            ("list", "GET /os-hosts"),
            ("show", "GET /os-hosts/{host_name}"),
            ("update", "PUT /os-hosts/{host_name}"),
            ("start", "GET /os-hosts/{host_name}/startup"),
            ("shutdown", "GET /os-hosts/{host_name}/shutdown"),
            ("reboot", "GET /os-hosts/{host_name}/reboot"),
        ]
    ),
    ("os-networks:list", READERS, "", "GET /os-networks"),
    ("os-networks:show", READERS, "", "GET /os-networks/{network_id}"),
    ("os-tenant-networks:list", READERS, "", "GET /os-tenant-networks"),
    ("os-tenant-networks:show", READERS, "", "GET /os-tenant-networks/{network_id}"),
    ("os-floating-ip-pools", EVERYBODY, "", "GET /os-floating-ip-pools"),
    ("os-floating-ips:list", READER, "", "GET /os-floating-ips"),
    ("os-floating-ips:show", READER, "", "GET /os-floating-ips/{floating_ip_id}"),
    ("os-floating-ips:create", MEMBER, "", "POST /os-floating-ips"),
    ("os-floating-ips:delete", MEMBER, "", "DELETE /os-floating-ips/{floating_ip_id}"),
    ("os-floating-ips:add", MEMBER, "", ACTION),
    ("os-floating-ips:remove", MEMBER, "", ACTION),
    ("images:show", EVERYBODY, "The image service says who sees an image.", "GET /images/{image_id}"),
    ("images:change", MEMBER, "", "DELETE /images/{image_id}"),
    ("os-instance-usage-audit-log:list", ADMIN, "Names hosts.", "GET /os-instance_usage_audit_log"),
    ("os-instance-usage-audit-log:show", ADMIN, "Names hosts.", "GET /os-instance_usage_audit_log/{before}"),
    ("extensions", EVERYBODY, "", "GET /extensions"),
]  # fmt: skip

RULES = BASE + [
    Rule(name if name.startswith("compute:") else f"os_compute_api:{name}", check, why, (operation,))
    for name, check, why, operation in TABLE
]
