"""Publishing the outbox: in order, at least once, one publisher at a time."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from schemas.cloudevent import CloudEvent, encode_binary
from worker import telemetry
from worker.persistence import until_stopped
from worker.progress import Beat, unwatched
from worker.store import outbox
from worker.store.database import DatabaseAwayError, Pool, transaction
from worker.store.outbox import WaitingDeadLetter, WaitingEvent

log = structlog.get_logger(__name__)

SOURCE = "accounting-sync"
MOST_AT_ONCE = 500
ENOUGH_BYTES = 8 * 1024 * 1024
"""Dead letters may hold a megabyte each: so much is read at once, and handed over within the time for the broker."""
BROKER_SECONDS = 20.0
PAUSE_SECONDS = 1.0
GATHERING_SECONDS = 0.025


@dataclass(frozen=True, slots=True)
class Message:
    """`at` is PostgreSQL's time of the change: a broker refuses what comes from an hour ahead."""

    topic: str
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class OutboxPublisher:
    """Moves what waits in the outbox to the outcomes and dead-letter topics."""

    def __init__(
        self,
        pool: Pool,
        make_producer: Callable[[], AIOKafkaProducer],
        *,
        outcomes_topic: str,
        dead_letter_topic: str,
        poll: timedelta,
        beat: Beat = unwatched,
    ) -> None:
        self._pool = pool
        self._make_producer = make_producer
        self._outcomes_topic = outcomes_topic
        self._dead_letter_topic = dead_letter_topic
        self._poll = poll
        self._beat = beat
        self._woken = asyncio.Event()
        self.leads = False
        """Whether this worker was the publisher when it last asked."""

    def wake(self, _payload: str | None) -> None:
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A producer that failed is thrown away and made again."""
        await until_stopped("kafka", (KafkaError,), partial(self._publish_until, stop), stop)

    async def _publish_until(self, stop: asyncio.Event) -> None:
        producer = self._make_producer()
        self._beat(rests=BROKER_SECONDS, in_vain=True)
        try:
            await producer.start()
            while not stop.is_set():
                await self._try_once(producer, stop)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(BROKER_SECONDS / 4):
                    await producer.stop()

    async def _try_once(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
        self._woken.clear()
        self._beat(rests=BROKER_SECONDS)
        try:
            while published := await self._run_once(producer):
                self._beat(rests=BROKER_SECONDS, in_vain=False)
                if published < MOST_AT_ONCE:  # what comes meanwhile shares a transaction
                    await asyncio.sleep(GATHERING_SECONDS)
            wait = self._poll.total_seconds()
            self._beat(rests=wait, in_vain=False)
        except DatabaseAwayError as error:
            log.warning("outbox_waits", error=str(error))
            wait = PAUSE_SECONDS
            self._beat(rests=wait, in_vain=True)
            self._woken.clear()
        await _first_of(stop, self._woken, wait)

    async def _run_once(self, producer: AIOKafkaProducer) -> int:
        """How many were published. They are forgotten only after the broker has acknowledged them."""
        async with transaction(self._pool) as connection:
            self.leads = await outbox.lead(connection)
            if not self.leads:
                return 0
            waiting = await outbox.next_events(connection, MOST_AT_ONCE, ENOUGH_BYTES)
            if not waiting:
                return 0
            await _publish(producer, [self._message(one) for one in waiting])
            await outbox.forget(connection, [one.outbox_id for one in waiting])
        telemetry.EVENTS_PUBLISHED.inc(len(waiting))
        return len(waiting)

    def _message(self, waiting: WaitingEvent | WaitingDeadLetter) -> Message:
        if isinstance(waiting, WaitingDeadLetter):
            return dead_letter_message(self._dead_letter_topic, waiting)
        return outcome_message(self._outcomes_topic, waiting)


async def _publish(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    """All are handed over before any is waited for: the producer lingers for each that is awaited alone."""
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            sent = [await _hand_over(producer, message) for message in messages]
            await asyncio.wait(sent)
            for message, acknowledged in zip(messages, sent, strict=True):
                await _acknowledged(producer, message, acknowledged)
    except TimeoutError:
        raise KafkaTimeoutError from None


async def _hand_over(producer: AIOKafkaProducer, message: Message) -> asyncio.Future[object]:
    try:
        return await _send(producer, message)
    except MessageSizeTooLargeError:
        return await _send(producer, _without_value(message))


async def _acknowledged(producer: AIOKafkaProducer, message: Message, sent: asyncio.Future[object]) -> None:
    """The broker's own limit may lie below ours; a record too large for it must not hold up all that follow."""
    try:
        await sent
    except MessageSizeTooLargeError:
        await (await _send(producer, _without_value(message)))


def _without_value(message: Message) -> Message:
    return Message(message.topic, message.at, message.key, None, [*message.headers, ("dl_value_omitted", b"true")])


async def _send(producer: AIOKafkaProducer, message: Message) -> asyncio.Future[object]:
    # aiokafka asserts that one of key and value is there; a record with neither may well be read.
    value = b"" if message.key is None and message.value is None else message.value
    future: asyncio.Future[object] = await producer.send(
        message.topic,
        value=value,
        key=message.key,
        headers=list(message.headers),
        timestamp_ms=int(message.at.timestamp() * 1000),
    )
    return future


def outcome_message(topic: str, waiting: WaitingEvent) -> Message:
    """An outcome event in CloudEvents' binary mode; sent twice it has the same id."""
    event = CloudEvent(
        id=str(waiting.event_id),
        source=SOURCE,
        type=waiting.event_type,
        time=waiting.created_at,
        subject=None,
        data=waiting.value,
    )
    headers, value = encode_binary(event)
    return Message(topic, waiting.created_at, waiting.organization_id.encode(), value, headers)


def dead_letter_message(topic: str, waiting: WaitingDeadLetter) -> Message:
    """The original key, value and headers, with why and where from."""
    why = {
        "dl_reason": waiting.reason,
        "dl_detail": waiting.detail,
        "dl_topic": waiting.topic,
        "dl_partition": str(waiting.partition),
        "dl_offset": str(waiting.kafka_offset),
    }
    headers = [*waiting.headers, *((name, text.encode()) for name, text in why.items())]
    return Message(topic, waiting.created_at, waiting.key, waiting.value, headers)


async def _first_of(stop: asyncio.Event, woken: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(woken.wait())]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
