"""Volume extend: also while a guest uses it."""

from pileus.block_storage import states
from pileus.block_storage.sagas.volume import change, driver, fail, host_of, read_volume
from pileus.core.saga import Run, Saga, Step


def extend_bytes(run: Run) -> None:
    volume = read_volume(run)
    driver(run).extend(host_of(volume), run.id, run.data["new_size"])


def mark_extended(run: Run) -> None:
    change(run, size=run.data["new_size"], growing_by=0, status=run.data["back_to"], previous_status=None)


def mark_not_extended(run: Run, error: BaseException) -> None:
    fail(run, error, "extend", states.ERROR_EXTENDING, growing_by=0)


EXTEND = Saga("volume-extend", version=1, failed=mark_not_extended, steps=[Step(extend_bytes), Step(mark_extended)])
