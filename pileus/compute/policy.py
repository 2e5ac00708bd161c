"""Compute's rules, by OpenStack's names and with its default roles: a line for each resource, its verbs by who has them."""

from collections.abc import Mapping

from pileus.core.policy import Rule

READER, MEMBER, MANAGER = (
    "rule:project_reader_or_admin",
    "rule:project_member_or_admin",
    "rule:project_manager_or_admin",
)
ADMIN, EVERYBODY = "rule:context_is_admin", "@"
READERS = "role:reader or rule:context_is_admin"
USER = "role:admin or user_id:%(user_id)s"

OPERATORS = "Hosts are the operator's business."
ACTION = "POST /servers/{server_id}/action"
ONE_SERVER = "GET /servers/{server_id}"

# what a rule's verb guards, of the path of all and the path of one
VERBS = {
    **dict.fromkeys(("index", "list"), "GET {all}"),
    **dict.fromkeys(("detail", "list-detail"), "GET {all}/detail"),
    **dict.fromkeys(("show", "events", "events:details"), "GET {one}"),
    **dict.fromkeys(("shutdown", "reboot", "uptime", "search", "servers"), "GET {one}/{verb}"),
    **dict.fromkeys(("add_host", "remove_host", "set_metadata", "force_complete"), "POST {one}/action"),
    "swap": "PUT {one}", "create": "POST {all}", "update": "PUT {one}", "delete": "DELETE {one}", "update_all": "PUT {all}",
    "delete_all": "DELETE {all}",
}  # fmt: skip


def resource(name: str, path: str, who: Mapping[str, str], why: str = "") -> list[Rule]:
    """A rule for each verb, at the method and path it has everywhere; the path's last segment names the one."""
    all, one = path.rpartition("/")[0], path
    return [
        Rule(f"os_compute_api:{name}:{verb}", check, why, (VERBS[verb].format(all=all, one=one, verb=verb),))
        for check, verbs in who.items()
        for verb in verbs.split()
    ]


def rule(name: str, check: str, operation: str, why: str = "") -> Rule:
    return Rule(f"os_compute_api:{name}", check, why, (operation,))


def actions(check: str, names: str, why: str = "") -> list[Rule]:
    """What is done to a server by its action route."""
    return [rule(name, check, ACTION, why) for name in names.split()]


WORDS = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_or_owner", "rule:context_is_admin or project_id:%(project_id)s"),
    Rule("admin_api", "rule:context_is_admin"),
    *(Rule(f"project_{role}_api", f"role:{role} and project_id:%(project_id)s")
      for role in ("reader", "member", "manager")),
    *(Rule(f"project_{role}_or_admin", f"rule:project_{role}_api or rule:context_is_admin")
      for role in ("reader", "member", "manager")),
]  # fmt: skip

SERVERS = [
    *resource("servers", "/servers/{server_id}", {READER: "index detail show", MEMBER: "create update delete"}),
    rule("servers:index:get_all_tenants", ADMIN, "GET /servers", "Other projects' servers."),
    rule("servers:detail:get_all_tenants", ADMIN, "GET /servers/detail", "Other projects' servers."),
    rule("servers:allow_all_filters", READER, "GET /servers"),
    rule("servers:show:host_status", ADMIN, ONE_SERVER, OPERATORS),
    rule("servers:show:flavor-extra-specs", READER, ONE_SERVER),
    rule("os-extended-server-attributes", ADMIN, ONE_SERVER, "Host, instance name and user data."),
    rule("servers:create:forced_host", ADMIN, "POST /servers", "Placing a server past the scheduler."),
    Rule("compute:servers:create:requested_destination", ADMIN, "A host wished for, within the scheduler.",
         ("POST /servers",)),
    rule("servers:create:attach_network", MEMBER, "POST /servers"),
    rule("servers:create:trusted_certs", MEMBER, "POST /servers"),
    *actions(MEMBER, "servers:start servers:stop servers:reboot servers:rebuild servers:resize servers:create_image "
                     "servers:confirm_resize servers:revert_resize os-create-backup os-console-output "
                     "os-pause-server:pause os-pause-server:unpause os-suspend-server:suspend os-suspend-server:resume "
                     "os-rescue os-unrescue os-shelve:shelve os-shelve:unshelve os-lock-server:lock "
                     "os-lock-server:unlock os-admin-password os-deferred-delete:restore os-deferred-delete:force "
                     "os-security-groups:add os-security-groups:remove os-multinic:add os-multinic:remove "
                     "os-floating-ips:add os-floating-ips:remove"),
    *actions(ADMIN, "os-admin-actions:reset_state", "A state that is not so can hide a guest."),
    *actions(ADMIN, "os-admin-actions:inject_network_info", "Nothing a user needs: the guest is told of changes."),
    *actions(ADMIN, "os-lock-server:unlock:unlock_override", "Unlocking what an administrator locked."),
    *actions(ADMIN, "os-shelve:shelve_offload", "When hosts are freed is the operator's business."),
    *actions(ADMIN, "os-shelve:unshelve_to_host os-migrate-server:migrate:host", "Placing a server."),
    *actions(ADMIN, "os-migrate-server:migrate_live:host", "Placing a server."),
    *actions(MANAGER, "os-migrate-server:migrate os-migrate-server:migrate_live",
             "Where a server is, is the operator's business."),
    *actions(ADMIN, "os-evacuate", "Only who knows the host knows that it is dead."),
    *actions(ADMIN, "servers:trigger_crash_dump", "A guest's memory."),
]  # fmt: skip

