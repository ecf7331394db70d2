"""A verdict on its way to PostgreSQL: with the event that tells the outside of it."""

from schemas.outcome import (
    Document,
    OutcomeEvent,
    ReimbursementOutcomeUnknown,
    ReimbursementRejected,
    ReimbursementSynced,
)
from worker.domain.states import ItemState, Verdict
from worker.store.items import Attempt, EntryKind, Settlement


def settlement_of(attempt: Attempt, from_state: ItemState, verdict: Verdict) -> Settlement:
    """`from_state`: `sending` for what came of the attempt, else the state in which its item was looked up."""
    was_told = ItemState.UNKNOWN if attempt.in_doubt else from_state
    event = _event(attempt, verdict) if verdict.state is not was_told else None
    return Settlement(
        attempt=attempt,
        from_state=from_state,
        kind=_kind(from_state),
        verdict=verdict,
        event_type=event.TYPE if event else None,
        event_value=event.to_json() if event else None,
    )


def _kind(from_state: ItemState) -> EntryKind:
    match from_state:
        case ItemState.CONFIRMING:
            return "confirmed"
        case ItemState.UNKNOWN:
            return "looked_up"
        case _:
            return "settled"


def _event(attempt: Attempt, verdict: Verdict) -> OutcomeEvent | None:
    """Only what is final, or waits for somebody, is told."""
    match verdict.state:
        case ItemState.SYNCED:
            return _synced(attempt, verdict)
        case ItemState.REJECTED:
            return _rejected(attempt, verdict)
        case ItemState.UNKNOWN:
            return _unknown(attempt)
        case _:
            return None


def _synced(attempt: Attempt, verdict: Verdict) -> ReimbursementSynced:
    document = verdict.document
    return ReimbursementSynced(
        organization_id=attempt.organization_id,
        reimbursement_id=attempt.reimbursement_id,
        connector=attempt.connector,
        attempt=attempt.attempt,
        document=Document(number=document.number if document else "", url=document.url if document else None),
    )


def _rejected(attempt: Attempt, verdict: Verdict) -> ReimbursementRejected:
    return ReimbursementRejected(
        organization_id=attempt.organization_id,
        reimbursement_id=attempt.reimbursement_id,
        connector=attempt.connector,
        attempt=attempt.attempt,
        code=verdict.code or "",
        message=verdict.reason or "",
    )


def _unknown(attempt: Attempt) -> ReimbursementOutcomeUnknown:
    return ReimbursementOutcomeUnknown(
        organization_id=attempt.organization_id,
        reimbursement_id=attempt.reimbursement_id,
        connector=attempt.connector,
        attempt=attempt.attempt,
        since=attempt.claimed_at,
    )
