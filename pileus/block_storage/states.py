"""The words for what volumes and what belongs to them are: stable ones, and those of something that is being done."""

CREATING, AVAILABLE, IN_USE, DELETING = "creating", "available", "in-use", "deleting"
RESERVED, ATTACHING, DETACHING = "reserved", "attaching", "detaching"
ERROR, ERROR_DELETING, ERROR_EXTENDING = "error", "error_deleting", "error_extending"
EXTENDING, RETYPING, UPLOADING, DOWNLOADING = "extending", "retyping", "uploading", "downloading"
BACKING_UP, RESTORING, ERROR_RESTORING, REVERTING = "backing-up", "restoring-backup", "error_restoring", "reverting"
AWAITING_TRANSFER, MAINTENANCE, MANAGING = "awaiting-transfer", "maintenance", "managing"
ERROR_UNMANAGING, UNMANAGING, ERROR_BACKING_UP, ERROR_MANAGING = (
    "error_unmanaging",
    "unmanaging",
    "error_backing-up",
    "error_managing",
)
BACKUP_RESTORING = "restoring"  # what the backup is, while its volume is restoring-backup

ATTACHED, DETACHED = "attached", "detached"

DELETABLE = (AVAILABLE, ERROR, ERROR_RESTORING, ERROR_EXTENDING, ERROR_MANAGING, ERROR_UNMANAGING)
# work on it goes on, and ends by itself
BUSY = frozenset({
    CREATING, DELETING, EXTENDING, RETYPING, UPLOADING, DOWNLOADING, BACKING_UP, RESTORING, REVERTING, UNMANAGING, MANAGING,
})  # fmt: skip

# what an administrator may set a volume, a snapshot and a backup to
VOLUME_STATES = (
    CREATING, AVAILABLE, DELETING, ERROR, ERROR_DELETING, ERROR_MANAGING, MANAGING, ATTACHING, IN_USE, DETACHING,
    MAINTENANCE, RESTORING, ERROR_RESTORING, RESERVED, AWAITING_TRANSFER, BACKING_UP, ERROR_BACKING_UP, ERROR_EXTENDING,
    DOWNLOADING, UPLOADING, RETYPING, EXTENDING,
)  # fmt: skip
