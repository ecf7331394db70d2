"""An ERP's limits for one user: requests at once, requests in a window of time. `None` switches a limit
off."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict


class Limits(BaseModel):
    """`queued` requests may wait for one of the `at_once` places; `credits` is what all requests together may
    cost, one each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int | None = None
    queued: int = 0
    per_window: int | None = None
    window_seconds: float = 5
    credits: int | None = None
    credits_reset_seconds: float = 3600


class TooManyAtOnceError(Exception):
    """All places and the queue are taken."""


class TooManyInWindowError(Exception):
    """The window of time is used up."""


class OutOfCreditsError(Exception):
    """`reset_at` is in seconds since 1970."""

    def __init__(self, reset_at: float) -> None:
        super().__init__("The quota is used up.")
        self.reset_at = reset_at


class _Usage:
    def __init__(self) -> None:
        self.inside = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.arrivals: deque[float] = deque()
        self.spent = 0
        self.spent_since = time.time()


class Gate:
    """Users don't share limits. New limits count from when they are set."""

    def __init__(self, limits: Limits) -> None:
        self.change(limits)

    def change(self, limits: Limits) -> None:
        self.limits = limits
        self._usage: defaultdict[str, _Usage] = defaultdict(_Usage)

    @asynccontextmanager
    async def admit(self, user: str) -> AsyncIterator[None]:
        """Raises `TooManyInWindowError`, `OutOfCreditsError` or `TooManyAtOnceError`; waits in the queue
        where there is one."""
        usage = self._usage[user]
        self._count(usage)
        self._spend(usage)
        await self._enter(usage)
        try:
            yield
        finally:
            _leave(usage)

    def _count(self, usage: _Usage) -> None:
        if self.limits.per_window is None:
            return
        now = time.monotonic()
        while usage.arrivals and usage.arrivals[0] <= now - self.limits.window_seconds:
            usage.arrivals.popleft()
        if len(usage.arrivals) >= self.limits.per_window:
            raise TooManyInWindowError
        usage.arrivals.append(now)

    def _spend(self, usage: _Usage) -> None:
        if self.limits.credits is None:
            return
        reset_at = usage.spent_since + self.limits.credits_reset_seconds
        if time.time() >= reset_at:
            usage.spent, usage.spent_since = 0, time.time()
        if usage.spent >= self.limits.credits:
            raise OutOfCreditsError(reset_at)
        usage.spent += 1

    async def _enter(self, usage: _Usage) -> None:
        if self.limits.at_once is not None and usage.inside >= self.limits.at_once:
            if len(usage.waiting) >= self.limits.queued:
                raise TooManyAtOnceError
            await _queue(usage)
        else:
            usage.inside += 1


async def _queue(usage: _Usage) -> None:
    """A place is handed over by whoever leaves, so `inside` doesn't change."""
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    usage.waiting.append(turn)
    await turn


def _leave(usage: _Usage) -> None:
    while usage.waiting:
        turn = usage.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
    usage.inside -= 1
