"""Block storage's rules, by OpenStack's names and with its default roles."""

from pileus.core.policy import Rule

READER, MEMBER, ADMIN = (
    "rule:xena_system_admin_or_project_reader", "rule:xena_system_admin_or_project_member", "rule:admin_api",
)  # fmt: skip
ACTION = "POST /volumes/{volume_id}/action"

WORDS = [
    Rule("context_is_admin", "role:admin"),
    Rule("admin_api", "rule:context_is_admin"),
    Rule("admin_or_owner", "role:admin or project_id:%(project_id)s"),
    Rule("xena_system_admin_or_project_reader", "role:admin or (role:reader and project_id:%(project_id)s)"),
    Rule("xena_system_admin_or_project_member", "role:admin or (role:member and project_id:%(project_id)s)"),
]


def rules(check: str, why: str, text: str) -> list[Rule]:
    """A rule a line: its name, then the operations it guards, comma between."""
    found = []
    for line in text.strip().splitlines():
        name, _, operations = line.strip().partition(" ")
        found.append(Rule(name, check, why, tuple(one.strip() for one in operations.split(",") if one.strip())))
    return found


EVERYBODY, READERS = "@", "role:reader or rule:context_is_admin"
OPERATORS = "What only the operator judges."

VOLUMES = [
    *rules(READER, "", """
        volume:get_all GET /volumes, GET /volumes/detail, GET /volumes/summary
        volume:get GET /volumes/{volume_id}
        volume_extension:volume_tenant_attribute GET /volumes/{volume_id}
        volume_extension:volume_image_metadata:show GET /volumes/{volume_id}
        volume:get_volume_metadata GET /volumes/{volume_id}/metadata, GET /volumes/{volume_id}/metadata/{key}
        volume_extension:volume_encryption_metadata GET /volumes/{volume_id}/encryption
    """),
    *rules(MEMBER, "", """
        volume:create POST /volumes
        volume:create_from_image POST /volumes
        volume:multiattach POST /volumes
        volume:update PUT /volumes/{volume_id}
        volume:delete DELETE /volumes/{volume_id}
        volume:create_volume_metadata POST /volumes/{volume_id}/metadata
        volume:update_volume_metadata PUT /volumes/{volume_id}/metadata, PUT /volumes/{volume_id}/metadata/{key}
        volume:delete_volume_metadata DELETE /volumes/{volume_id}/metadata/{key}
    """),
    *rules(ADMIN, OPERATORS, """
        volume:force_delete DELETE /volumes/{volume_id}
        volume_extension:volume_host_attribute GET /volumes/{volume_id}
        volume_extension:volume_mig_status_attribute GET /volumes/{volume_id}
        volume_extension:list_manageable GET /manageable_volumes, GET /manageable_volumes/detail
        volume_extension:volume_manage POST /manageable_volumes
    """),
]  # fmt: skip

_ACTIONS = {
    MEMBER: "volume:extend volume:extend_attached_volume volume:revert_to_snapshot volume:retype "
            "volume:update_readonly_flag volume:reimage volume:reimage_reserved "
            "volume_extension:volume_image_metadata:set volume_extension:volume_image_metadata:remove "
            "volume_extension:volume_actions:upload_image volume_extension:volume_actions:initialize_connection "
            "volume_extension:volume_actions:terminate_connection volume_extension:volume_actions:roll_detaching "
            "volume_extension:volume_actions:reserve volume_extension:volume_actions:unreserve "
            "volume_extension:volume_actions:begin_detaching volume_extension:volume_actions:attach "
            "volume_extension:volume_actions:detach",
    ADMIN: "volume_extension:volume_admin_actions:reset_status volume_extension:volume_admin_actions:force_delete "
           "volume_extension:volume_admin_actions:force_detach volume_extension:volume_admin_actions:migrate_volume "
           "volume_extension:volume_admin_actions:migrate_volume_completion "
           "volume_extension:volume_admin_actions:extend_volume_completion volume_extension:volume_actions:upload_public "
           "volume_extension:volume_unmanage",
}  # fmt: skip
ACTIONS = [
    Rule(name, check, OPERATORS if check == ADMIN else "", (ACTION,))
    for check, names in _ACTIONS.items()
    for name in names.split()
]

