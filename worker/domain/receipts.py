"""What becomes of a receipt that was tried to attach. It is best effort: nothing here touches the item."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal, assert_never

from connectors.contract import Attached, AttachOutcome, NotSent, Rejected, Unavailable, Unknown

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=12)
MOST_TRIES = 16
"""Over some three days: a weekend on which the receipts' host is down."""


class ReceiptState(StrEnum):
    """`not_wanted`: the connector that posted the item attaches nothing, or is not set to."""

    WAITING = "waiting"
    SENDING = "sending"
    ATTACHED = "attached"
    GIVEN_UP = "given_up"
    NOT_WANTED = "not_wanted"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Nothing was sent, since the connector was switched off or configured anew meanwhile."""


@dataclass(frozen=True, slots=True)
class NotWanted:
    """Nothing is to be sent."""


ReceiptOutcome = AttachOutcome | HeldBack | NotWanted
FinalState = Literal[ReceiptState.ATTACHED, ReceiptState.GIVEN_UP, ReceiptState.NOT_WANTED]


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """`due_in`: until the next try; where it is given up, until a person may have one made. `code` is for logs and
    metrics, `reason` a sentence for people."""

    state: FinalState | Literal[ReceiptState.WAITING]
    code: str
    reason: str | None = None
    due_in: timedelta = timedelta()


def judge_receipt(outcome: ReceiptOutcome, tries: int, life: timedelta, jitter: float) -> ReceiptVerdict:
    """`tries` counts this one, from 1 again where a person has it tried again; `life` is how long a request may be
    applied after nobody waits for it any more."""
    match outcome:
        case Attached() | NotWanted() | HeldBack():
            return _PLAIN[type(outcome)]
        case Rejected(code, message):
            return ReceiptVerdict(ReceiptState.GIVEN_UP, code, message)
        case NotSent(reason, wished):
            return _later("not_sent", reason, tries, _delay(tries, jitter, wished or timedelta()))
        case Unavailable(reason):
            return _later("unavailable", reason, tries, _delay(tries, jitter, timedelta()))
        case Unknown(evidence):
            return _later("unknown", evidence, tries, _delay(tries, jitter, life), life)
        case _:
            assert_never(outcome)


_PLAIN: Mapping[type[Attached | NotWanted | HeldBack], ReceiptVerdict] = {
    Attached: ReceiptVerdict(ReceiptState.ATTACHED, "attached"),
    NotWanted: ReceiptVerdict(ReceiptState.NOT_WANTED, "not_wanted"),
    HeldBack: ReceiptVerdict(ReceiptState.WAITING, "held_back"),
}


def _later(code: str, reason: str, tries: int, delay: timedelta, quarantine: timedelta = timedelta()) -> ReceiptVerdict:
    if tries >= MOST_TRIES:
        return ReceiptVerdict(ReceiptState.GIVEN_UP, code, f"Given up after {tries} tries. {reason}", quarantine)
    return ReceiptVerdict(ReceiptState.WAITING, code, reason, delay)


def _delay(tries: int, jitter: float, at_least: timedelta) -> timedelta:
    """Doubling from a minute to half a day, spread over the upper half of each."""
    full = min(FIRST_DELAY * (1 << min(tries - 1, MOST_TRIES)), LONGEST_DELAY)
    return max(full / 2 + full / 2 * jitter, at_least)
