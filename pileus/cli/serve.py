"""`pileus serve`: the controller. Two processes of one program: the APIs, and on the next port the bodies."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click


@click.command(short_help="The controller's process (`up` starts it).")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The cloud's state folder.")
def command(state: Path) -> None:
    """Serve the APIs of the cloud whose state folder this is (`pileus up` starts this)."""
    from pileus.core import log, memory
    from pileus.settings import CONFIG, load

    if not (state / CONFIG).exists():
        raise click.ClickException(f"There is no {CONFIG} in {state}: `pileus up` writes it, and starts this command.")
    try:
        settings = load(state)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    log.start(settings.log_level)
    memory.spare()
    gc.disable()  # nothing of what is imported now can be collected; `_run` turns it on again
    # both processes need the same modules: imported once, shared between them after the fork; no thread runs before it
    import granian.server.embed  # noqa: F401

    from pileus import services
    from pileus.app import Application
    from pileus.cloud import Cloud, prepare
    from pileus.core import bodies
    from pileus.core.bell import Bell
    from pileus.identity import check_keys
    from pileus.image import check_stores

    try:
        prepare(settings).close()
        check_keys(settings.folder)
        check_stores(settings)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    services.load()
    # a look through what is shared would write to every page of it, and so make it two
    gc.collect()
    gc.freeze()
    parent = os.getpid()
    bell = Bell()
    child = os.fork()
    if child == 0:
        _die_with(parent)
        bell.ring()
        _run(bodies.serve, Application(Cloud(settings)), settings.host, settings.port + 1)
        os._exit(0)
    try:
        application = Application(Cloud(settings))
        application.cloud.start()
        bell.hear()
        _run(_serve, application, settings.host, settings.port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _run(serve: Callable[[Any, str, int], Awaitable[None]], application: Any, host: str, port: int) -> None:
    # what is loaded by now stays for good: without this a list of a thousand servers sets off a look through all of it
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(_serving(serve(application.asgi, host, port)))
    finally:
        application.cloud.stop()


TRIM_SECONDS = 10.0


async def _trim() -> None:
    """Give back to the kernel what an answer of megabytes left free: the C library keeps it (malloc_trim(3), glibc's)."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim, 0)


def _die_with(parent: int) -> None:
    """Let the kernel end this process when its parent dies, however that happens (prctl PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


async def _serving(server: Awaitable[None]) -> None:
    trimming = asyncio.create_task(_trim())
    await server
    trimming.cancel()


async def _serve(application: Any, host: str, port: int) -> None:
    """The APIs' own: on small requests Granian is the quickest there is."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=1 << 20),
        websockets=True,
        log_enabled=False,
        backlog=1024,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    await server.serve()
