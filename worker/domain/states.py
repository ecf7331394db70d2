"""The states of an item, and what an outcome makes of it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from connectors.contract import (
    Accepted,
    Document,
    Limits,
    NotSent,
    Posted,
    PostOutcome,
    Rejected,
    Unavailable,
    Unknown,
)
from worker.domain.retry import pause_after


class ItemState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    CONFIRMING = "confirming"
    SYNCED = "synced"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    HANDLED_ELSEWHERE = "handled_elsewhere"


class OutcomeName(StrEnum):
    """What came of an attempt, or of looking it up, as its history and the metrics name it."""

    POSTED = "posted"
    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"
    FOUND = "found"
    DIFFERENT = "different"
    STAGED = "staged"
    ABSENT = "absent"


LONGEST_REASON = 2000
DIFFERENT_DOCUMENT = "different_document"

RETRYABLE_BY_A_PERSON = frozenset({ItemState.REJECTED})
ASKABLE_BY_A_PERSON = frozenset({ItemState.UNKNOWN})
CLOSABLE_BY_A_PERSON = frozenset({ItemState.PENDING, ItemState.REJECTED, ItemState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an item, and what a person is told.

    `due_in`: how long until it is dealt with again (None: at once); where `is_for_a_person`, never by itself.
    `quarantine`: for how long from now an earlier request may still be applied (None: as it was).
    `is_resent_no_more`: only look-ups bring it to an end from here on, also where the ERP refuses duplicates.
    `absences`: look-ups in a row that found nothing, this one included.
    """

    outcome: OutcomeName
    state: ItemState
    due_in: timedelta | None = None
    document: Document | None = None
    code: str | None = None
    reason: str | None = None
    quarantine: timedelta | None = None
    is_for_a_person: bool = False
    is_resent_no_more: bool = False
    absences: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the ERP has to be asked what became of it."""
        return self.state in {ItemState.CONFIRMING, ItemState.UNKNOWN} and not self.is_for_a_person


def judge_outcome(
    outcome: PostOutcome, delay: timedelta, limits: Limits, attempt: int, *, in_doubt: bool = False
) -> Verdict:
    """The verdict on the attempt of that number. `delay` is the lane's back-off, for an item that was not sent.

    `in_doubt`: an earlier attempt may have been applied, or may be yet. Then only a success says what the ERP holds.
    """
    verdict = _judge_alone(outcome, delay, limits, attempt)
    return _keep_doubt(verdict, limits) if in_doubt else verdict


def _judge_alone(outcome: PostOutcome, delay: timedelta, limits: Limits, attempt: int) -> Verdict:
    match outcome:
        case Posted(document):
            return Verdict(OutcomeName.POSTED, ItemState.SYNCED, document=document)
        case Accepted(document, check_after):
            return Verdict(OutcomeName.ACCEPTED, ItemState.CONFIRMING, due_in=check_after, document=document)
        case NotSent(reason, _):
            return Verdict(OutcomeName.NOT_SENT, ItemState.PENDING, due_in=delay, reason=fit(reason))
        case Rejected(code, message):
            return Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code=fit(code), reason=fit(message))
        case Unavailable(reason):
            return Verdict(OutcomeName.UNAVAILABLE, ItemState.PENDING, reason=fit(reason))
        case Unknown():
            return _doubt(outcome, limits, attempt)
        case _:
            assert_never(outcome)


def _doubt(outcome: Unknown, limits: Limits, attempt: int) -> Verdict:
    """Sent again soon where that is the look-up; else looked up once no request can be alive any more."""
    life = limits.longest_request_life
    if outcome.conflict is not None:
        return for_a_person(outcome.conflict, outcome.evidence)
    return Verdict(
        OutcomeName.UNKNOWN,
        ItemState.UNKNOWN,
        due_in=pause_after(attempt) if limits.refuses_duplicates else life,
        quarantine=life,
        reason=fit(outcome.evidence),
    )


def _keep_doubt(verdict: Verdict, limits: Limits) -> Verdict:
    """That this attempt was not sent, or was refused, does not tell what became of the one before it.

    A refusal may even be the ERP's word for "I have it already", which a look-up did not see yet.
    """
    life = limits.longest_request_life
    match verdict.state:
        case ItemState.PENDING:
            return replace(verdict, state=ItemState.UNKNOWN)
        case ItemState.REJECTED:
            return replace(verdict, state=ItemState.UNKNOWN, due_in=life, quarantine=life, is_resent_no_more=True)
        case _:
            return verdict


def for_a_person(document: Document, difference: str) -> Verdict:
    """The ERP holds another document under the reference; nothing is sent or looked up until a person has compared."""
    return Verdict(
        OutcomeName.DIFFERENT,
        ItemState.UNKNOWN,
        document=document,
        code=DIFFERENT_DOCUMENT,
        reason=fit(difference),
        is_for_a_person=True,
    )


def fit(text: str) -> str:
    """PostgreSQL's text can't hold NUL nor half a character, and an ERP's page of prose helps nobody."""
    told = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return told[:LONGEST_REASON] or "The ERP gave no reason."
