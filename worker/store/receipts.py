"""Receipts on their way to the ERP: taken, sent, settled. The item that they belong to stays as it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from worker.domain.receipts import ReceiptState, ReceiptVerdict
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("receipts")


@dataclass(frozen=True, slots=True)
class TakenReceipt:
    """One that is ours until it is settled, or until the time it was taken for is over.

    `position` counts from 1 in the item's `content`; `attempts` is the fence of this try, `tries` counts it among those
    since a person asked for them, if anybody did; `document_id` is the ERP's own key.
    """

    organization_id: str
    reimbursement_id: str
    position: int
    attempts: int
    tries: int
    connector: str
    document_id: str
    content: bytes

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Somebody else's try of the same receipt has another."""
        return self.organization_id, self.reimbursement_id, self.position, self.attempts


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """`due_at`: when it is tried next, where it waits. `tries`: since a person asked for them, if anybody did."""

    position: int
    state: ReceiptState
    tries: int
    due_at: datetime
    changed_at: datetime
    reason: str | None

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "ReceiptRow":
        return cls(**{**dict(row), "state": ReceiptState(row["state"])})


async def take_due(connection: Connection, limit: int, hold: timedelta) -> list[TakenReceipt]:
    """At most one of each organisation, to be fetched within `hold`. None while another worker takes."""
    if not await connection.fetchval(_SQL["lead_taking"]):
        return []
    return [TakenReceipt(*row) for row in await connection.fetch(_SQL["take_due"], limit, hold)]


async def begin_sending(
    connection: Connection, taken: TakenReceipt, version: int, hold: timedelta, retry_in: timedelta
) -> bool:
    """Whether it may leave within `hold`, through the connector as it was configured in `version`.

    The transaction must be committed before the first byte leaves: whoever switches off waits for it, or is seen here.
    Where the worker dies, it is tried again after `retry_in`.
    """
    if await connection.fetchval(_SQL["hold_connector"], taken.organization_id, taken.connector, version) is None:
        return False
    return await connection.fetchval(_SQL["begin_sending"], *taken.key, hold, retry_in) is not None


async def settle(connection: Connection, taken: TakenReceipt, verdict: ReceiptVerdict) -> bool:
    """Whether it was still ours."""
    found = await connection.fetchval(
        _SQL["settle_receipt"], *taken.key, verdict.state, verdict.due_in, verdict.code, verdict.reason
    )
    return found is not None


async def retry_given_up(connection: Connection, organization_id: str, reimbursement_id: str) -> list[int]:
    """They wait to be tried again. Answers their positions; none where nothing was given up."""
    rows = await connection.fetch(_SQL["retry_given_up"], organization_id, reimbursement_id)
    return sorted(row["position"] for row in rows)


async def of_item(connection: Connection, organization_id: str, reimbursement_id: str) -> list[ReceiptRow]:
    rows = await connection.fetch(_SQL["item_receipts"], organization_id, reimbursement_id)
    return [ReceiptRow.from_row(row) for row in rows]
