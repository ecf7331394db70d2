"""What a person decides about one item: try it again, or say that it was handled elsewhere. Both are logged."""

from dataclasses import dataclass

from worker.domain.states import CLOSABLE_BY_A_PERSON, RETRYABLE_BY_A_PERSON, ItemState
from worker.domain.switching import Actor
from worker.store import intake, items, sync_log
from worker.store.database import Connection
from worker.store.sync_log import Change


@dataclass(frozen=True, slots=True)
class Decided:
    state: ItemState


@dataclass(frozen=True, slots=True)
class NotDecided:
    """Nothing was changed; the sentence says why and what to do."""

    sentence: str


async def retry(
    connection: Connection, organization_id: str, reimbursement_id: str, *, actor: Actor, reason: str, source: str
) -> Decided | NotDecided:
    """A rejected item becomes pending again, in its old place."""
    state = await items.lock_state(connection, organization_id, reimbursement_id)
    refusal = _refusal(organization_id, reimbursement_id, actor, reason, state)
    if refusal or state is None:
        return NotDecided(refusal or "")
    if state not in RETRYABLE_BY_A_PERSON:
        return NotDecided(f"{reimbursement_id} is {_said(state)}, and only what was rejected can be retried.")
    await items.retry(connection, organization_id, reimbursement_id)
    await _log(connection, organization_id, reimbursement_id, "item_retried", ItemState.PENDING, actor, reason, source)
    await intake.wake_lanes(connection, [organization_id])
    return Decided(ItemState.PENDING)


async def hand_over(
    connection: Connection, organization_id: str, reimbursement_id: str, *, actor: Actor, reason: str, source: str
) -> Decided | NotDecided:
    """The item leaves the queue for good: somebody booked it by hand, or it is not to be booked."""
    state = await items.lock_state(connection, organization_id, reimbursement_id)
    refusal = _refusal(organization_id, reimbursement_id, actor, reason, state)
    if refusal or state is None:
        return NotDecided(refusal or "")
    if state not in CLOSABLE_BY_A_PERSON:
        return NotDecided(f"{reimbursement_id} is {_said(state)} and can't be marked as handled elsewhere now.")
    await items.hand_over(connection, organization_id, reimbursement_id, reason)
    handled = ItemState.HANDLED_ELSEWHERE
    await _log(connection, organization_id, reimbursement_id, "item_handled_elsewhere", handled, actor, reason, source)
    return Decided(handled)


def _refusal(
    organization_id: str, reimbursement_id: str, actor: Actor, reason: str, state: ItemState | None
) -> str | None:
    if not actor.may_switch(organization_id):
        return f"{actor.id} may not decide for {organization_id}: it is not their organisation."
    if not reason.strip():
        return "A reason is required. Say why, and try again."
    if state is None:
        return f"{organization_id} has no reimbursement {reimbursement_id}. Check the number."
    return None


def _said(state: ItemState) -> str:
    return state.value.replace("_", " ")


async def _log(
    connection: Connection,
    organization_id: str,
    reimbursement_id: str,
    change: str,
    state: ItemState,
    actor: Actor,
    reason: str,
    source: str,
) -> None:
    detail = {"reimbursement_id": reimbursement_id}
    entry = Change(actor.id, actor.role, source, change, None, state, reason, detail)
    await sync_log.append(connection, organization_id, entry)
