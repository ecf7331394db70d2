"""The Kafka loop: fetch → store in one transaction → commit explicit offsets. It never speaks HTTP.

While PostgreSQL stores one batch, the next is fetched and read, and the offsets of the one before are committed. Rows
come before offsets, and both in their order. A failed batch is sought back to, so that the next fetch begins where it
did: no offset is ever skipped.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeAlias, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError

from worker import telemetry
from worker.batch import Batch, Channel, Record, sort_in_turns, store_batch
from worker.domain.retry import back_off
from worker.persistence import until_stopped
from worker.progress import Beat, unwatched
from worker.store.database import DatabaseAwayError, Pool
from worker.store.intake import Partition, Tally

log = structlog.get_logger(__name__)

POLL_MILLISECONDS = 500
BATCH_RECORDS = 2000
SMALLEST_BATCH = 20
BROKER_SECONDS = 20.0
LONGEST_FETCH_SECONDS = 120.0
LONGEST_RETRY = timedelta(seconds=5)

T = TypeVar("T")


Fetched: TypeAlias = "Mapping[TopicPartition, Sequence[Record]]"


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch that is being stored."""

    fetched: Fetched
    storing: asyncio.Task[None]


class Intake:
    """One consumer of both topics."""

    def __init__(
        self,
        make_consumer: Callable[[], AIOKafkaConsumer],
        pool: Pool,
        channels: Mapping[str, Channel],
        beat: Beat = unwatched,
    ) -> None:
        """`channels` says what each topic carries. A consumer that failed for good is thrown away and made again."""
        self._make_consumer = make_consumer
        self._consumer: AIOKafkaConsumer | None = None
        self._pool = pool
        self._channels = channels
        self._beat = beat
        self._failures = 0
        self._reads_copies = False
        self._seat = _Seat()
        self._under_way: _UnderWay | None = None
        self._committing: asyncio.Task[None] | None = None

    def is_assigned(self) -> bool:
        """Whether the group has given this consumer its share, which is none where workers outnumber partitions."""
        return self._consumer is not None and self._seat.is_taken

    def assignment(self) -> frozenset[TopicPartition]:
        """This consumer's partitions now."""
        return self._consumer.assignment() if self._consumer else frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set: the batch at hand is finished and committed first."""
        await until_stopped("kafka", (KafkaError,), partial(self._consume, stop), stop)

    async def _consume(self, stop: asyncio.Event) -> None:
        consumer = self._consumer = self._make_consumer()
        self._seat = _Seat()
        consumer.subscribe(list(self._channels), listener=self._seat)
        try:
            await self._join(consumer, stop)
            while not stop.is_set():
                await self._run_once(consumer, stop)
            await self._has_stored(consumer, ahead={})
            await self._has_committed()
        finally:
            self._consumer = None
            await self._break_off()
            await _leave(consumer)

    async def _join(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """`start` waits for the group without limit."""
        self._beat(rests=LONGEST_FETCH_SECONDS)
        await _unless_stopped(consumer.start(), stop)

    async def _run_once(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        self._beat(rests=LONGEST_FETCH_SECONDS)
        fetched = await _fetch(consumer, stop, batch_size(self._failures))
        self._beat()
        records = [record for partition in fetched.values() for record in partition]
        batch = await sort_in_turns(records, self._channels)
        if not await self._has_stored(consumer, ahead=fetched):
            return
        if records:
            storing = asyncio.create_task(self._store(consumer, fetched, records, batch))
            self._under_way = _UnderWay(fetched, storing)
        else:
            await self._has_committed()
            self._beat(in_vain=False)

    async def _store(
        self, consumer: AIOKafkaConsumer, fetched: Fetched, records: Sequence[Record], batch: Batch
    ) -> None:
        """Leaves the offsets to a task of their own. Raises DatabaseAwayError, and KafkaError for the batch before."""
        batch.expects_copies = self._reads_copies
        _count(await store_batch(self._pool, records, self._channels, batch))
        self._reads_copies = batch.was_mostly_copies
        await self._has_committed()
        self._committing = asyncio.create_task(_commit(consumer, fetched))

    async def _has_committed(self) -> None:
        """Waits for the offsets under way. Raises KafkaError where the broker refuses them for good."""
        if self._committing is not None:
            await self._committing
            self._committing = None

    async def _has_stored(self, consumer: AIOKafkaConsumer, ahead: Fetched) -> bool:
        """Waits for the batch under way. False: it is to be fetched again, and what was fetched ahead after it."""
        if self._under_way is None:
            return True
        try:
            await self._under_way.storing
        except DatabaseAwayError as error:
            await self._go_back(consumer, {**ahead, **self._under_way.fetched}, error)
            return False
        finally:
            self._under_way = None
        self._failures = 0
        self._beat(in_vain=False)
        return True

    async def _break_off(self) -> None:
        """Without the rest of what is under way: whatever is not committed is read again."""
        tasks = [task for task in (self._under_way and self._under_way.storing, self._committing) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way = self._committing = None

    async def _go_back(self, consumer: AIOKafkaConsumer, fetched: Fetched, error: Exception) -> None:
        self._failures += 1
        delay = min(back_off(self._failures, random.random()), LONGEST_RETRY)  # noqa: S311  # spreads, hides nothing
        log.warning("batch_not_stored", error=str(error), retry_seconds=round(delay.total_seconds(), 2))
        self._beat(rests=delay.total_seconds(), in_vain=True)
        for partition, records in fetched.items():
            if partition in consumer.assignment():
                consumer.seek(partition, records[0].offset)
        await asyncio.sleep(delay.total_seconds())


class _Seat(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Whether the group has told this consumer its share."""

    def __init__(self) -> None:
        self.is_taken = False

    def on_partitions_revoked(self, _revoked: object) -> None:
        self.is_taken = False

    def on_partitions_assigned(self, _assigned: object) -> None:
        self.is_taken = True


def batch_size(failures: int) -> int:
    """How many records to fetch after so many failures in a row: halved each time, since a short transaction gets
    through where PostgreSQL comes and goes, and a long one never does."""
    return max(BATCH_RECORDS >> failures, SMALLEST_BATCH)


async def _fetch(consumer: AIOKafkaConsumer, stop: asyncio.Event, most: int) -> Fetched:
    """`getmany` may block without limit while partitions are reassigned."""
    fetching: Coroutine[None, None, Fetched] = consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=most)
    return await _unless_stopped(fetching, stop) or {}


async def _unless_stopped(work: Coroutine[None, None, T], stop: asyncio.Event) -> T | None:
    """None where the worker is asked to stop first. A consumer that keeps us waiting for too long is made anew: raises
    KafkaTimeoutError."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, timeout=LONGEST_FETCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if stop.is_set():
            return None
        raise KafkaTimeoutError
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})


async def _commit(consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
    """A refused commit is routine in a rebalance: the next owner reads the batch again, and the keys absorb it."""
    offsets = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await consumer.commit(offsets)
    except (CommitFailedError, IllegalStateError, TimeoutError) as error:
        log.warning("offsets_not_committed", error=type(error).__name__)
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("offsets_not_committed", error=type(error).__name__)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS / 4):
            await consumer.stop()
    except TimeoutError:
        log.warning("consumer_did_not_stop")


def _count(tallies: Mapping[Partition, Tally]) -> None:
    for tally in tallies.values():
        telemetry.RECORDS.labels("approval").inc(tally.approvals)
        telemetry.RECORDS.labels("toggle").inc(tally.toggles)
        telemetry.RECORDS.labels("duplicate").inc(tally.duplicates)
        telemetry.RECORDS.labels("dead_letter").inc(tally.dead_letters)