OF_A_SERVER = [
    *resource("server-metadata", "/servers/{server_id}/metadata/{key}",
              {READER: "index show", MEMBER: "create update_all update delete"}),
    *resource("os-server-tags", "/servers/{server_id}/tags/{tag}",
              {READER: "index show", MEMBER: "update update_all delete delete_all"}),
    *resource("ips", "/servers/{server_id}/ips/{network}", {READER: "index show"}),
    *resource("os-attach-interfaces", "/servers/{server_id}/os-interface/{port_id}",
              {READER: "list show", MEMBER: "create delete"}),
    rule("os-security-groups:list", READER, "GET /servers/{server_id}/os-security-groups"),
    *resource("os-server-shares", "/servers/{server_id}/shares/{share_id}", {READER: "index", MEMBER: "create"}),
    *resource("os-volumes-attachments", "/servers/{server_id}/os-volume_attachments/{volume_id}",
              {READER: "index show", MEMBER: "create update delete", ADMIN: "swap"},
              "A swap is one step of moving a volume, which block storage asks for."),
    *resource("os-instance-actions", "/servers/{server_id}/os-instance-actions/{request_id}",
              {READER: "list show", ADMIN: "events events:details"}, "Its events name hosts and causes."),
    rule("os-server-password:show", READER, "GET /servers/{server_id}/os-server-password"),
    rule("os-server-password:clear", MEMBER, "DELETE /servers/{server_id}/os-server-password"),
    rule("os-server-diagnostics", ADMIN, "GET /servers/{server_id}/diagnostics", "Names of the hypervisor's devices."),
    rule("os-remote-consoles", MEMBER, "POST /servers/{server_id}/remote-consoles"),
    rule("os-console-auth-tokens", ADMIN, "GET /os-console-auth-tokens/{token}", "Where a console is."),
    rule("os-server-external-events:create", ADMIN, "POST /os-server-external-events", "Only services tell them."),
    rule("os-migrations:index", MANAGER, "GET /os-migrations"),
    rule("os-migrations:index:all_projects", ADMIN, "GET /os-migrations", "Other projects' servers."),
    rule("os-migrations:index:host", ADMIN, "GET /os-migrations", "Names hosts."),
    *resource("servers:migrations", "/servers/{server_id}/migrations/{migration_id}",
              {MANAGER: "index delete force_complete", ADMIN: "show"}, "Where a server is, is the operator's business."),
    rule("servers:migrations:index:host", ADMIN, "GET /servers/{server_id}/migrations", "Names hosts."),
]  # fmt: skip

