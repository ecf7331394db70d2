"""Items on their way to the ERP: claim, settle, confirm, and what a person decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from worker.domain.states import ItemState, Verdict
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("items")

AttemptKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class OpenConnector:
    """The connector a claim may be made for, its flag held until the transaction ends, and the run under way."""

    kind: str
    title: str
    version: int
    enabled_mark: int
    released_through: int
    run_id: UUID | None
    run_mark: int | None


@dataclass(frozen=True, slots=True)
class PendingItem:
    """`attempt` counts the tries so far; `content` is the canonical approval."""

    reimbursement_id: str
    seq: int
    attempt: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A pending item with what it will be sent as."""

    item: PendingItem
    reference: str
    request_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to post an item, from its committed claim on."""

    organization_id: str
    reimbursement_id: str
    attempt: int
    connector: str
    reference: str
    claimed_at: datetime
    request_hash: bytes | None

    @property
    def key(self) -> AttemptKey:
        return self.organization_id, self.reimbursement_id, self.attempt


@dataclass(frozen=True, slots=True)
class Settlement:
    """A verdict on its way to the database, with the event that tells of it."""

    attempt: Attempt
    from_state: ItemState
    verdict: Verdict
    event_type: str | None
    event_value: bytes | None


@dataclass(frozen=True, slots=True)
class StagedItem:
    """An item in the ERP's import. `age` is since its claim, `total_minor` in the currency's smallest unit."""

    attempt: Attempt
    currency: str
    total_minor: int
    age: timedelta


async def lock_open_connector(connection: Connection, organization_id: str, fence: int) -> OpenConnector | None:
    """None where the connector is off or suspended, or where the lane is no longer held."""
    row = await connection.fetchrow(_SQL["lock_open_connector"], organization_id, fence)
    return OpenConnector(**dict(row)) if row else None


async def next_pending(
    connection: Connection, organization_id: str, open_: OpenConnector, limit: int
) -> list[PendingItem]:
    """The oldest items that are released and due."""
    rows = await connection.fetch(
        _SQL["next_pending"], organization_id, open_.released_through, open_.enabled_mark, limit
    )
    return [PendingItem(**dict(row)) for row in rows]


async def claim(
    connection: Connection,
    organization_id: str,
    fence: int,
    worker_id: UUID,
    open_: OpenConnector,
    claims: Sequence[Claim],
) -> list[Attempt]:
    """Marks the items as `sending`. The transaction must be committed before the first byte leaves."""
    rows = await connection.fetch(
        _SQL["claim"],
        organization_id,
        fence,
        open_.kind,
        worker_id,
        open_.run_id,
        open_.run_mark,
        [c.item.reimbursement_id for c in claims],
        [c.item.attempt for c in claims],
        [c.reference for c in claims],
        [c.request_hash for c in claims],
    )
    by_id = {c.item.reimbursement_id: c for c in claims}
    return [_attempt(organization_id, open_.kind, by_id[row["reimbursement_id"]], row) for row in rows]


async def settle(connection: Connection, worker_id: UUID, settlements: Sequence[Settlement]) -> set[AttemptKey]:
    """Records what came of attempts, safe to repeat. Answers which of them changed their item."""
    documents = [s.verdict.document for s in settlements]
    rows = await connection.fetch(
        _SQL["settle"],
        [s.attempt.organization_id for s in settlements],
        [s.attempt.reimbursement_id for s in settlements],
        [s.attempt.attempt for s in settlements],
        [s.from_state for s in settlements],
        [s.verdict.outcome for s in settlements],
        [s.verdict.state for s in settlements],
        [s.verdict.due_in for s in settlements],
        [d and d.number for d in documents],
        [d and d.erp_id for d in documents],
        [d and d.url for d in documents],
        [s.verdict.code for s in settlements],
        [s.verdict.reason for s in settlements],
        [s.event_type for s in settlements],
        [s.event_value for s in settlements],
        [s.attempt.connector for s in settlements],
        [s.attempt.reference for s in settlements],
        [s.attempt.claimed_at for s in settlements],
        [s.attempt.request_hash for s in settlements],
        worker_id,
    )
    return {(row["organization_id"], row["reimbursement_id"], row["attempt"]) for row in rows}


async def due_confirmations(connection: Connection, organization_id: str, kind: str, limit: int) -> list[StagedItem]:
    rows = await connection.fetch(_SQL["due_confirmations"], organization_id, kind, limit)
    return [_staged(organization_id, kind, row) for row in rows]


async def next_confirmation(connection: Connection, organization_id: str) -> timedelta | None:
    """How long until a staged import is to be looked at; None where there is none."""
    wait: timedelta | None = await connection.fetchval(_SQL["next_confirmation"], organization_id)
    return wait


async def look_again(connection: Connection, staged: Sequence[StagedItem], delays: Sequence[timedelta]) -> None:
    await connection.execute(
        _SQL["look_again"],
        staged[0].attempt.organization_id,
        [s.attempt.reimbursement_id for s in staged],
        [s.attempt.attempt for s in staged],
        list(delays),
    )


async def open_version(connection: Connection, organization_id: str, kind: str) -> int | None:
    """The configuration's version while the connector is on; None while it is off or suspended."""
    version: int | None = await connection.fetchval(_SQL["has_open_connector"], organization_id, kind)
    return version


async def lock_state(connection: Connection, organization_id: str, reimbursement_id: str) -> ItemState | None:
    """The state of an item, held until the transaction ends; None where there is no such item."""
    row = await connection.fetchrow(_SQL["lock_item"], organization_id, reimbursement_id)
    return ItemState(row["state"]) if row else None


async def retry(connection: Connection, organization_id: str, reimbursement_id: str) -> None:
    await connection.execute(_SQL["retry"], organization_id, reimbursement_id)


async def hand_over(connection: Connection, organization_id: str, reimbursement_id: str, reason: str) -> None:
    await connection.execute(_SQL["hand_over"], organization_id, reimbursement_id, reason)


def _attempt(organization_id: str, kind: str, claimed: Claim, row: asyncpg.Record) -> Attempt:
    return Attempt(
        organization_id=organization_id,
        reimbursement_id=row["reimbursement_id"],
        attempt=row["attempt"],
        connector=kind,
        reference=claimed.reference,
        claimed_at=row["claimed_at"],
        request_hash=claimed.request_hash,
    )


def _staged(organization_id: str, kind: str, row: asyncpg.Record) -> StagedItem:
    attempt = Attempt(
        organization_id=organization_id,
        reimbursement_id=row["reimbursement_id"],
        attempt=row["attempt"],
        connector=kind,
        reference=row["reference"],
        claimed_at=row["claimed_at"],
        request_hash=row["request_hash"],
    )
    return StagedItem(attempt, row["currency"], row["total_minor"], row["age"])
