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
from worker.store.database import Connection, Pool, transaction
from worker.store.items import Attempt, Claim, OpenConnector, PendingItem


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that is ours to post through the adapter, or that its mapping refuses."""

    adapter: Adapter
    attempt: Attempt
    posting: Posting | Rejected


@dataclass(frozen=True, slots=True)
class Closed:
    """The connector is off or suspended, or the lane is no longer ours."""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The connector is on, but the adapter at hand was made from another configuration."""

    kind: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """An item with what it would be sent as."""

    claim: Claim
    posting: Posting | Rejected

    @property
    def is_the_same_again(self) -> bool:
        return self.claim.request_hash is not None and self.claim.request_hash == self.claim.item.request_hash


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
        again = await _resendable(connection, organization_id, adapter, limit)
        pending = await items.next_pending(connection, organization_id, open_, limit - len(again))
        await items.resend(connection, organization_id, [one.claim.item.reimbursement_id for one in again])
        drafts = again + [_draft(organization_id, item, adapter, in_doubt=False) for item in pending]
        if not drafts:
            return []
        attempts = await items.claim(
            connection,
            organization_id,
            fence,
            worker_id,
            open_,
            adapter.connector.limits,
            [one.claim for one in drafts],
        )
    return _claimed(adapter, drafts, attempts)


async def _resendable(connection: Connection, organization_id: str, adapter: Adapter, limit: int) -> list[_Draft]:
    """Unknown outcomes that sending the same request again resolves.

    The ERP refuses only what is the same to it: where the mapping has changed since, the item is looked up instead.
    """
    if not adapter.connector.limits.refuses_duplicates:
        return []
    due = await items.due_resends(connection, organization_id, adapter.kind, limit)
    drafts = [_draft(organization_id, item, adapter, in_doubt=True) for item in due]
    changed = [one.claim.item.reimbursement_id for one in drafts if not one.is_the_same_again]
    await items.look_up_instead(connection, organization_id, changed)
    return [one for one in drafts if one.is_the_same_again]


def _is_current(adapter: Adapter, open_: OpenConnector) -> bool:
    return (adapter.kind, adapter.version) == (open_.kind, open_.version)


def _draft(organization_id: str, item: PendingItem, adapter: Adapter, *, in_doubt: bool) -> _Draft:
    approval = ReimbursementApproved.from_canonical(item.content)
    mapped = map_to_posting(approval, adapter.mapping, adapter.time_zone)
    posting = replace(mapped, attempt=item.attempt + 1) if isinstance(mapped, Posting) else mapped
    request_hash = _request_hash(posting) if isinstance(posting, Posting) else None
    reference = reference_of(organization_id, item.reimbursement_id)
    return _Draft(Claim(item, reference, request_hash, in_doubt), posting)


def _request_hash(posting: Posting) -> bytes:
    """What was to be posted, whichever attempt it is."""
    content = asdict(replace(posting, attempt=1))
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).digest()


def _claimed(adapter: Adapter, drafts: Sequence[_Draft], attempts: Sequence[Attempt]) -> list[Claimed]:
    by_id = {attempt.reimbursement_id: attempt for attempt in attempts}
    ids = ((one.claim.item.reimbursement_id, one.posting) for one in drafts)
    return [Claimed(adapter, by_id[item_id], posting) for item_id, posting in ids if item_id in by_id]
