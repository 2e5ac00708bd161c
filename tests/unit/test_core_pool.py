"""The threads of requests keep nothing of what they did."""

import asyncio
import gc
import weakref

from pileus.core.pool import Pool


class Answer:
    """Megabytes, perhaps."""


def test_an_answer_is_let_go_though_its_thread_has_no_other_job() -> None:
    pool = Pool(1)

    async def ask() -> "weakref.ref[Answer]":
        return weakref.ref(await pool.run(Answer))

    async def asked() -> object:
        answer = await ask()
        for _ in range(500):
            if answer() is None:
                break
            await asyncio.sleep(0.01)
            gc.collect()
        return answer()

    try:
        assert asyncio.run(asked()) is None
    finally:
        pool.stop()
