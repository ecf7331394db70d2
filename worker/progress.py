"""When each loop last came round: what the watchdog and `/livez` go by. Trying in vain is coming round."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

from connectors.activity import told

LONGEST_REST = 60.0
"""Seconds. No loop waits longer, however far away its next work is, so that it can be seen to live."""


class LoopName(StrEnum):
    INTAKE = "intake"
    DISPATCH = "dispatch"
    RENEWAL = "renewal"
    CLAIMER = "claimer"
    FIRST_CLAIMER = "first_claimer"
    SETTLER = "settler"
    DRAIN = "drain"
    DELIVERY = "delivery"
    LOOK_UP = "look_up"
    PROBE = "probe"
    RECEIPTS = "receipts"
    RECEIPT = "receipt"
    OUTBOX = "outbox"
    SCHEDULE = "schedule"
    ALARMS = "alarms"
    SILENT_SESSIONS = "silent_sessions"
    NOTIFICATIONS = "notifications"
    SESSIONS = "sessions"
    AUDIT = "audit"


class Beat(Protocol):
    """Called by a loop each time it comes round.

    `rests`: seconds until it does again, by its own plan. `in_vain`: what it needs was away, so nobody may blame it for
    what did not move, until it says that it is not; None: as before.
    """

    def __call__(self, rests: float = 0.0, *, in_vain: bool | None = None) -> None: ...


def unwatched(rests: float = 0.0, *, in_vain: bool | None = None) -> None:
    """For loops that nobody watches."""


@dataclass(frozen=True, slots=True)
class Stall:
    """What stands still. `why` is a sentence for the operator, `at` the places in the code where it waits."""

    loop: str
    subject: str
    why: str
    at: tuple[str, ...] = ()


class StalledError(Exception):
    """Ends the process: somebody has to start it anew."""


@dataclass(slots=True)
class _Round:
    """Changed in place: a beat comes several times with each request."""

    at: float
    due: float
    in_vain: bool
    task: asyncio.Task[object] | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """A loop that should have come round so many seconds ago."""

    loop: LoopName
    subject: str
    seconds: float
    task: asyncio.Task[object] | None


class Pulse:
    """One worker's loops by name, and by subject (an organisation, an item) where there are several."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rounds: dict[tuple[LoopName, str], _Round] = {}
        self.stall: Stall | None = None
        """Set once, by who found it; from then on the process is on its way out."""

    def of(self, loop: LoopName, subject: str = "") -> Beat:
        """The loop is watched from now on."""
        now = self._clock()
        self._rounds[loop, subject] = _Round(now, now, False, None)
        return partial(self.beat, loop, subject)

    def beat(self, loop: LoopName, subject: str = "", rests: float = 0.0, *, in_vain: bool | None = None) -> None:
        """Of one that is not watched any more, it counts for nothing: a request may outlive who asked for it."""
        found = self._rounds.get((loop, subject))
        if found is not None:
            found.at = self._clock()
            found.due = found.at + rests
            found.in_vain = found.in_vain if in_vain is None else in_vain
            if found.task is None or found.task.done():
                found.task = _current_task()

    @contextmanager
    def watching(self, loop: LoopName, subject: str) -> Iterator[Beat]:
        """Watched as long as this lasts. A request to the ERP that begins or ends within is a sign of life."""
        beat = self.of(loop, subject)
        beat()
        token = told.set(lambda within: beat(rests=within))
        try:
            yield beat
        finally:
            told.reset(token)
            self._rounds.pop((loop, subject), None)

    def is_in_vain(self, loop: LoopName, subject: str = "") -> bool:
        """Whether the loop could not do its work when it last came round."""
        found = self._rounds.get((loop, subject))
        return found is not None and found.in_vain

    def overdue(self) -> list[Overdue]:
        now = self._clock()
        return [
            Overdue(loop, subject, now - one.due, one.task)
            for (loop, subject), one in self._rounds.items()
            if one.due < now
        ]

    def ages(self) -> dict[LoopName, float]:
        """Seconds since each loop came round; of several under one name, the longest."""
        now = self._clock()
        ages = dict.fromkeys(LoopName, 0.0)
        for (loop, _), one in self._rounds.items():
            ages[loop] = max(ages[loop], now - one.at)
        return ages

    def forgive(self, seconds: float) -> None:
        """The whole process stood still for so long (SIGSTOP, a stalled machine): no loop is to blame."""
        now = self._clock()
        for one in self._rounds.values():
            one.at = min(one.at + seconds, now)
            one.due += seconds


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
