"""What should move next, and whether it did."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from worker.store.database import Connection
from worker.store.intake import Partition
from worker.store.queries import load

_SQL = load("progress")


@dataclass(frozen=True, slots=True)
class StandingLane:
    """A lane with work that it may do now. `seq` and `attempt` are of the item that is next."""

    organization_id: str
    is_held: bool
    fence: int
    seq: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Position:
    """`changed_at` moves also where records that were stored before are read again."""

    next_offset: int
    changed_at: datetime


async def standing_lanes(connection: Connection, worker_id: UUID, *, with_free_ones: bool) -> list[StandingLane]:
    """Of this worker, and of nobody where asked for."""
    rows = await connection.fetch(_SQL["standing_lanes"], worker_id, with_free_ones)
    return [StandingLane(**dict(row)) for row in rows]


async def positions(connection: Connection, topics: Iterable[str]) -> dict[Partition, Position]:
    rows = await connection.fetch(_SQL["positions"], list(topics))
    return {(row["topic"], row["partition"]): Position(row["next_offset"], row["changed_at"]) for row in rows}


async def oldest_event(connection: Connection) -> int | None:
    oldest: int | None = await connection.fetchval(_SQL["oldest_event"])
    return oldest