SIZES_AND_KEYS = [
    *resource("os-keypairs", "/os-keypairs/{name}", {USER: "index create show delete"},
              "A key pair belongs to its user."),
    rule("os-flavor-access", EVERYBODY, "GET /flavors/{flavor_id}",
         "Public flavors are everybody's to see; private ones their projects'."),
    rule("os-flavor-access:add_tenant_access", ADMIN, "POST /flavors/{flavor_id}/action"),
    rule("os-flavor-access:remove_tenant_access", ADMIN, "POST /flavors/{flavor_id}/action"),
    rule("os-flavor-access:list", ADMIN, "GET /flavors/{flavor_id}/os-flavor-access"),
    *resource("os-flavor-manage", "/flavors/{flavor_id}", {ADMIN: "create update delete"},
              "Flavors decide what hosts are filled with."),
    *resource("os-flavor-extra-specs", "/flavors/{flavor_id}/os-extra_specs/{key}",
              {READERS: "index show", ADMIN: "create update delete"},
              "Extra specs are shown with the flavor, which is no project's."),
    *resource("os-server-groups", "/os-server-groups/{group_id}", {READER: "index show", MEMBER: "create delete"}),
    rule("os-server-groups:index:all_projects", ADMIN, "GET /os-server-groups", "Other projects' groups."),
    rule("limits", EVERYBODY, "GET /limits", "One's own limits."),
    rule("limits:other_project", ADMIN, "GET /limits"),
    *resource("os-quota-sets", "/os-quota-sets/{project_id}", {READER: "show", ADMIN: "update delete"}),
    rule("os-quota-sets:detail", READER, "GET /os-quota-sets/{project_id}/detail"),
    rule("os-quota-sets:defaults", EVERYBODY, "GET /os-quota-sets/{project_id}/defaults"),
    *resource("os-quota-class-sets", "/os-quota-class-sets/{quota_class}", {ADMIN: "show update"}),
    *resource("os-simple-tenant-usage", "/os-simple-tenant-usage/{project_id}", {ADMIN: "list", READER: "show"}),
]  # fmt: skip

HOSTS = [
    *resource("os-availability-zone", "/os-availability-zone/{zone}", {EVERYBODY: "list", ADMIN: "detail"},
              "The details name hosts."),
    *resource("os-services", "/os-services/{service_id}", {ADMIN: "list update delete"}, OPERATORS),
    *resource("os-hypervisors", "/os-hypervisors/{hypervisor_id}",
              {ADMIN: "list list-detail show uptime search servers"}, OPERATORS),
    rule("os-hypervisors:statistics", ADMIN, "GET /os-hypervisors/statistics", OPERATORS),
    *resource("os-aggregates", "/os-aggregates/{aggregate_id}",
              {ADMIN: "index create show update delete add_host remove_host set_metadata"},
              "Groups of hosts, which are availability zones, too."),
    *resource("os-hosts", "/os-hosts/{host_name}", {ADMIN: "list show update shutdown reboot"}, OPERATORS),
    rule("os-hosts:start", ADMIN, "GET /os-hosts/{host_name}/startup", OPERATORS),
    *resource("os-instance-usage-audit-log", "/os-instance_usage_audit_log/{before}", {ADMIN: "list show"},
              "Names hosts."),
]  # fmt: skip

OLDER = [
    *resource("os-security-groups", "/os-security-groups/{group_id}",
              {READER: "show", MEMBER: "create update delete"}),
    rule("os-security-groups:get", READER, "GET /os-security-groups"),
    rule("os-security-groups:rule:create", MEMBER, "POST /os-security-group-rules"),
    rule("os-security-groups:rule:delete", MEMBER, "DELETE /os-security-group-rules/{rule_id}"),
    *resource("os-networks", "/os-networks/{network_id}", {READERS: "list show"}),
    *resource("os-tenant-networks", "/os-tenant-networks/{network_id}", {READERS: "list show"}),
    rule("os-floating-ip-pools", EVERYBODY, "GET /os-floating-ip-pools"),
    *resource("os-floating-ips", "/os-floating-ips/{floating_ip_id}", {READER: "list show", MEMBER: "create delete"}),
    *resource("os-volumes", "/os-volumes/{volume_id}", {READERS: "list detail", READER: "show", MEMBER: "create delete"}),
    rule("os-volumes:snapshots:list", READERS, "GET /os-snapshots"),
    rule("os-volumes:snapshots:detail", READERS, "GET /os-snapshots/detail"),
    rule("os-volumes:snapshots:show", READER, "GET /os-snapshots/{snapshot_id}"),
    rule("os-volumes:snapshots:create", MEMBER, "POST /os-snapshots"),
    rule("os-volumes:snapshots:delete", MEMBER, "DELETE /os-snapshots/{snapshot_id}"),
    *resource("os-assisted-volume-snapshots", "/os-assisted-volume-snapshots/{snapshot_id}", {ADMIN: "create delete"},
              "Only block storage asks for them."),
    rule("images:show", EVERYBODY, "GET /images/{image_id}", "The image service says who sees an image."),
    rule("images:change", MEMBER, "DELETE /images/{image_id}"),
    rule("extensions", EVERYBODY, "GET /extensions"),
]  # fmt: skip

RULES = [*WORDS, *SERVERS, *OF_A_SERVER, *SIZES_AND_KEYS, *HOSTS, *OLDER]
