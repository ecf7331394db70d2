"""What the audit looks at: lanes, the outbox and the pool. What others hold up is no standstill of ours."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from worker.lanes import LaneKeeper
from worker.outbox import OutboxPublisher
from worker.progress import LoopName, Pulse, Stall
from worker.store import progress
from worker.store.database import DatabaseAwayError, OwnConnection, Pool, acquire, connect, translated
from worker.store.progress import StandingLane

Connecting = Callable[[], AbstractAsyncContextManager[OwnConnection]]
Reading = Callable[[], AbstractAsyncContextManager[AIOKafkaConsumer]]
BROKER_SECONDS = 20.0
READING_SECONDS = 5.0


@asynccontextmanager
async def own_connection(dsn: str) -> AsyncIterator[OwnConnection]:
    """None of the pool's, since the pool may be what is dead. Raises DatabaseAwayError."""
    connection = await connect(dsn)
    try:
        with translated():
            yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def own_reader(make_reader: Callable[[], AIOKafkaConsumer]) -> AsyncIterator[AIOKafkaConsumer]:
    """Knows all partitions, and is paused everywhere, so that it fetches only what it is asked for.

    Raises KafkaError or TimeoutError where the broker is away.
    """
    reader = make_reader()
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await reader.start()
            reader.pause(*reader.assignment())
            yield reader
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(READING_SECONDS):
                await reader.stop()


class LaneInspection:
    """Items that could be sent now, and are not: in lanes of this worker, or in lanes that nobody takes.

    A lane that waits for its ERP or for PostgreSQL, or has a request on the wire, is left out. So is one that is leased
    anew again and again: a drain that fails each time is told of by `drain_failed`, a new process does no better.
    """

    def __init__(self, connecting: Connecting, worker_id: UUID, keeper: LaneKeeper, pulse: Pulse) -> None:
        self._connecting = connecting
        self._worker_id = worker_id
        self._keeper = keeper
        self._pulse = pulse

    async def look(self) -> Mapping[str, Hashable]:
        with_free_ones = not self._keeper.is_full and not self._pulse.is_in_vain(LoopName.DISPATCH)
        async with self._connecting() as connection:
            lanes = await progress.standing_lanes(connection, self._worker_id, with_free_ones=with_free_ones)
        return {lane.organization_id: lane for lane in lanes if not self._is_held_up(lane)}

    async def is_real(self, _subject: str) -> bool:
        return True

    def stall(self, subject: str, seconds: float) -> Stall:
        holder = "this worker holds the lane" if subject in self._keeper.held else "no worker takes the lane"
        why = (
            f"Nothing was sent for {subject} in {seconds:.0f} s, though its connector is on, items are due, "
            f"and {holder}. The process ends to be started anew."
        )
        return Stall("lane", subject, why)

    def _is_held_up(self, lane: StandingLane) -> bool:
        held = self._keeper.held.get(lane.organization_id)
        return held is not None and (held.is_paused() or self._pulse.is_in_vain(LoopName.DRAIN, lane.organization_id))


class OutboxInspection:
    """Events that could be published, and are not, while this worker is the publisher."""

    def __init__(self, connecting: Connecting, reading: Reading, publisher: OutboxPublisher, pulse: Pulse) -> None:
        self._connecting = connecting
        self._reading = reading
        self._publisher = publisher
        self._pulse = pulse

    async def look(self) -> Mapping[str, Hashable]:
        if not self._publisher.leads or self._pulse.is_in_vain(LoopName.OUTBOX):
            return {}
        async with self._connecting() as connection:
            oldest = await progress.oldest_event(connection)
        if oldest is None:
            return {}
        async with self._reading():
            return {"outbox": oldest}

    async def is_real(self, _subject: str) -> bool:
        return True

    def stall(self, subject: str, seconds: float) -> Stall:
        why = (
            f"The oldest event of the outbox has not been published in {seconds:.0f} s, though this worker is its "
            "publisher and the broker answers. The process ends to be started anew."
        )
        return Stall("outbox", subject, why)


class PoolInspection:
    """PostgreSQL lets us in by the front door while the pool has no connection to give: they leaked, or hang."""

    def __init__(self, connecting: Connecting, pool: Pool) -> None:
        self._connecting = connecting
        self._pool = pool

    async def look(self) -> Mapping[str, Hashable]:
        try:
            async with acquire(self._pool):
                return {}
        except DatabaseAwayError:
            async with self._connecting():
                return {"pool": None}

    async def is_real(self, _subject: str) -> bool:
        return True

    def stall(self, subject: str, seconds: float) -> Stall:
        why = (
            f"The pool has had no connection to give for {seconds:.0f} s, though PostgreSQL takes new ones. "
            "The process ends to be started anew."
        )
        return Stall("pool", subject, why)
