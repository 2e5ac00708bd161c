"""Compute's long operations: one module each."""

from pileus.compute.sagas.create import CREATE
from pileus.compute.sagas.delete import DELETE
from pileus.compute.sagas.power import REBOOT, START, STOP
from pileus.compute.sagas.restore import RESTORE

SAGAS = [CREATE, DELETE, START, STOP, REBOOT, RESTORE]
