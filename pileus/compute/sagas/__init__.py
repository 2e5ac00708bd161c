"""Compute's long operations: one module each."""

from pileus.compute.sagas.create import CREATE
from pileus.compute.sagas.delete import DELETE
from pileus.compute.sagas.evacuate import EVACUATE
from pileus.compute.sagas.interfaces import ATTACH, DETACH
from pileus.compute.sagas.live import LIVE
from pileus.compute.sagas.power import PAUSE, REBOOT, RESUME, START, STOP, SUSPEND, UNPAUSE
from pileus.compute.sagas.rebuild import REBUILD
from pileus.compute.sagas.rescue import RESCUE, UNRESCUE
from pileus.compute.sagas.resize import CONFIRM, RESIZE, REVERT
from pileus.compute.sagas.restore import RESTORE
from pileus.compute.sagas.shelve import SHELVE, SHELVE_FROM_VOLUME, UNSHELVE
from pileus.compute.sagas.snapshot import IMAGE, IMAGE_OF_VOLUMES
from pileus.compute.sagas.volumes import ATTACH_VOLUME, DETACH_VOLUME

SAGAS = [
    CREATE, DELETE, START, STOP, REBOOT, PAUSE, UNPAUSE, SUSPEND, RESUME, RESTORE, REBUILD, RESCUE, UNRESCUE, IMAGE,
    SHELVE, UNSHELVE, RESIZE, CONFIRM, REVERT, EVACUATE, LIVE, ATTACH, DETACH, ATTACH_VOLUME,
    DETACH_VOLUME, SHELVE_FROM_VOLUME, IMAGE_OF_VOLUMES,
]  # fmt: skip