ATTACHMENTS = [
    *rules(READER, "", """
        volume:attachment_get_all GET /attachments, GET /attachments/detail
        volume:attachment_get GET /attachments/{attachment_id}
    """),
    *rules(MEMBER, "", """
        volume:attachment_create POST /attachments
        volume:attachment_update PUT /attachments/{attachment_id}
        volume:attachment_delete DELETE /attachments/{attachment_id}
        volume:attachment_complete POST /attachments/{attachment_id}/action
        volume:multiattach_bootable_volume POST /attachments
    """),
]  # fmt: skip

SNAPSHOTS = [
    *rules(READER, "", """
        volume:get_all_snapshots GET /snapshots, GET /snapshots/detail
        volume:get_snapshot GET /snapshots/{snapshot_id}
        volume_extension:extended_snapshot_attributes GET /snapshots/{snapshot_id}
        volume:get_snapshot_metadata GET /snapshots/{snapshot_id}/metadata, GET /snapshots/{snapshot_id}/metadata/{key}
    """),
    *rules(MEMBER, "", """
        volume:create_snapshot POST /snapshots
        volume:update_snapshot PUT /snapshots/{snapshot_id}
        volume:delete_snapshot DELETE /snapshots/{snapshot_id}
        volume:update_snapshot_metadata POST /snapshots/{snapshot_id}/metadata, PUT /snapshots/{snapshot_id}/metadata/{key}
        volume:delete_snapshot_metadata DELETE /snapshots/{snapshot_id}/metadata/{key}
        snapshot_extension:snapshot_actions:update_snapshot_status POST /snapshots/{snapshot_id}/action
    """),
    *rules(ADMIN, OPERATORS, """
        volume_extension:snapshot_admin_actions:reset_status POST /snapshots/{snapshot_id}/action
        volume_extension:snapshot_admin_actions:force_delete POST /snapshots/{snapshot_id}/action
        snapshot_extension:list_manageable GET /manageable_snapshots, GET /manageable_snapshots/detail
        snapshot_extension:snapshot_manage POST /manageable_snapshots
        snapshot_extension:snapshot_unmanage POST /snapshots/{snapshot_id}/action
    """),
]  # fmt: skip

BACKUPS = [
    *rules(READER, "", """
        backup:get_all GET /backups, GET /backups/detail
        backup:get GET /backups/{backup_id}
    """),
    *rules(MEMBER, "", """
        backup:create POST /backups
        backup:update PUT /backups/{backup_id}
        backup:delete DELETE /backups/{backup_id}
        backup:restore POST /backups/{backup_id}/restore
    """),
    *rules(ADMIN, OPERATORS, """
        backup:backup_project_attribute GET /backups/{backup_id}
        backup:backup-import POST /backups/import_record
        backup:export-import GET /backups/{backup_id}/export_record
        volume_extension:backup_admin_actions:reset_status POST /backups/{backup_id}/action
        volume_extension:backup_admin_actions:force_delete POST /backups/{backup_id}/action
    """),
]  # fmt: skip

TRANSFERS = [
    *rules(READER, "", """
        volume:get_all_transfers GET /volume-transfers, GET /os-volume-transfer, GET /volume-transfers/detail
        volume:get_transfer GET /volume-transfers/{transfer_id}, GET /os-volume-transfer/{transfer_id}
    """),
    *rules(MEMBER, "", """
        volume:create_transfer POST /volume-transfers, POST /os-volume-transfer
        volume:accept_transfer POST /volume-transfers/{transfer_id}/accept, POST /os-volume-transfer/{transfer_id}/accept
        volume:delete_transfer DELETE /volume-transfers/{transfer_id}, DELETE /os-volume-transfer/{transfer_id}
    """),
]  # fmt: skip

