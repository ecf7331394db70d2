"""The claim: flag re-read under lock, items marked `sending`, all committed before the first byte leaves."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from connectors.contract import Posting, Rejected
from connectors.mapping import map_to_posting
from connectors.reference import reference_of
from schemas.approval import ReimbursementApproved
from worker.adapters import Adapter
from worker.store import items
from worker.store.database import Pool, transaction
from worker.store.items import Attempt, Claim, OpenConnector, PendingItem


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that is ours to post, or that its mapping refuses."""

    attempt: Attempt
    posting: Posting | Rejected


@dataclass(frozen=True, slots=True)
class Closed:
    """The connector is off or suspended, or the lane is no longer ours."""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The connector is on, but the adapter at hand was made from another configuration."""

    kind: str


async def claim(
    pool: Pool, worker_id: UUID, organization_id: str, fence: int, adapter: Adapter | None, limit: int
) -> list[Claimed] | Closed | Reconfigured:
    """The oldest items that are released and due, at most `limit`, each with its posting."""
    async with transaction(pool) as connection:
        open_ = await items.lock_open_connector(connection, organization_id, fence)
        if open_ is None:
            return Closed()
        if adapter is None or not _is_current(adapter, open_):
            return Reconfigured(open_.kind)
        pending = await items.next_pending(connection, organization_id, open_, limit)
        if not pending:
            return []
        postings = {item.reimbursement_id: _posting(item, adapter) for item in pending}
        claims = [_claim(organization_id, item, postings[item.reimbursement_id]) for item in pending]
        attempts = await items.claim(connection, organization_id, fence, worker_id, open_, claims)
    return _in_order(pending, attempts, postings)


def _is_current(adapter: Adapter, open_: OpenConnector) -> bool:
    return (adapter.kind, adapter.version) == (open_.kind, open_.version)


def _posting(item: PendingItem, adapter: Adapter) -> Posting | Rejected:
    approval = ReimbursementApproved.from_canonical(item.content)
    mapped = map_to_posting(approval, adapter.mapping, adapter.time_zone)
    return replace(mapped, attempt=item.attempt + 1) if isinstance(mapped, Posting) else mapped


def _claim(organization_id: str, item: PendingItem, posting: Posting | Rejected) -> Claim:
    reference = reference_of(organization_id, item.reimbursement_id)
    return Claim(item, reference, _request_hash(posting) if isinstance(posting, Posting) else None)


def _request_hash(posting: Posting) -> bytes:
    """What was to be posted, whichever attempt it is."""
    content = asdict(replace(posting, attempt=1))
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).digest()


def _in_order(
    pending: Sequence[PendingItem], attempts: Sequence[Attempt], postings: dict[str, Posting | Rejected]
) -> list[Claimed]:
    by_id = {attempt.reimbursement_id: attempt for attempt in attempts}
    return [
        Claimed(by_id[item.reimbursement_id], postings[item.reimbursement_id])
        for item in pending
        if item.reimbursement_id in by_id
    ]
