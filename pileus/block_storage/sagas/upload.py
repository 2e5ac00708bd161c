"""Volumes and images: a volume's bytes become an image's, an image's a volume's that is there already."""

from pileus.block_storage import images, states
from pileus.block_storage.drivers.base import Part, Source
from pileus.block_storage.sagas.delete import unless_gone
from pileus.block_storage.sagas.volume import change, driver, fail, find_volume, host_of, read_volume
from pileus.core.saga import Run, Saga, Step, Wait

# -- volume to image ---------------------------------------------------------------------------------------------------


def hold_still(run: Run) -> None:
    """What a guest writes to is copied first, in one moment; the copy is called as the image is."""
    if run.data["back_to"] == states.IN_USE:
        driver(run).create_snapshot(host_of(read_volume(run)), run.id, run.data["image_id"])


def let_go(run: Run) -> None:
    volume = find_volume(run)
    if volume is not None and volume.host is not None:
        host = volume.host
        unless_gone(run, host, lambda: driver(run).remove_snapshot(host, run.id, run.data["image_id"]))


def upload_bytes(run: Run) -> None:
    volume = read_volume(run)
    held = run.data["image_id"] if run.data["back_to"] == states.IN_USE else ""
    chunks = driver(run).read_as(host_of(volume), Part(run.id, held), run.data["disk_format"])
    if not images.upload(run.cloud, run.data["image_id"], chunks):
        raise Wait(1.0)


def delete_image(run: Run) -> None:
    with run.db.write() as tx:
        images.delete_image(run.cloud, tx, run.data["image_id"])


def mark_uploaded(run: Run) -> None:
    change(run, status=run.data["back_to"], previous_status=None)


def mark_not_uploaded(run: Run, error: BaseException) -> None:
    fail(run, error, "upload", run.data["back_to"])


UPLOAD = Saga(
    "volume-upload",
    version=1,
    failed=mark_not_uploaded,
    steps=[
        Step(hold_still, undo=let_go),
        Step(upload_bytes, undo=delete_image),
        Step(let_go),
        Step(mark_uploaded),
    ],
)


# -- image to volume ---------------------------------------------------------------------------------------------------


def replace_bytes(run: Run) -> None:
    """From here on there is no way back: what was in the volume is gone."""
    volume = read_volume(run)
    host = host_of(volume)
    driver(run).remove(host, run.id)
    driver(run).create(host, run.id, volume.size, Source("image", run.data["image_id"]))


def mark_reimaged(run: Run) -> None:
    volume = find_volume(run)
    if volume is not None:
        change(
            run, status=run.data["back_to"], previous_status=None, bootable=True,
            image_metadata=run.data["image_metadata"],
        )  # fmt: skip


def mark_not_reimaged(run: Run, error: BaseException) -> None:
    fail(run, error, "reimage", states.ERROR)


REIMAGE = Saga("volume-reimage", version=1, failed=mark_not_reimaged, steps=[Step(replace_bytes), Step(mark_reimaged)])
