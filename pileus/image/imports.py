"""Imports: how an image's bytes come by other ways than an upload. So far from where they were staged."""

from typing import Any

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.image.store import ACTIVE, STAGED, Image, Task

METHODS = ["glance-direct"]
KEEP_DAYS = 2


def import_image(tx: Tx, ctx: Context, image: Image, method: str, asked: dict[str, Any]) -> Task:
    """Make a staged image active. Raises BadRequest for a method that is not offered, Conflict when none is staged.

    The bytes were checked and hashed when they were staged, and lie where they stay: nothing is left to wait for.
    """
    if method not in METHODS:
        raise BadRequest(f"The import method {method[:100]!r} is not offered here; there is {', '.join(METHODS)}.")
    if image.status != STAGED:
        raise Conflict(f"Image {image.id} is {image.status}: its data must be staged before a {method} import.")
    outcome = {**image.properties, "os_glance_importing_to_stores": "", "os_glance_failed_import": ""}
    tx.update(Image, image.id, status=ACTIVE, properties=outcome, updated_at=clock.now())
    now = clock.now()
    task = Task(
        id=clock.new_id(),
        image_id=image.id,
        project_id=image.project_id,
        user_id=ctx.user_id,
        request_id=ctx.request_id,
        type="api_image_import",
        status="success",
        input={"image_id": image.id, "import_req": asked},
        message="",
        created_at=now,
        updated_at=now,
        expires_at=clock.after(KEEP_DAYS * 86400),
    )
    tx.insert(task)
    return task
