"""Whether the work moves: it looks at what should, from the outside, and waits until it has stood still for too long.

Each inspection looks with connections of its own, since those of the worker may be what is dead. While what it needs
to look is away it sees nothing, and begins anew.
"""

import asyncio
import time
from collections.abc import Hashable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from worker.domain.standstill import Sign, look_again, standing
from worker.progress import Beat, Pulse, Stall
from worker.rounds import pause
from worker.store.database import DatabaseAwayError
from worker.watchdog import give_up

log = structlog.get_logger(__name__)

LOOKS_PER_STALL = 6
LONGEST_INTERVAL = 30.0
LONGEST_LOOK = 60.0
AWAY = (DatabaseAwayError, KafkaError, TimeoutError, OSError)


class Inspection(Protocol):
    """One kind of work."""

    async def look(self) -> Mapping[str, Hashable]:
        """What should move, by subject, with what changes when it does. Work that is held up by others is left out."""
        ...

    async def is_real(self, subject: str) -> bool:
        """Asked of what has stood still for the stall time, before anybody is blamed."""
        ...

    def stall(self, subject: str, seconds: float) -> Stall: ...


class Auditor:
    """Raises StalledError where work stands still."""

    def __init__(self, inspections: Sequence[Inspection], patience: timedelta, pulse: Pulse, beat: Beat) -> None:
        self._seen: dict[Inspection, dict[str, Sign]] = {inspection: {} for inspection in inspections}
        self._patience = patience.total_seconds()
        self._interval = min(self._patience / LOOKS_PER_STALL, LONGEST_INTERVAL)
        self._pulse = pulse
        self._beat = beat

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            for inspection in self._seen:
                self._beat(rests=2 * LONGEST_LOOK)
                await self._try_once(inspection)
            await self._rest(stop)

    async def _try_once(self, inspection: Inspection) -> None:
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                await self._run_once(inspection)
        except AWAY as error:
            log.debug("nothing_to_be_seen", inspection=type(inspection).__name__, error=type(error).__name__)
            self._seen[inspection] = {}

    async def _run_once(self, inspection: Inspection) -> None:
        signs = await inspection.look()
        now = time.monotonic()
        seen = self._seen[inspection] = look_again(self._seen[inspection], signs, now)
        for subject in standing(seen, self._patience, now):
            if await inspection.is_real(subject):
                raise give_up(self._pulse, inspection.stall(subject, now - seen[subject].since))
            del seen[subject]

    async def _rest(self, stop: asyncio.Event) -> None:
        """A pause that took much longer than planned: the process itself stood still, and nobody is to blame."""
        before = time.monotonic()
        await pause(stop, self._interval)
        if time.monotonic() - before > 2 * self._interval:
            self._seen = {inspection: {} for inspection in self._seen}
