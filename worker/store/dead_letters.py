"""Records that can't be accepted: a row first, a message on the dead-letter topic second."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from schemas.dead_letter import DeadLetterReason
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("dead_letters")


@dataclass(frozen=True, slots=True)
class DeadRecord:
    """A Kafka record as it came, and why it can't be accepted."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    organization_id: str | None
    reason: DeadLetterReason
    detail: str

    @property
    def digest(self) -> bytes:
        """Tells apart the records of a topic that was deleted and made again."""
        return hashlib.sha256((self.key or b"") + b"\0" + (self.value or b"")).digest()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as people see it in a list. `size` in bytes; None for a tombstone."""

    dead_letter_id: int
    topic: str
    partition: int
    kafka_offset: int
    organization_id: str | None
    reason: str
    detail: str
    received_at: datetime
    size: int | None


@dataclass(frozen=True, slots=True)
class WholeDeadLetter:
    letter: DeadLetter
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


async def bury(connection: Connection, records: Sequence[DeadRecord]) -> None:
    """Keeps the records and queues them for the dead-letter topic; one that was read before changes nothing."""
    columns = map(list, zip(*map(_columns, records), strict=True))
    headers = [(place, *header) for place, record in enumerate(records, start=1) for header in _headers(record)]
    letters, names, contents = map(list, zip(*headers, strict=True)) if headers else ([], [], [])
    await connection.execute(_SQL["bury"], *columns, letters, names, contents)
    await connection.execute(load("outbox")["wake_outbox"])


async def newest(connection: Connection, below: int, limit: int) -> list[DeadLetter]:
    return [_letter(row) for row in await connection.fetch(_SQL["list_dead_letters"], below, limit)]


async def show(connection: Connection, dead_letter_id: int) -> WholeDeadLetter | None:
    row = await connection.fetchrow(_SQL["show_dead_letter"], dead_letter_id)
    if row is None:
        return None
    headers = list(zip(row["header_names"], row["header_values"], strict=True))
    return WholeDeadLetter(_letter(row), row["key"], row["value"], headers)


def _columns(record: DeadRecord) -> tuple[object, ...]:
    return (
        record.topic,
        record.partition,
        record.offset,
        record.digest,
        record.organization_id,
        record.reason,
        record.detail,
        record.key,
        record.value,
    )


def _headers(record: DeadRecord) -> Iterator[tuple[str, bytes | None]]:
    """PostgreSQL's text can't hold NUL, and a record that it refuses would be read again for ever."""
    return ((name.replace("\x00", "\ufffd"), value) for name, value in record.headers)


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=row["dead_letter_id"],
        topic=row["topic"],
        partition=row["partition"],
        kafka_offset=row["kafka_offset"],
        organization_id=row["organization_id"],
        reason=row["reason"],
        detail=row["detail"],
        received_at=row["received_at"],
        size=row["size"],
    )
