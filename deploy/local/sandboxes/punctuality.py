"""Since when a request may have stood at the door: a sandbox that is busy sees it late, and must not call it late.

An event loop asks the kernel, again and again, what has come. What it handles now was not there when it asked a few
rounds ago; where it had nothing to do in between, it came at the end of that rest.
"""

import asyncio
import selectors
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

_ROUNDS_UNTIL_HANDLED = 4
"""From the round that accepts a connection, or reads from one, to the one in which its request is handled."""

_A_REST = 0.05
"""Seconds. Less may be the machine's doing and no rest."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """`at` is UTC, when a request was seen. It may have come up to `lag` seconds before: the sandbox was busy."""

    at: datetime
    lag: float


class PunctualSelector(selectors.DefaultSelector):
    """Remembers when it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: deque[float] = deque([time.monotonic()], maxlen=_ROUNDS_UNTIL_HANDLED)
        self._rested_until = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        asked = time.monotonic()
        self._asked.append(asked)
        ready = super().select(timeout)
        came = time.monotonic()
        if came - asked > _A_REST:
            self._rested_until = came
        return ready

    def lag(self) -> float:
        """Seconds for which the request that is handled now may have waited at the door."""
        return time.monotonic() - max(self._asked[0], self._rested_until)


class PunctualLoop(asyncio.SelectorEventLoop):
    """The event loop of a sandbox."""

    def __init__(self) -> None:
        self._doors = PunctualSelector()
        super().__init__(self._doors)

    def lag(self) -> float:
        return self._doors.lag()


def arrival() -> Arrival:
    """Of the request that is handled now. Loops of another kind have no lag."""
    loop = asyncio.get_running_loop()
    return Arrival(datetime.now(UTC), loop.lag() if isinstance(loop, PunctualLoop) else 0.0)
