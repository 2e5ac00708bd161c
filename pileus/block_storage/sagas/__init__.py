"""Block storage's long operations: one module each."""

from pileus.block_storage.sagas.create import CREATE
from pileus.block_storage.sagas.delete import DELETE

SAGAS = [CREATE, DELETE]
