"""Tells operators what is in doubt for longer than it should be, or waits for a person: as a metric and in the log."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import structlog

from worker import telemetry
from worker.domain.states import ItemState
from worker.progress import Beat, LoopName, unwatched
from worker.rounds import in_rounds
from worker.store import reading
from worker.store.database import Connection, Pool, acquire

log = structlog.get_logger(__name__)

Overdue = Mapping[tuple[str, ItemState], int]
"""(organisation, state) → how many; those that wait for a person among them."""


class Alarms:
    """Looks again and again. An alarm is logged when it begins or grows; the metric says how it is now."""

    def __init__(self, pool: Pool, every: timedelta, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._every = every
        self._beat = beat
        self._known: Overdue = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        await in_rounds(LoopName.ALARMS, self._run_once, stop, every=self._every, beat=self._beat)

    async def _run_once(self) -> None:
        async with acquire(self._pool) as connection:
            overdue = await _overdue(connection)
        for (organization_id, state), count in overdue.items():
            if count > self._known.get((organization_id, state), 0):
                log.error("items_overdue", organization_id=organization_id, state=state, count=count)
        _measure(overdue)
        self._known = overdue


async def _overdue(connection: Connection) -> Overdue:
    counts: Counter[tuple[str, ItemState]] = Counter()
    for doubt in await reading.doubts(connection):
        counts[doubt.organization_id, doubt.state] += doubt.count
    return counts


def _measure(overdue: Overdue) -> None:
    for state in (ItemState.SENDING, ItemState.CONFIRMING, ItemState.UNKNOWN):
        count = sum(number for (_, own), number in overdue.items() if own == state)
        telemetry.OVERDUE_ITEMS.labels(state).set(count)
