"""Items on their way to the ERP: claim, settle, confirm, and what a person decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from connectors.contract import Limits
from worker.domain.states import ItemState, Verdict
from worker.store.database import Connection, fetch_one
from worker.store.queries import load

_SQL = load("items")

AttemptKey = tuple[str, str, int]
EntryKind = Literal["settled", "confirmed", "looked_up"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an item stands: as it is, or as a person saw it."""

    state: ItemState
    attempt: int


@dataclass(frozen=True, slots=True)
class OpenConnector:
    """The connector a claim may be made for, its flag held until the transaction ends, and the run under way."""

    organization_id: str
    kind: str
    title: str
    version: int
    enabled_mark: int
    released_through: int
    run_id: UUID | None
    run_mark: int | None


@dataclass(frozen=True, slots=True)
class PendingItem:
    """`attempt` counts the tries so far; `content` is the canonical approval; `request_hash` is the last try's."""

    organization_id: str
    reimbursement_id: str
    seq: int
    attempt: int
    content: bytes
    request_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A pending item with what it will be sent as, through which connector, from a lane held with which fence.

    `limits` are the ERP's. `in_doubt`: nobody knows what came of its last attempt.
    """

    item: PendingItem
    open_: OpenConnector
    fence: int
    limits: Limits
    reference: str
    request_hash: bytes | None
    in_doubt: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to post an item, from its committed claim on. `in_doubt`: nobody knows what came of the one before it."""

    organization_id: str
    reimbursement_id: str
    attempt: int
    connector: str
    reference: str
    claimed_at: datetime
    request_hash: bytes | None
    in_doubt: bool = False

    @property
    def key(self) -> AttemptKey:
        return self.organization_id, self.reimbursement_id, self.attempt


@dataclass(frozen=True, slots=True)
class Settlement:
    """A verdict on its way to the database, with the event that tells of it. `kind` is how the history names it, unless
    it comes too late."""

    attempt: Attempt
    from_state: ItemState
    kind: EntryKind
    verdict: Verdict
    event_type: str | None
    event_value: bytes | None


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An item that the ERP is to be asked about: `confirming`, or `unknown` with its quarantine over.

    `age` is since its claim, `total_minor` in the currency's smallest unit; `absences` are look-ups in a row that
    found nothing.
    """

    attempt: Attempt
    state: ItemState
    currency: str
    total_minor: int
    absences: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class LookAgain:
    """When a staged import is looked at next. `code` and `reason` say that it takes too long, where it does."""

    question: OpenQuestion
    delay: timedelta
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NextDue:
    """How long until an item is to be looked up at the ERP, or to be sent again, which takes room in the lane; None
    where there is no such item."""

    look: timedelta | None
    resend: timedelta | None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Items that were marked together: how many and how much of each currency, in its smallest unit, and the last
    one's sequence number."""

    counts: Mapping[str, int]
    totals: Mapping[str, int]
    last: int

    @property
    def count(self) -> int:
        return sum(self.counts.values())


async def lock_open_connectors(
    connection: Connection, fences: Mapping[str, int], *, waits: bool
) -> dict[str, OpenConnector]:
    """By organisation; none where the connector is off or suspended, or where the lane is not held with that fence.

    Not `waits`: none either where somebody changes connector or lane right now.
    """
    statement = _SQL["lock_open_connectors"].removesuffix(";") + ("" if waits else " skip locked")
    rows = await connection.fetch(statement, list(fences), list(fences.values()))
    return {row["organization_id"]: OpenConnector(*row) for row in rows}


async def next_pending(connection: Connection, wanted: Sequence[tuple[OpenConnector, int]]) -> list[PendingItem]:
    """The oldest items that are released and due, of each organisation as many as are wanted."""
    rows = await connection.fetch(
        _SQL["next_pending"],
        [open_.organization_id for open_, _ in wanted],
        [open_.released_through for open_, _ in wanted],
        [open_.enabled_mark for open_, _ in wanted],
        [most for _, most in wanted],
    )
    return [PendingItem(*row) for row in rows]


async def due_resends(connection: Connection, wanted: Sequence[tuple[OpenConnector, int]]) -> list[PendingItem]:
    """The oldest unknown outcomes that sending again resolves, of each organisation as many as are wanted."""
    if not wanted:
        return []
    rows = await connection.fetch(
        _SQL["due_resends"],
        [open_.organization_id for open_, _ in wanted],
        [open_.kind for open_, _ in wanted],
        [most for _, most in wanted],
    )
    return [PendingItem(*row) for row in rows]


async def resend(connection: Connection, items: Sequence[PendingItem]) -> None:
    """From `unknown` to `pending`, to be claimed in the same transaction."""
    if items:
        await connection.execute(_SQL["resend"], *_keys(items))


async def look_up_instead(connection: Connection, items: Sequence[PendingItem]) -> None:
    """These are not sent again as they are; they wait out their quarantine and are looked up."""
    if items:
        await connection.execute(_SQL["look_up_instead"], *_keys(items))