TYPES = [
    *rules(READERS, "A type is no project's.", """
        volume_extension:type_get_all GET /types
        volume_extension:type_get GET /types/{type_id}
        volume_extension:access_types_extra_specs GET /types/{type_id}
        volume_extension:types_extra_specs:index GET /types/{type_id}/extra_specs
        volume_extension:types_extra_specs:show GET /types/{type_id}/extra_specs/{key}
    """),
    *rules(MEMBER, "", "volume_extension:volume_type_access GET /types/{type_id}"),
    *rules(ADMIN, "Types say what backends are used for.", """
        volume_extension:type_create POST /types
        volume_extension:type_update PUT /types/{type_id}
        volume_extension:type_delete DELETE /types/{type_id}
        volume_extension:access_types_qos_specs_id GET /types/{type_id}
        volume_extension:types_extra_specs:read_sensitive GET /types/{type_id}/extra_specs
        volume_extension:types_extra_specs:create POST /types/{type_id}/extra_specs
        volume_extension:types_extra_specs:update PUT /types/{type_id}/extra_specs/{key}
        volume_extension:types_extra_specs:delete DELETE /types/{type_id}/extra_specs/{key}
        volume_extension:volume_type_access:addProjectAccess POST /types/{type_id}/action
        volume_extension:volume_type_access:removeProjectAccess POST /types/{type_id}/action
        volume_extension:volume_type_access:get_all_for_type GET /types/{type_id}/os-volume-type-access
        volume_extension:volume_type_encryption:create POST /types/{type_id}/encryption
        volume_extension:volume_type_encryption:get GET /types/{type_id}/encryption, GET /types/{type_id}/encryption/{key}
        volume_extension:volume_type_encryption:update PUT /types/{type_id}/encryption/{encryption_id}
        volume_extension:volume_type_encryption:delete DELETE /types/{type_id}/encryption/{encryption_id}
        volume_extension:default_set_or_update PUT /default-types/{project_id}
        volume_extension:default_get GET /default-types/{project_id}
        volume_extension:default_get_all GET /default-types
        volume_extension:default_unset DELETE /default-types/{project_id}
        volume_extension:qos_specs_manage:get_all GET /qos-specs, GET /qos-specs/{qos_id}/associations
        volume_extension:qos_specs_manage:get GET /qos-specs/{qos_id}
        volume_extension:qos_specs_manage:create POST /qos-specs
        volume_extension:qos_specs_manage:update PUT /qos-specs/{qos_id}, GET /qos-specs/{qos_id}/associate, \
            GET /qos-specs/{qos_id}/disassociate, GET /qos-specs/{qos_id}/disassociate_all
        volume_extension:qos_specs_manage:delete DELETE /qos-specs/{qos_id}, PUT /qos-specs/{qos_id}/delete_keys
    """),
]  # fmt: skip

