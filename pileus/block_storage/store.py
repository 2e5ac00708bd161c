"""Block storage's tables: one Struct each."""

from typing import Any

import msgspec

from pileus.core.tables import Key, table


@table(
    "volumes",
    index=[("project_id", "created_at"), ("host",), ("group_id",), ("volume_type_id",)],
)
class Volume(msgspec.Struct):
    """`host` is where it lies: node@backend#pool, as clients of this API know it."""

    id: Key
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    size: int  # GiB
    status: str
    created_at: str
    updated_at: str | None = None
    previous_status: str | None = None  # what it was before what is done to it
    availability_zone: str = "nova"
    host: str | None = None
    volume_type_id: str | None = None
    bootable: bool = False
    multiattach: bool = False
    readonly: bool | None = None  # none: nobody said
    snapshot_id: str | None = None
    source_volid: str | None = None
    image_id: str | None = None  # what it was made from
    group_id: str | None = None
    migration_status: str | None = None
    replication_status: str | None = None
    metadata: dict[str, str] = {}
    image_metadata: dict[str, str] = {}
    consumes_quota: bool = True
    launched_at: str | None = None
    growing_by: int = 0  # GiB, while it is extended: they are taken already


@table(
    "volume_attachments",
    index=[("volume_id",), ("server_id",), ("project_id", "created_at")],
    references={"volume_id": "volumes.id"},
    cascade=["volume_id"],
)
class Attachment(msgspec.Struct):
    """A volume's use by a server. Gone when it is detached."""

    id: Key
    volume_id: str
    project_id: str
    server_id: str
    attach_status: str
    attach_mode: str
    created_at: str
    updated_at: str | None = None
    attached_host: str | None = None
    mountpoint: str | None = None
    attached_at: str | None = None
    detached_at: str | None = None
    connector: dict[str, Any] = {}
    connection_info: dict[str, Any] = {}
    # made for the volume's reservation by a server, or by the actions of before 3.27
    legacy: bool = False


@table(
    "volume_snapshots",
    index=[("project_id", "created_at"), ("volume_id",), ("group_snapshot_id",)],
    references={"volume_id": "volumes.id"},
)
class Snapshot(msgspec.Struct):
    id: Key
    volume_id: str
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    volume_size: int
    status: str
    created_at: str
    updated_at: str | None = None
    progress: str = "0%"
    volume_type_id: str | None = None
    group_snapshot_id: str | None = None
    metadata: dict[str, str] = {}
    consumes_quota: bool = True


@table("volume_types", unique=[("name",)])
class VolumeType(msgspec.Struct):
    """A private one is used by the projects of VolumeTypeAccess alone."""

    id: Key
    name: str
    description: str | None
    is_public: bool
    extra_specs: dict[str, str]
    created_at: str
    updated_at: str | None = None
    qos_specs_id: str | None = None


@table("volume_type_access", references={"volume_type_id": "volume_types.id"}, cascade=["volume_type_id"])
class VolumeTypeAccess(msgspec.Struct):
    volume_type_id: Key
    project_id: Key


@table("volume_type_encryptions", references={"volume_type_id": "volume_types.id"}, cascade=["volume_type_id"])
class VolumeTypeEncryption(msgspec.Struct):
    """How a type's volumes are to be encrypted. No volume of such a type can be made: there are no keys for it."""

    volume_type_id: Key
    encryption_id: str
    provider: str
    control_location: str
    created_at: str
    updated_at: str | None = None
    cipher: str | None = None
    key_size: int | None = None


@table("volume_default_types", references={"volume_type_id": "volume_types.id"}, cascade=["volume_type_id"])
class DefaultType(msgspec.Struct):
    """What a project's volumes are, when nothing is said."""

    project_id: Key
    volume_type_id: str


@table("volume_qos_specs", unique=[("name",)])
class QosSpecs(msgspec.Struct):
    id: Key
    name: str
    consumer: str
    specs: dict[str, str]
    created_at: str
    updated_at: str | None = None


@table("volume_backups", index=[("project_id", "created_at"), ("volume_id",), ("parent_id",)])
class Backup(msgspec.Struct):
    """Outlives its volume. An incremental one holds what differs from its parent."""

    id: Key
    project_id: str
    user_id: str
    volume_id: str
    name: str | None
    description: str | None
    size: int
    status: str
    created_at: str
    updated_at: str | None = None
    snapshot_id: str | None = None
    parent_id: str | None = None
    container: str | None = None
    availability_zone: str | None = None
    fail_reason: str | None = None
    object_count: int = 0
    data_timestamp: str | None = None
    metadata: dict[str, str] = {}
    host: str | None = None
    restore_volume_id: str | None = None
    service_metadata: str = ""  # the key of its data
    volume_type_id: str | None = None
    volume_metadata: dict[str, str] = {}  # what the volume said of itself, for the one that is made of it
    image_metadata: dict[str, str] = {}
    bootable: bool = False


@table("volume_transfers", references={"volume_id": "volumes.id"}, cascade=["volume_id"], unique=[("volume_id",)])
class Transfer(msgspec.Struct):
    """An offer of a volume to whoever has the key."""

    id: Key
    volume_id: str
    name: str | None
    salt: str
    hash: str
    source_project_id: str
    created_at: str
    no_snapshots: bool = False

    @property
    def project_id(self) -> str:
        """Whose it is, for rules."""
        return self.source_project_id


@table("volume_messages", index=[("project_id", "created_at"), ("resource_id",), ("expires_at",)])
class Message(msgspec.Struct):
    """Why something failed, for the user to read."""

    id: Key
    project_id: str
    request_id: str
    resource_type: str
    resource_id: str | None
    event_id: str
    detail_id: str
    action_id: str
    text: str
    level: str
    created_at: str
    expires_at: str


@table("volume_group_types", unique=[("name",)])
class GroupType(msgspec.Struct):
    id: Key
    name: str
    description: str | None
    is_public: bool
    group_specs: dict[str, str]
    created_at: str
    updated_at: str | None = None


@table("volume_groups", index=[("project_id", "created_at")])
class Group(msgspec.Struct):
    id: Key
    project_id: str
    user_id: str
    name: str | None
    description: str | None
    group_type_id: str
    volume_types: list[str]
    status: str
    availability_zone: str
    created_at: str
    updated_at: str | None = None
    host: str | None = None
    group_snapshot_id: str | None = None
    source_group_id: str | None = None


@table("volume_group_snapshots", index=[("project_id", "created_at"), ("group_id",)])
class GroupSnapshot(msgspec.Struct):
    id: Key
    project_id: str
    user_id: str
    group_id: str
    group_type_id: str
    name: str | None
    description: str | None
    status: str
    created_at: str


@table("volume_services", unique=[("binary", "host")])
class VolumeService(msgspec.Struct):
    """What serves volumes: a backend on a node, the backups, the scheduler."""

    id: Key
    binary: str
    host: str
    availability_zone: str
    created_at: str
    updated_at: str | None = None
    seen_at: str | None = None  # when it last answered
    disabled: bool = False
    disabled_reason: str | None = None
    frozen: bool = False
    total_gb: int = 0
    free_gb: int = 0
