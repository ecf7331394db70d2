"""Work that comes round again and again, until the worker is asked to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from worker.progress import Beat, LoopName
from worker.store.database import DatabaseAwayError

log = structlog.get_logger(__name__)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Ends early once `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def in_rounds(
    name: LoopName, work: Callable[[], Awaitable[object]], stop: asyncio.Event, *, every: timedelta, beat: Beat
) -> None:
    """Until `stop` is set: `work`, then a pause. Where the database is away, the next round does as well."""
    while not stop.is_set():
        try:
            await work()
        except DatabaseAwayError as error:
            log.warning("round_waits_for_database", loop=name, error=str(error))
        beat(rests=every.total_seconds())
        await pause(stop, every.total_seconds())
