"""Infrastructure that is away is tried again, with growing pauses, until it is back or the worker is asked to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never
from tenacity.wait import wait_random_exponential

from worker.rounds import pause

log = structlog.get_logger(__name__)

LONGEST_PAUSE_SECONDS = 10.0

T = TypeVar("T")


async def persistently(
    service: str,
    errors: tuple[type[Exception], ...],
    work: Callable[[], Awaitable[T]],
    stop: asyncio.Event | None = None,
) -> T:
    """What `work` answers. Its `errors` are retried; the last one flies once `stop` is set."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("service_away", service=service, error=type(error).__name__, tries=state.attempt_number)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(errors),
        wait=wait_random_exponential(multiplier=0.25, max=LONGEST_PAUSE_SECONDS),
        stop=(lambda _: stop.is_set()) if stop else stop_never,
        sleep=partial(pause, stop or asyncio.Event()),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(work)


async def until_stopped(
    service: str, errors: tuple[type[Exception], ...], work: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> None:
    """For loops: `persistently`, and a service that is away when the worker is asked to stop is no failure."""
    try:
        await persistently(service, errors, work, stop)
    except errors as error:
        if not stop.is_set():
            raise
        log.warning("stopped_while_away", service=service, error=type(error).__name__)
