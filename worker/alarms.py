"""Tells operators what is in doubt for longer than it should be, or waits for a person: as a metric and in the log."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import structlog

from worker import telemetry
from worker.progress import Beat, unwatched
from worker.store import reading
from worker.store.database import DatabaseAwayError, Pool, acquire

log = structlog.get_logger(__name__)

Overdue = Mapping[tuple[str, str], int]
"""(organisation, state) → how many."""


class Alarms:
    """Looks again and again. An alarm is logged when it begins or grows; the metric says how it is now."""

    def __init__(self, pool: Pool, every: timedelta, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._every = every
        self._beat = beat
        self._known: Overdue = {}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(DatabaseAwayError):
                await self._run_once()
            self._beat(rests=self._every.total_seconds())
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every.total_seconds())

    async def _run_once(self) -> None:
        async with acquire(self._pool) as connection:
            overdue = await reading.overdue(connection)
        for (organization_id, state), count in overdue.items():
            if count > self._known.get((organization_id, state), 0):
                log.error("items_overdue", organization_id=organization_id, state=state, count=count)
        _measure(overdue)
        self._known = overdue


def _measure(overdue: Overdue) -> None:
    for state in ("sending", "confirming", "unknown"):
        count = sum(number for (_, own), number in overdue.items() if own == state)
        telemetry.OVERDUE_ITEMS.labels(state).set(count)
