"""Lane leases: who may post for an organisation, and until when by PostgreSQL's clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("lanes")


@dataclass(frozen=True, slots=True)
class LeasedLane:
    """`fence` grows with every lease; `pause` is how long the lane still has to wait for its ERP."""

    organization_id: str
    fence: int
    failures: int
    pause: timedelta


@dataclass(frozen=True, slots=True)
class AbandonedItem:
    """An item that its worker left on the wire."""

    organization_id: str
    reimbursement_id: str
    attempt: int
    connector: str
    claimed_at: datetime


async def lease(
    connection: Connection, worker_id: UUID, length: timedelta, hints: Iterable[str] | None, limit: int
) -> list[LeasedLane]:
    """Takes free lanes with something to do, among `hints` where given."""
    wanted = None if hints is None else list(hints)
    rows = await connection.fetch(_SQL["lease_lanes"], worker_id, length, wanted, limit)
    return [LeasedLane(row["organization_id"], row["fence"], row["failures"], row["pause"]) for row in rows]


async def renew(connection: Connection, worker_id: UUID, length: timedelta, fences: Mapping[str, int]) -> set[str]:
    """The organisations whose lanes are still held."""
    rows = await connection.fetch(_SQL["renew_leases"], worker_id, length, list(fences), list(fences.values()))
    return {row["organization_id"] for row in rows}


async def release(connection: Connection, organization_id: str, fence: int, worker_id: UUID) -> None:
    await connection.execute(_SQL["release_lane"], organization_id, fence, worker_id)


async def end_lease(connection: Connection, organization_id: str, fence: int, worker_id: UUID) -> None:
    """As `release`, and whoever looks for lanes takes it even where nothing waits."""
    await connection.execute(_SQL["end_lease"], organization_id, fence, worker_id)


async def pause(connection: Connection, organization_id: str, fence: int, delay: timedelta, failures: int) -> None:
    await connection.execute(_SQL["pause_lane"], organization_id, fence, delay, failures)


async def clear_failures(connection: Connection, organization_id: str, fence: int) -> None:
    await connection.execute(_SQL["clear_failures"], organization_id, fence)


async def abandon_sending(
    connection: Connection, organization_id: str, fence: int, worker_id: UUID
) -> list[AbandonedItem]:
    """Turns what earlier holders left in `sending` into `unknown`."""
    rows = await connection.fetch(_SQL["abandon_sending"], organization_id, fence, worker_id)
    return [AbandonedItem(**dict(row)) for row in rows]
