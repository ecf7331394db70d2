"""Reads for people: items, their history, and what is waiting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from worker.domain.states import ItemState
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("items")


@dataclass(frozen=True, slots=True)
class ItemRow:
    """`total_minor` in the currency's smallest unit. `due_at`: when it is dealt with next, where that is planned.

    Of an unknown outcome: until when an earlier request may be alive, whether sending again is the look-up, and how
    many look-ups in a row found nothing.
    """

    reimbursement_id: str
    seq: int
    state: ItemState
    attempt: int
    total_minor: int
    currency: str
    approved_at: datetime
    received_at: datetime
    changed_at: datetime
    connector: str | None
    reference: str | None
    document_number: str | None
    document_id: str | None
    document_url: str | None
    reason_code: str | None
    reason: str | None
    due_at: datetime | None
    is_for_a_person: bool
    quarantined_until: datetime | None
    resend_resolves: bool
    absences: int

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "ItemRow":
        return cls(**{**dict(row), "state": ItemState(row["state"])})


@dataclass(frozen=True, slots=True)
class AttemptRow:
    attempt: int
    kind: str
    connector: str
    reference: str
    claimed_at: datetime
    recorded_at: datetime
    outcome: str
    document_number: str | None
    document_id: str | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """What is pending in one currency; `total_minor` in its smallest unit."""

    currency: str
    count: int
    total_minor: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """So many items of one state that wait for a person to compare them, or are in doubt for longer than the protocol
    takes."""

    organization_id: str
    state: ItemState
    is_for_a_person: bool
    count: int


async def list_items(
    connection: Connection, organization_id: str, state: ItemState | None, after: int, limit: int
) -> list[ItemRow]:
    statement = _SQL["list_items"] if state is None else _SQL["list_items_in_state"].format(state=ItemState(state))
    rows = await connection.fetch(statement, organization_id, after, limit)
    return [ItemRow.from_row(row) for row in rows]


async def list_newest(
    connection: Connection, organization_id: str, state: ItemState | None, before: int, limit: int
) -> list[ItemRow]:
    """By their arrival; what is synced is listed by `list_newest_synced`."""
    statement = _SQL["list_newest"] if state is None else _SQL["list_newest_in_state"].format(state=ItemState(state))
    rows = await connection.fetch(statement, organization_id, before, limit)
    return [ItemRow.from_row(row) for row in rows]


async def list_newest_synced(
    connection: Connection, organization_id: str, before: tuple[datetime, int], limit: int
) -> list[ItemRow]:
    """What was synced last comes first; `before`: a time and, of that time, a sequence number."""
    rows = await connection.fetch(_SQL["list_newest_synced"], organization_id, *before, limit)
    return [ItemRow.from_row(row) for row in rows]


async def list_oldest_synced(
    connection: Connection, organization_id: str, after: tuple[datetime, int], limit: int
) -> list[ItemRow]:
    """As `list_newest_synced`, the other way round."""
    rows = await connection.fetch(_SQL["list_oldest_synced"], organization_id, *after, limit)
    return [ItemRow.from_row(row) for row in rows]


async def list_left_by_run(
    connection: Connection, organization_id: str, run_id: UUID, state: ItemState | None, after: int, limit: int
) -> list[ItemRow]:
    """What was rejected in the run, or is in doubt, and still is."""
    rows = await connection.fetch(_SQL["list_left_by_run"], organization_id, run_id, state, after, limit)
    return [ItemRow.from_row(row) for row in rows]


async def list_newest_left_by_run(
    connection: Connection, organization_id: str, run_id: UUID, state: ItemState | None, before: int, limit: int
) -> list[ItemRow]:
    """As `list_left_by_run`, the other way round."""
    rows = await connection.fetch(_SQL["list_newest_left_by_run"], organization_id, run_id, state, before, limit)
    return [ItemRow.from_row(row) for row in rows]


async def find_items(
    connection: Connection, organization_id: str, beginning: str, among: int, limit: int
) -> list[ItemRow]:
    """Among so many of the newest, those whose id begins so."""
    rows = await connection.fetch(_SQL["find_items"], organization_id, beginning, among, limit)
    return [ItemRow.from_row(row) for row in rows]


async def state_counts(connection: Connection, organization_id: str, limit: int) -> dict[ItemState, int]:
    """Of each state no more than `limit` are counted."""
    rows = await connection.fetch(_SQL["state_counts"], organization_id, limit)
    return {ItemState(row["state"]): row["count"] for row in rows}


async def show_item(connection: Connection, organization_id: str, reimbursement_id: str) -> ItemRow | None:
    row = await connection.fetchrow(_SQL["show_item"], organization_id, reimbursement_id)
    return ItemRow.from_row(row) if row else None


async def item_attempts(connection: Connection, organization_id: str, reimbursement_id: str) -> list[AttemptRow]:
    rows = await connection.fetch(_SQL["item_attempts"], organization_id, reimbursement_id)
    return [AttemptRow(**dict(row)) for row in rows]


async def waiting(connection: Connection, organization_id: str) -> list[WaitingRow]:
    rows = await connection.fetch(_SQL["waiting"], organization_id)
    return [WaitingRow(**dict(row)) for row in rows]


async def waits_for_many(connection: Connection, organization_id: str, limit: int) -> bool:
    """Whether more than `limit` items are pending."""
    is_more: bool = await connection.fetchval(_SQL["waits_for_many"], organization_id, limit)
    return is_more


async def waiting_to_hand_over(
    connection: Connection, organization_id: str, approved_before: datetime | None, through: int
) -> tuple[list[WaitingRow], int]:
    """What `items.hand_over_waiting` would mark, and the highest sequence number of it (0: nothing)."""
    rows = await connection.fetch(_SQL["waiting_to_hand_over"], organization_id, approved_before, through)
    found = [WaitingRow(row["currency"], row["count"], row["total_minor"], row["oldest"]) for row in rows]
    return found, max((row["last"] for row in rows), default=0)


async def waiting_everywhere(connection: Connection) -> dict[str, list[WaitingRow]]:
    """By organisation; those for whom nothing waits are left out."""
    return _by_organization(await connection.fetch(_SQL["waiting_everywhere"]))


async def waiting_of_some(connection: Connection, organization_ids: Sequence[str]) -> dict[str, list[WaitingRow]]:
    """As `waiting_everywhere`."""
    return _by_organization(await connection.fetch(_SQL["waiting_of_some"], list(organization_ids)))


def _by_organization(rows: Sequence[asyncpg.Record]) -> dict[str, list[WaitingRow]]:
    found: dict[str, list[WaitingRow]] = {}
    for row in rows:
        waiting = WaitingRow(row["currency"], row["count"], row["total_minor"], row["oldest"])
        found.setdefault(row["organization_id"], []).append(waiting)
    return found


async def doubts(connection: Connection) -> list[Doubt]:
    """Over all organisations; whoever has none is left out."""
    rows = await connection.fetch(_SQL["doubts"])
    return [
        Doubt(row["organization_id"], ItemState(row["state"]), row["is_for_a_person"], row["count"]) for row in rows
    ]


async def pending_content(connection: Connection, organization_id: str, limit: int) -> list[bytes]:
    """The oldest pending approvals, in canonical form."""
    rows = await connection.fetch(_SQL["pending_content"], organization_id, limit)
    return [row["content"] for row in rows]
