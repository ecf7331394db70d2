"""Keeps connectors inside an ERP's limits: requests at once, and requests in a window of time.

An ERP counts by who signs in, so organisations that sign in as the same user are paced together.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from weakref import WeakSet

from aiolimiter import AsyncLimiter

from connectors.activity import is_heard_of

_HEADROOM = 0.9
"""The ERP counts what others send under the same user too, and its window is not ours."""

_BURST_SHARE = 0.1

_ROOM = 64
"""Turnstiles that are kept before any is looked at whether it can be forgotten."""

LONGEST_WAIT = 1200.0
"""Seconds for which others may keep the gate, or a request of theirs, with the longest time-outs that can be
configured."""


class Pace:
    """`async with pace:` around each request. At most `requests` begin in any `seconds`, at most `concurrency` run at
    once; where several paces share a turnstile, by the strictest of them that are there."""

    def __init__(self, *, requests: int, seconds: float, concurrency: int) -> None:
        self.requests = requests
        self.seconds = seconds
        self.concurrency = concurrency
        self._turnstile = Turnstile(seconds)

    @property
    def turnstile(self) -> "Turnstile":
        return self._turnstile

    def share(self, turnstile: "Turnstile") -> None:
        """From now on, together with whoever goes through it; before the first request."""
        self._turnstile = turnstile
        turnstile.join(self)

    def retire(self) -> None:
        """Its limits count no longer, until its next request. Nor do those of one that nobody holds any more."""
        self._turnstile.retire(self)

    async def __aenter__(self) -> None:
        self._turnstile.join(self)
        is_heard_of(within=LONGEST_WAIT)
        await self._turnstile.enter()
        try:
            is_heard_of(within=self.seconds)
            await self._turnstile.wait_for_turn(self)
        except BaseException:
            self._turnstile.leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turnstile.leave()


class Turnstile:
    """What all go through who are one user to the ERP. It belongs to the event loop that waits at it.

    The strictest of the paces that are there holds: limits that are configured anew hold at once, and those of a
    connector that is gone no longer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._paces: WeakSet[Pace] = WeakSet()
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        # One for each number of requests there ever was: who comes back to one finds it as full as it was left.
        self._limiters: dict[int, AsyncLimiter] = {}
        self._used_at = -seconds

    def join(self, pace: Pace) -> None:
        self._paces.add(pace)

    def retire(self, pace: Pace) -> None:
        self._paces.discard(pace)

    def is_forgettable(self, now: float) -> bool:
        """Nobody is there, and what was let through counts no longer at the ERP."""
        return not self._paces and now - self._used_at > self._seconds

    async def enter(self) -> None:
        if not self._waiting and self._inside < self._concurrency():
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was let in and called off in the same turn of the loop
            raise

    async def wait_for_turn(self, pace: Pace) -> None:
        requests = min([pace.requests, *(each.requests for each in self._paces)])
        limiter = self._limiters.get(requests)
        if limiter is None:
            limiter = self._limiters[requests] = limiter_within(requests * _HEADROOM, self._seconds)
        await limiter.acquire()
        self._used_at = asyncio.get_running_loop().time()

    def leave(self) -> None:
        """Whoever was inside lets in as many as there is room for, which may have become more or less."""
        self._inside -= 1
        while self._waiting and self._inside < self._concurrency():
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)

    def _concurrency(self) -> int:
        return min((pace.concurrency for pace in self._paces), default=1)


class SharedPaces:
    """Whoever signs in as the same user goes through one turnstile: with whichever secret, and under whichever limits.

    A turnstile is kept for as long as what went through it may still count. Only a digest of the identity is kept.
    """

    def __init__(self, make: Callable[[int, int], Pace]) -> None:
        """`make` takes requests in a window, and requests at once."""
        self._make = make
        self._turnstiles: dict[tuple[int, bytes], tuple[asyncio.AbstractEventLoop, Turnstile]] = {}
        self._room = _ROOM

    def __len__(self) -> int:
        return len(self._turnstiles)

    def of(self, identity: Sequence[str], requests: int, concurrency: int) -> Pace:
        """`identity` is what the ERP counts by, without what may be renewed beside it."""
        pace = self._make(requests, concurrency)
        loop = asyncio.get_running_loop()
        key = (id(loop), hashlib.sha256("\x00".join(identity).encode()).digest())
        if key not in self._turnstiles and len(self._turnstiles) >= self._room:
            self._forget()
        _, turnstile = self._turnstiles.setdefault(key, (loop, pace.turnstile))
        pace.share(turnstile)
        return pace

    def _forget(self) -> None:
        self._turnstiles = {
            key: (loop, turnstile)
            for key, (loop, turnstile) in self._turnstiles.items()
            if not loop.is_closed() and not turnstile.is_forgettable(loop.time())
        }
        self._room = max(_ROOM, 2 * len(self._turnstiles))


def limiter_within(requests: float, seconds: float) -> AsyncLimiter:
    """A leaky bucket that never lets more than `requests` through in any window of `seconds`.

    A bucket of n that refills in T lets up to 2n through in one window: first what it holds, then what it refills.
    So burst and refill share the number.
    """
    burst = max(1.0, requests * _BURST_SHARE)
    refill_a_second = max(requests - burst, 0.1) / seconds
    return AsyncLimiter(burst, burst / refill_a_second)
