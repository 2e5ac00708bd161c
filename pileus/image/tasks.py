"""Tasks: the records of what was asked of images beside uploads, and how it ended."""

from typing import Any

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.image.store import Task

PENDING, PROCESSING, SUCCESS, FAILURE = "pending", "processing", "success", "failure"
KEEP_DAYS = 2


def create_task(tx: Tx, ctx: Context, kind: str, image_id: str, project_id: str | None, asked: dict[str, Any]) -> Task:
    now = clock.now()
    task = Task(
        id=clock.new_id(),
        image_id=image_id,
        project_id=project_id,
        user_id=ctx.user_id,
        request_id=ctx.request_id,
        type=kind,
        status=PENDING,
        input=asked,
        message="",
        created_at=now,
        updated_at=now,
        expires_at=clock.after(KEEP_DAYS * 86400),
        result=None,
    )
    tx.insert(task)
    return task


def process_task(tx: Tx, task_id: str) -> None:
    tx.update(Task, {"id": task_id, "status": PENDING}, status=PROCESSING, updated_at=clock.now())


def end_task(tx: Tx, task_id: str, status: str, message: str = "", result: dict[str, Any] | None = None) -> None:
    expires = clock.after(KEEP_DAYS * 86400)
    tx.update(Task, task_id, status=status, message=message, result=result, updated_at=clock.now(), expires_at=expires)
