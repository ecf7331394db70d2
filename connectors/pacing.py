"""Keeps connectors inside an ERP's limits: requests at once, and requests in a window of time.

An ERP counts by who signs in, so organisations that share credentials share a pace.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from types import TracebackType
from weakref import WeakValueDictionary

from aiolimiter import AsyncLimiter

from connectors.activity import is_heard_of

_HEADROOM = 0.9
"""The ERP counts what others send under the same user too, and its window is not ours."""

_BURST_SHARE = 0.1

LONGEST_WAIT = 1200.0
"""Seconds for which others may keep the gate, or a request of theirs, with the longest time-outs that can be
configured."""


class Pace:
    """`async with pace:` around each request. At most `requests` begin in any `seconds`, at most
    `concurrency` run at once."""

    def __init__(self, *, requests: int, seconds: float, concurrency: int) -> None:
        self._seconds = seconds
        self._gate = asyncio.Semaphore(concurrency)
        self._limiter = limiter_within(requests * _HEADROOM, seconds)

    async def __aenter__(self) -> None:
        is_heard_of(within=LONGEST_WAIT)
        await self._gate.acquire()
        try:
            is_heard_of(within=self._seconds)
            await self._limiter.acquire()
        except BaseException:
            self._gate.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.release()


class SharedPaces:
    """One pace for whoever signs in with the same credentials under the same limits, as long as one of them is there.

    Limits that are configured anew hold at once, whoever still has the old ones. Only a digest of the credentials
    is kept.
    """

    def __init__(self, make: Callable[[int, int], Pace]) -> None:
        """`make` takes requests in a window, and requests at once."""
        self._make = make
        self._paces: WeakValueDictionary[tuple[int, bytes, int, int], Pace] = WeakValueDictionary()

    def of(self, credentials: Sequence[str], requests: int, concurrency: int) -> Pace:
        digest = hashlib.sha256("\x00".join(credentials).encode()).digest()
        # A gate belongs to the event loop that waits at it.
        key = (id(asyncio.get_running_loop()), digest, requests, concurrency)
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = self._make(requests, concurrency)
        return pace


def limiter_within(requests: float, seconds: float) -> AsyncLimiter:
    """A leaky bucket that never lets more than `requests` through in any window of `seconds`.

    A bucket of n that refills in T lets up to 2n through in one window: first what it holds, then what it refills.
    So burst and refill share the number.
    """
    burst = max(1.0, requests * _BURST_SHARE)
    refill_a_second = max(requests - burst, 0.1) / seconds
    return AsyncLimiter(burst, burst / refill_a_second)
