"""The outbox: events written with the change they tell of, read back in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from schemas.outcome import OutcomeEvent
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("outbox")


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    outbox_id: int
    event_id: UUID
    organization_id: str
    event_type: str
    value: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingDeadLetter:
    """The original record, with why it could not be accepted and where it stood."""

    outbox_id: int
    created_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    reason: str
    detail: str
    topic: str
    partition: int
    kafka_offset: int


async def write(connection: Connection, event: OutcomeEvent) -> None:
    """Must run inside the transaction of the change that the event tells of."""
    await connection.execute(_SQL["write_event"], event.organization_id, event.TYPE, event.to_json())
    await connection.execute(_SQL["wake_outbox"])


async def lead(connection: Connection) -> bool:
    """Whether this transaction is the one publisher."""
    leads: bool = await connection.fetchval(_SQL["lead_outbox"])
    return leads


async def next_events(connection: Connection, limit: int, enough_bytes: int) -> list[WaitingEvent | WaitingDeadLetter]:
    """In their order; none after those whose dead letters weigh `enough_bytes` together."""
    return [_waiting(row) for row in await connection.fetch(_SQL["next_events"], limit, enough_bytes)]


async def forget(connection: Connection, outbox_ids: Sequence[int]) -> None:
    await connection.execute(_SQL["forget_published"], outbox_ids)


def _waiting(row: asyncpg.Record) -> WaitingEvent | WaitingDeadLetter:
    if row["reason"] is None:
        return WaitingEvent(
            row["outbox_id"],
            row["event_id"],
            row["organization_id"],
            row["event_type"],
            row["value"],
            row["created_at"],
        )
    return WaitingDeadLetter(
        outbox_id=row["outbox_id"],
        created_at=row["created_at"],
        key=row["dead_key"],
        value=row["dead_value"],
        headers=list(zip(row["header_names"], row["header_values"], strict=True)),
        reason=row["reason"],
        detail=row["detail"],
        topic=row["topic"],
        partition=row["partition"],
        kafka_offset=row["kafka_offset"],
    )