async def claim(connection: Connection, worker_id: UUID, claims: Sequence[Claim]) -> list[Attempt]:
    """Marks the items as `sending`, with what the ERP's limits say about a lost answer. The transaction must be
    committed before the first byte leaves."""
    rows = await connection.fetch(
        _SQL["claim"],
        worker_id,
        *_keys([c.item for c in claims]),
        [c.item.attempt for c in claims],
        [c.reference for c in claims],
        [c.request_hash for c in claims],
        [c.in_doubt for c in claims],
        [c.fence for c in claims],
        [c.open_.kind for c in claims],
        [c.open_.run_id for c in claims],
        [c.open_.run_mark for c in claims],
        [c.limits.longest_request_life for c in claims],
        [c.limits.refuses_duplicates for c in claims],
    )
    by_key = {(c.item.organization_id, c.item.reimbursement_id): c for c in claims}
    return [_attempt(by_key[row["organization_id"], row["reimbursement_id"]], row) for row in rows]


def _keys(items: Sequence[PendingItem]) -> tuple[list[str], list[str]]:
    return [item.organization_id for item in items], [item.reimbursement_id for item in items]


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
        [s.kind for s in settlements],
        [s.verdict.quarantine for s in settlements],
        [s.verdict.is_for_a_person for s in settlements],
        [s.verdict.is_resent_no_more for s in settlements],
        [s.verdict.absences for s in settlements],
        [s.attempt.in_doubt for s in settlements],
    )
    return {(row["organization_id"], row["reimbursement_id"], row["attempt"]) for row in rows}


async def due_looks(connection: Connection, organization_id: str, kind: str, limit: int) -> list[OpenQuestion]:
    rows = await connection.fetch(_SQL["due_looks"], organization_id, kind, limit)
    return [_question(organization_id, kind, row) for row in rows]


async def next_due(connection: Connection, organization_id: str, kind: str) -> NextDue:
    row = await fetch_one(connection, _SQL["next_due"], organization_id, kind)
    return NextDue(row["look"], row["resend"])


async def look_again(connection: Connection, organization_id: str, later: Sequence[LookAgain]) -> None:
    await connection.execute(
        _SQL["look_again"],
        organization_id,
        [one.question.attempt.reimbursement_id for one in later],
        [one.question.attempt.attempt for one in later],
        [one.delay for one in later],
        [one.code for one in later],
        [one.reason for one in later],
    )


async def open_version(connection: Connection, organization_id: str, kind: str) -> int | None:
    """The configuration's version while the connector is on; None while it is off or suspended."""
    version: int | None = await connection.fetchval(_SQL["has_open_connector"], organization_id, kind)
    return version


async def lock_standing(connection: Connection, organization_id: str, reimbursement_id: str) -> Standing | None:
    """Where an item stands, held until the transaction ends; None where there is no such item."""
    row = await connection.fetchrow(_SQL["lock_item"], organization_id, reimbursement_id)
    return Standing(ItemState(row["state"]), row["attempt"]) if row else None


async def retry(connection: Connection, organization_id: str, reimbursement_id: str) -> None:
    await connection.execute(_SQL["retry"], organization_id, reimbursement_id)


async def ask_again(connection: Connection, organization_id: str, reimbursement_id: str) -> None:
    """An unknown outcome is looked up once more."""
    await connection.execute(_SQL["ask_again"], organization_id, reimbursement_id)


async def hand_over(connection: Connection, organization_id: str, reimbursement_id: str, reason: str) -> None:
    await connection.execute(_SQL["hand_over"], organization_id, reimbursement_id, reason)


async def hand_over_waiting(
    connection: Connection,
    organization_id: str,
    *,
    approved_before: datetime | None,
    after: int,
    through: int,
    limit: int,
    reason: str,
) -> HandedOver:
    """What waits, in the order of arrival, beyond the sequence number `after` and up to `through`; `approved_before`
    None: all of it."""
    rows = await connection.fetch(
        _SQL["hand_over_waiting"], organization_id, approved_before, after, limit, reason, through
    )
    return HandedOver(
        counts={row["currency"]: row["count"] for row in rows},
        totals={row["currency"]: row["total_minor"] for row in rows},
        last=max((row["last"] for row in rows), default=after),
    )


def _attempt(claimed: Claim, row: asyncpg.Record) -> Attempt:
    return Attempt(
        organization_id=row["organization_id"],
        reimbursement_id=row["reimbursement_id"],
        attempt=row["attempt"],
        connector=claimed.open_.kind,
        reference=claimed.reference,
        claimed_at=row["claimed_at"],
        request_hash=claimed.request_hash,
        in_doubt=claimed.in_doubt,
    )


def _question(organization_id: str, kind: str, row: asyncpg.Record) -> OpenQuestion:
    attempt = Attempt(
        organization_id=organization_id,
        reimbursement_id=row["reimbursement_id"],
        attempt=row["attempt"],
        connector=kind,
        reference=row["reference"],
        claimed_at=row["claimed_at"],
        request_hash=row["request_hash"],
    )
    return OpenQuestion(
        attempt, ItemState(row["state"]), row["currency"], row["total_minor"], row["absences"], row["age"]
    )
