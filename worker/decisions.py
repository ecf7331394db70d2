"""What a person decides about one item: try it again, or say that it was handled elsewhere. Refusals are logged too."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from worker.domain.sentences import Sentence, say
from worker.domain.states import ASKABLE_BY_A_PERSON, CLOSABLE_BY_A_PERSON, RETRYABLE_BY_A_PERSON, ItemState
from worker.domain.switching import Actor
from worker.store import intake, items, receipts, sync_log
from worker.store.database import Connection
from worker.store.items import Standing
from worker.store.sync_log import Change


@dataclass(frozen=True, slots=True)
class Decided:
    state: ItemState


@dataclass(frozen=True, slots=True)
class NotDecided:
    """Nothing was changed; the sentence says why and what to do."""

    sentence: Sentence


class Decide(Protocol):
    """One of the decisions below. Refusals are logged."""

    async def __call__(
        self,
        connection: Connection,
        organization_id: str,
        reimbursement_id: str,
        *,
        actor: Actor,
        reason: str,
        source: str,
        seen: Standing | None = None,
    ) -> Decided | NotDecided: ...


@dataclass(frozen=True, slots=True)
class _Case:
    """Who wants what done to which item, and why. `seen` is where it stood as far as they saw (None: they did not
    look)."""

    organization_id: str
    reimbursement_id: str
    actor: Actor
    reason: str
    source: str
    seen: Standing | None


_CarryOut = Callable[[Connection, _Case, ItemState | None], Awaitable[Decided | Sentence]]
"""Does what was decided, or changes nothing and says why not."""


async def retry(
    connection: Connection,
    organization_id: str,
    reimbursement_id: str,
    *,
    actor: Actor,
    reason: str,
    source: str,
    seen: Standing | None = None,
) -> Decided | NotDecided:
    """A rejected item becomes pending again, in its old place. One whose outcome is unknown is not sent for that: it is
    looked up once more. One that is synced stays so: its receipts that were given up are tried again."""
    case = _Case(organization_id, reimbursement_id, actor, reason, source, seen)
    return await _decide(connection, case, _try_again, refused_as="retry_refused")


async def hand_over(
    connection: Connection,
    organization_id: str,
    reimbursement_id: str,
    *,
    actor: Actor,
    reason: str,
    source: str,
    seen: Standing | None = None,
) -> Decided | NotDecided:
    """The item leaves the queue for good: somebody booked it by hand, or it is not to be booked."""
    case = _Case(organization_id, reimbursement_id, actor, reason, source, seen)
    return await _decide(connection, case, _close, refused_as="handled_elsewhere_refused")


async def _decide(
    connection: Connection, case: _Case, carry_out: _CarryOut, *, refused_as: str
) -> Decided | NotDecided:
    """Where the item stands is held until the transaction ends, so that what is refused or done fits it."""
    standing = await items.lock_standing(connection, case.organization_id, case.reimbursement_id)
    state = standing.state if standing else None
    answer = _refusal(case, standing) or await carry_out(connection, case, state)
    if isinstance(answer, Decided):
        return answer
    await _log_refusal(connection, case, refused_as, state, answer)
    return NotDecided(answer)


async def _try_again(connection: Connection, case: _Case, state: ItemState | None) -> Decided | Sentence:
    if state in RETRYABLE_BY_A_PERSON:
        return await _send_again(connection, case)
    if state in ASKABLE_BY_A_PERSON:
        return await _look_up_again(connection, case)
    if state is ItemState.SYNCED and await _attach_again(connection, case):
        return Decided(ItemState.SYNCED)
    return say(
        "{reimbursement} is {state}, and only what was rejected or is unknown, or a receipt that was given up, can be "
        "retried.",
        reimbursement=case.reimbursement_id,
        state=_said(state),
    )


async def _send_again(connection: Connection, case: _Case) -> Decided:
    await items.retry(connection, case.organization_id, case.reimbursement_id)
    await _log(connection, case, "item_retried", ItemState.PENDING, case.reason)
    await intake.wake_lanes(connection, [case.organization_id])
    return Decided(ItemState.PENDING)


async def _look_up_again(connection: Connection, case: _Case) -> Decided:
    await items.ask_again(connection, case.organization_id, case.reimbursement_id)
    await _log(connection, case, "item_look_up_requested", ItemState.UNKNOWN, case.reason)
    await intake.wake_lanes(connection, [case.organization_id])
    return Decided(ItemState.UNKNOWN)


async def _attach_again(connection: Connection, case: _Case) -> bool:
    """Whether there was anything that had been given up. Whoever carries receipts finds it by itself."""
    positions = await receipts.retry_given_up(connection, case.organization_id, case.reimbursement_id)
    if positions:
        await _log(connection, case, "receipts_retried", ItemState.SYNCED, case.reason, receipts=positions)
    return bool(positions)


async def _close(connection: Connection, case: _Case, state: ItemState | None) -> Decided | Sentence:
    if state not in CLOSABLE_BY_A_PERSON:
        return say(
            "{reimbursement} is {state} and can't be marked as handled elsewhere now.",
            reimbursement=case.reimbursement_id,
            state=_said(state),
        )
    await items.hand_over(connection, case.organization_id, case.reimbursement_id, case.reason)
    await _log(connection, case, "item_handled_elsewhere", ItemState.HANDLED_ELSEWHERE, case.reason)
    return Decided(ItemState.HANDLED_ELSEWHERE)


def _refusal(case: _Case, standing: Standing | None) -> Sentence | None:
    if not case.actor.may_switch(case.organization_id):
        return say(
            "{actor} may not decide for {organization}: it is not their organisation.",
            actor=case.actor.id,
            organization=case.organization_id,
        )
    if not case.reason.strip():
        return say("A reason is required. Say why, and try again.")
    if standing is None:
        return say(
            "{organization} has no reimbursement {reimbursement}. Check the number.",
            organization=case.organization_id,
            reimbursement=case.reimbursement_id,
        )
    if case.seen not in {None, standing}:
        return say(
            "{reimbursement} has changed meanwhile: it is {state} now. Nothing was done. Look again before you decide.",
            reimbursement=case.reimbursement_id,
            state=_said(standing.state),
        )
    return None


def _said(state: ItemState | None) -> Sentence:
    return _STATES[state] if state else say("not there")


_STATES: Mapping[ItemState, Sentence] = {
    ItemState.PENDING: say("pending"),
    ItemState.SENDING: say("sending"),
    ItemState.CONFIRMING: say("confirming"),
    ItemState.SYNCED: say("synced"),
    ItemState.REJECTED: say("rejected"),
    ItemState.UNKNOWN: say("unknown"),
    ItemState.HANDLED_ELSEWHERE: say("handled elsewhere"),
}


async def _log_refusal(
    connection: Connection, case: _Case, change: str, state: ItemState | None, sentence: Sentence
) -> None:
    """A try on what does not exist is no event of that organisation, unless it is a stranger's."""
    if state is not None or not case.actor.may_switch(case.organization_id):
        await _log(connection, case, change, state, sentence)


async def _log(
    connection: Connection, case: _Case, change: str, state: ItemState | None, reason: str, **more: object
) -> None:
    detail = {"reimbursement_id": case.reimbursement_id, **more}
    entry = Change(case.actor.id, case.actor.role, case.source, change, None, state, reason, detail)
    await sync_log.append(connection, case.organization_id, entry)
