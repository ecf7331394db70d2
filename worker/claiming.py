"""The claim: flag re-read under lock, items marked `sending`, all committed before the first byte leaves."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from uuid import UUID

from pydantic import TypeAdapter

from connectors.contract import Posting, Rejected
from connectors.mapping import map_to_posting
from connectors.reference import reference_of
from schemas.approval import ReimbursementApproved
from worker.adapters import Adapter
from worker.store import items
from worker.store.database import Connection, DatabaseAwayError, Pool, transaction
from worker.store.items import Attempt, Claim, OpenConnector, PendingItem

_POSTING = TypeAdapter(Posting)


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
class Wish:
    """A held lane with room for at most `limit` more items; `adapter` is the one that it has at hand.

    `is_under_way`: it has items on the wire, so the next may wait a little.
    """

    organization_id: str
    fence: int
    adapter: Adapter | None
    limit: int
    is_under_way: bool = False


class LostClaimError(DatabaseAwayError):
    """The answer to the claim's commit was lost: items may be `sending` that nobody will send or settle.

    Only a lease with a higher fence finds them, so whoever wished for them has to let go of its lane.
    """


Answer: TypeAlias = "list[Claimed] | Closed | Reconfigured"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A wish that may be granted."""

    wish: Wish
    adapter: Adapter
    open_: OpenConnector


@dataclass(frozen=True, slots=True)
class _Draft:
    """An item with what it would be sent as."""

    claim: Claim
    adapter: Adapter
    posting: Posting | Rejected

    @property
    def is_the_same_again(self) -> bool:
        return self.claim.request_hash is not None and self.claim.request_hash == self.claim.item.request_hash


async def claim(pool: Pool, worker_id: UUID, wish: Wish) -> Answer:
    """The oldest items that are released and due, each with its posting. Raises as `claim_together`."""
    answers = await claim_together(pool, worker_id, [wish], waits=True)
    return answers.get(wish.organization_id, Closed())


async def claim_together(
    pool: Pool, worker_id: UUID, wishes: Sequence[Wish], *, waits: bool = False
) -> dict[str, Answer]:
    """For several lanes in one transaction, by organisation; those whose connector is not open are left out.

    Not `waits`: so are those whose connector or lane somebody changes right now, since one must not hold up the others.
    Raises DatabaseAwayError where nothing was claimed, LostClaimError where nobody knows.
    """
    answers: dict[str, Answer] = {}
    ready: dict[str, _Ready] = {}
    attempts: list[Attempt] = []
    try:
        async with transaction(pool) as connection:
            fences = {wish.organization_id: wish.fence for wish in wishes}
            open_ = await items.lock_open_connectors(connection, fences, waits=waits)
            for wish in wishes:
                _sort(wish, open_.get(wish.organization_id), answers, ready)
            drafts = await _drafts(connection, ready)
            attempts = await items.claim(connection, worker_id, [one.claim for one in drafts]) if drafts else []
    except DatabaseAwayError as error:
        if attempts:  # from here on, all that could fail was the commit
            raise LostClaimError(str(error)) from error
        raise
    return answers | _claimed(ready, drafts, attempts)


def _sort(wish: Wish, open_: OpenConnector | None, answers: dict[str, Answer], ready: dict[str, _Ready]) -> None:
    if open_ is None:
        return
    if wish.adapter is None or not _is_current(wish.adapter, open_):
        answers[wish.organization_id] = Reconfigured(open_.kind)
    else:
        ready[wish.organization_id] = _Ready(wish, wish.adapter, open_)


async def _drafts(connection: Connection, ready: Mapping[str, _Ready]) -> list[_Draft]:
    """What goes first is what is sent again."""
    again = await _resendable(connection, ready)
    taken = Counter(one.claim.item.organization_id for one in again)
    wanted = [(one.open_, one.wish.limit - taken[name]) for name, one in ready.items()]
    pending = await items.next_pending(connection, wanted) if wanted else []
    await items.resend(connection, [one.claim.item for one in again])
    return again + [_draft(ready[item.organization_id], item, in_doubt=False) for item in pending]


async def _resendable(connection: Connection, ready: Mapping[str, _Ready]) -> list[_Draft]:
    """Unknown outcomes that sending the same request again resolves.

    The ERP refuses only what is the same to it: where the mapping has changed since, the item is looked up instead.
    """
    wanted = [one for one in ready.values() if one.adapter.connector.limits.refuses_duplicates]
    due = await items.due_resends(connection, [(one.open_, one.wish.limit) for one in wanted])
    drafts = [_draft(ready[item.organization_id], item, in_doubt=True) for item in due]
    await items.look_up_instead(connection, [one.claim.item for one in drafts if not one.is_the_same_again])
    return [one for one in drafts if one.is_the_same_again]


def _is_current(adapter: Adapter, open_: OpenConnector) -> bool:
    return (adapter.kind, adapter.version) == (open_.kind, open_.version)


def _draft(ready: _Ready, item: PendingItem, *, in_doubt: bool) -> _Draft:
    adapter = ready.adapter
    approval = ReimbursementApproved.from_canonical(item.content)
    posting = map_to_posting(approval, adapter.mapping, adapter.time_zone)
    reference, request_hash = _traces(item, posting)
    claim = Claim(item, ready.open_, ready.wish.fence, adapter.connector.limits, reference, request_hash, in_doubt)
    return _Draft(claim, adapter, _again(posting, item.attempt) if item.attempt else posting)


def _traces(item: PendingItem, posting: Posting | Rejected) -> tuple[str, bytes | None]:
    """The reference, and the hash of what is to be posted, whichever attempt it is."""
    if isinstance(posting, Rejected):
        return reference_of(item.organization_id, item.reimbursement_id), None
    return posting.reference, hashlib.sha256(_POSTING.dump_json(posting)).digest()


def _again(posting: Posting | Rejected, attempts: int) -> Posting | Rejected:
    return replace(posting, attempt=attempts + 1) if isinstance(posting, Posting) else posting


def _claimed(
    ready: Mapping[str, _Ready], drafts: Sequence[_Draft], attempts: Sequence[Attempt]
) -> dict[str, list[Claimed]]:
    """In the order of the drafts."""
    by_key = {(attempt.organization_id, attempt.reimbursement_id): attempt for attempt in attempts}
    claimed: dict[str, list[Claimed]] = {name: [] for name in ready}
    for one in drafts:
        item = one.claim.item
        attempt = by_key.get((item.organization_id, item.reimbursement_id))
        if attempt is not None:
            claimed[item.organization_id].append(Claimed(one.adapter, attempt, one.posting))
    return claimed
