"""Block storage's long operations: one module each."""

from pileus.block_storage.sagas.backups import CREATE as BACKUP_CREATE
from pileus.block_storage.sagas.backups import DELETE as BACKUP_DELETE
from pileus.block_storage.sagas.backups import RESTORE as BACKUP_RESTORE
from pileus.block_storage.sagas.create import CREATE
from pileus.block_storage.sagas.delete import DELETE
from pileus.block_storage.sagas.extend import EXTEND
from pileus.block_storage.sagas.groups import CREATE as GROUP_CREATE
from pileus.block_storage.sagas.groups import CREATE_SNAPSHOT as GROUP_SNAPSHOT_CREATE
from pileus.block_storage.sagas.groups import DELETE as GROUP_DELETE
from pileus.block_storage.sagas.groups import DELETE_SNAPSHOT as GROUP_SNAPSHOT_DELETE
from pileus.block_storage.sagas.manage import MANAGE, UNMANAGE
from pileus.block_storage.sagas.moves import MIGRATE, RETYPE
from pileus.block_storage.sagas.snapshots import CREATE as SNAPSHOT_CREATE
from pileus.block_storage.sagas.snapshots import DELETE as SNAPSHOT_DELETE
from pileus.block_storage.sagas.snapshots import REVERT
from pileus.block_storage.sagas.upload import REIMAGE, UPLOAD

SAGAS = [
    CREATE, DELETE, EXTEND, MIGRATE, RETYPE, SNAPSHOT_CREATE, SNAPSHOT_DELETE, REVERT, UPLOAD, REIMAGE, MANAGE, UNMANAGE,
    BACKUP_CREATE, BACKUP_DELETE, BACKUP_RESTORE, GROUP_CREATE, GROUP_DELETE, GROUP_SNAPSHOT_CREATE,
    GROUP_SNAPSHOT_DELETE,
]  # fmt: skip