GROUPS = [
    *rules(READER, "", """
        group:get_all GET /groups, GET /groups/detail
        group:get GET /groups/{group_id}
        group:get_all_group_snapshots GET /group_snapshots, GET /group_snapshots/detail
        group:get_group_snapshot GET /group_snapshots/{group_snapshot_id}
    """),
    *rules(READERS, "A type is no project's.", """
        group:group_types:get_all GET /group_types
        group:group_types:get GET /group_types/{group_type_id}
    """),
    *rules(MEMBER, "", """
        group:create POST /groups, POST /groups/action
        group:update PUT /groups/{group_id}
        group:delete POST /groups/{group_id}/action
        group:enable_replication POST /groups/{group_id}/action
        group:disable_replication POST /groups/{group_id}/action
        group:failover_replication POST /groups/{group_id}/action
        group:list_replication_targets POST /groups/{group_id}/action
        group:create_group_snapshot POST /group_snapshots
        group:update_group_snapshot PUT /group_snapshots/{group_snapshot_id}
        group:delete_group_snapshot DELETE /group_snapshots/{group_snapshot_id}
    """),
    *rules(ADMIN, OPERATORS, """
        group:group_project_attribute GET /groups/{group_id}
        group:group_snapshot_project_attribute GET /group_snapshots/{group_snapshot_id}
        group:reset_status POST /groups/{group_id}/action
        group:reset_group_snapshot_status POST /group_snapshots/{group_snapshot_id}/action
        group:group_types:create POST /group_types
        group:group_types:update PUT /group_types/{group_type_id}
        group:group_types:delete DELETE /group_types/{group_type_id}
        group:access_group_types_specs GET /group_types/{group_type_id}
        group:group_types_specs:get_all GET /group_types/{group_type_id}/group_specs
        group:group_types_specs:get GET /group_types/{group_type_id}/group_specs/{key}
        group:group_types_specs:create POST /group_types/{group_type_id}/group_specs
        group:group_types_specs:update PUT /group_types/{group_type_id}/group_specs/{key}
        group:group_types_specs:delete DELETE /group_types/{group_type_id}/group_specs/{key}
    """),
    *rules("!", "Groups have replaced them.", """
        consistencygroup:get_all GET /consistencygroups
        consistencygroup:get GET /consistencygroups/{consistencygroup_id}
        consistencygroup:create POST /consistencygroups
        consistencygroup:update PUT /consistencygroups/{consistencygroup_id}/update
        consistencygroup:delete POST /consistencygroups/{consistencygroup_id}/delete
        consistencygroup:cgsnapshot:get_all GET /cgsnapshots
        consistencygroup:cgsnapshot:get GET /cgsnapshots/{cgsnapshot_id}
        consistencygroup:cgsnapshot:create POST /cgsnapshots
        consistencygroup:cgsnapshot:delete DELETE /cgsnapshots/{cgsnapshot_id}
    """),
]  # fmt: skip

OPERATION = [
    *rules(ADMIN, "Backends are the operator's business.", """
        volume_extension:services:index GET /os-services
        volume_extension:services:update PUT /os-services/enable, PUT /os-services/disable, PUT /os-services/get-log
        volume:freeze_host PUT /os-services/freeze
        volume:thaw_host PUT /os-services/thaw
        volume:failover_host PUT /os-services/failover_host, PUT /os-services/failover
        volume_extension:hosts GET /os-hosts, PUT /os-hosts/{host_name}, GET /os-hosts/{host_name}
        scheduler_extension:scheduler_stats:get_pools GET /scheduler-stats/get_pools
        volume_extension:capabilities GET /capabilities/{host_name}
        clusters:get_all GET /clusters, GET /clusters/detail
        clusters:get GET /clusters/{cluster}
        clusters:update PUT /clusters/{cluster}
        workers:cleanup POST /workers/cleanup
        volume_extension:quotas:update PUT /os-quota-sets/{project_id}
        volume_extension:quotas:delete DELETE /os-quota-sets/{project_id}
        volume_extension:quota_classes:get GET /os-quota-class-sets/{quota_class}
        volume_extension:quota_classes:update PUT /os-quota-class-sets/{quota_class}
    """),
    *rules(READER, "", """
        volume_extension:quotas:show GET /os-quota-sets/{project_id}, GET /os-quota-sets/{project_id}/defaults
        limits_extension:used_limits GET /limits
    """),
    *rules(EVERYBODY, "They tell of the cloud, not of anybody's things.", """
        volume:limits GET /limits
        volume:availability_zone_list GET /os-availability-zone
        volume:get_resource_filters GET /resource_filters
        volume:extensions GET /extensions, GET /extensions/{alias}
    """),
]  # fmt: skip

MESSAGES = [
    *rules(READER, "", """
        message:get_all GET /messages
        message:get GET /messages/{message_id}
    """),
    *rules(MEMBER, "", "message:delete DELETE /messages/{message_id}"),
]  # fmt: skip

RULES = [
    *WORDS, *VOLUMES, *ACTIONS, *ATTACHMENTS, *SNAPSHOTS, *BACKUPS, *TRANSFERS, *TYPES, *GROUPS, *OPERATION, *MESSAGES,
]  # fmt: skip
