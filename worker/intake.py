"""The Kafka loop: fetch → store in one transaction → commit explicit offsets. It never speaks HTTP.

A failed batch is sought back to, so that the next fetch begins where this one did: no offset is ever skipped.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError

from worker import telemetry
from worker.batch import Channel, Record, store_batch
from worker.domain.retry import back_off
from worker.persistence import until_stopped
from worker.store.database import DatabaseAwayError, Pool
from worker.store.intake import Partition, Tally

log = structlog.get_logger(__name__)

POLL_MILLISECONDS = 500
BATCH_RECORDS = 2000
BROKER_SECONDS = 20.0
LONGEST_FETCH_SECONDS = 120.0
LONGEST_RETRY = timedelta(seconds=5)


class Intake:
    """One consumer of both topics."""

    def __init__(
        self, make_consumer: Callable[[], AIOKafkaConsumer], pool: Pool, channels: Mapping[str, Channel]
    ) -> None:
        """`channels` says what each topic carries. A consumer that failed for good is thrown away and made again."""
        self._make_consumer = make_consumer
        self._consumer: AIOKafkaConsumer | None = None
        self._pool = pool
        self._channels = channels
        self._failures = 0

    def is_assigned(self) -> bool:
        """Whether the group has given this consumer partitions."""
        return self._consumer is not None and bool(self._consumer.assignment())

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set: the batch at hand is finished and committed first."""
        await until_stopped("kafka", (KafkaError,), partial(self._consume, stop), stop)

    async def _consume(self, stop: asyncio.Event) -> None:
        consumer = self._consumer = self._make_consumer()
        try:
            await consumer.start()
            while not stop.is_set():
                await self._run_once(consumer)
        finally:
            self._consumer = None
            await _leave(consumer)

    async def _run_once(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await _fetch(consumer)
        records = [record for partition in fetched.values() for record in partition]
        if not records:
            return
        try:
            tallies = await store_batch(self._pool, records, self._channels)
        except DatabaseAwayError as error:
            await self._go_back(consumer, fetched, error)
            return
        self._failures = 0
        _count(tallies)
        await _commit(consumer, fetched)

    async def _go_back(
        self, consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[Record]], error: Exception
    ) -> None:
        self._failures += 1
        delay = min(back_off(self._failures, random.random()), LONGEST_RETRY)  # noqa: S311  # spreads, hides nothing
        log.warning("batch_not_stored", error=str(error), retry_seconds=round(delay.total_seconds(), 2))
        for partition, records in fetched.items():
            if partition in consumer.assignment():
                consumer.seek(partition, records[0].offset)
        await asyncio.sleep(delay.total_seconds())


async def _fetch(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Record]]:
    """`getmany` may block without limit while partitions are reassigned; a consumer that does is made anew."""
    try:
        async with asyncio.timeout(LONGEST_FETCH_SECONDS):
            fetched: Mapping[TopicPartition, Sequence[Record]] = await consumer.getmany(
                timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS
            )
    except TimeoutError:
        raise KafkaTimeoutError from None
    return fetched


async def _commit(consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[Record]]) -> None:
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
