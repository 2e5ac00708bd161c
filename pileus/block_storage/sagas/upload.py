"""Volumes and images: a volume's bytes become an image's, an image's a volume's that is there already."""

from pileus.block_storage import images, states
from pileus.block_storage.drivers.base import Part, Source
from pileus.block_storage.sagas.volume import change, driver, fail, find_volume, host_of, read_volume
from pileus.core.saga import Run, Saga, Step, Wait

# -- volume to image ---------------------------------------------------------------------------------------------------


def upload_bytes(run: Run) -> None:
    """Whoever has the volume may write to it meanwhile; what is sent is one moment's as far as the host can tell."""
    volume = read_volume(run)
    chunks = driver(run).read_as(host_of(volume), Part(run.id), run.data["disk_format"])
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
    steps=[Step(upload_bytes, undo=delete_image), Step(mark_uploaded)],
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
