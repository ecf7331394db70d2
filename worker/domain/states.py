"""The states of an item, and what an outcome makes of it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from connectors.contract import (
    Absent,
    Accepted,
    Document,
    Finding,
    Found,
    ImportRefused,
    NotSent,
    Posted,
    PostOutcome,
    Rejected,
    Staged,
    Unavailable,
    Unknown,
)


class ItemState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    CONFIRMING = "confirming"
    SYNCED = "synced"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    HANDLED_ELSEWHERE = "handled_elsewhere"


class OutcomeName(StrEnum):
    """An outcome as the attempt's history and the metrics name it."""

    POSTED = "posted"
    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


LONGEST_REASON = 2000

RETRYABLE_BY_A_PERSON = frozenset({ItemState.REJECTED})
CLOSABLE_BY_A_PERSON = frozenset({ItemState.PENDING, ItemState.REJECTED, ItemState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an item: its next state, how long until it is looked at again (None: at once), and what a person
    is told."""

    outcome: OutcomeName
    state: ItemState
    due_in: timedelta | None = None
    document: Document | None = None
    code: str | None = None
    reason: str | None = None


def judge_outcome(outcome: PostOutcome, delay: timedelta) -> Verdict:
    """The verdict on an attempt. `delay` is the lane's back-off, for an item that was not sent."""
    match outcome:
        case Posted(document):
            return Verdict(OutcomeName.POSTED, ItemState.SYNCED, document=document)
        case Accepted(document, check_after):
            return Verdict(OutcomeName.ACCEPTED, ItemState.CONFIRMING, due_in=check_after, document=document)
        case NotSent(reason, _):
            return Verdict(OutcomeName.NOT_SENT, ItemState.PENDING, due_in=delay, reason=_fit(reason))
        case Rejected(code, message):
            return Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code=_fit(code), reason=_fit(message))
        case Unavailable(reason):
            return Verdict(OutcomeName.UNAVAILABLE, ItemState.PENDING, reason=_fit(reason))
        case Unknown(evidence):
            return Verdict(OutcomeName.UNKNOWN, ItemState.UNKNOWN, reason=_fit(evidence))
        case _:
            assert_never(outcome)


def judge_finding(finding: Finding, total: Decimal, currency: str) -> Verdict | None:
    """The verdict on an item that is `confirming`, or None while the ERP's import has not decided."""
    match finding:
        case Found(document, found_total, found_currency):
            if (found_total, found_currency) == (total, currency):
                return Verdict(OutcomeName.POSTED, ItemState.SYNCED, document=document)
            difference = (
                f"The ERP has {found_total} {found_currency}, but {total} {currency} was approved. Compare them."
            )
            return Verdict(OutcomeName.UNKNOWN, ItemState.UNKNOWN, code="different_document", reason=difference)
        case ImportRefused(code, message):
            return Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code=_fit(code), reason=_fit(message))
        case Staged() | Absent():
            return None
        case _:
            assert_never(finding)


def _fit(text: str) -> str:
    """PostgreSQL's text can't hold NUL, and an ERP's page of prose helps nobody."""
    return text.replace("\x00", "")[:LONGEST_REASON] or "The ERP gave no reason."
