"""Which organisation a global administrator should look at first, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain.sentences import Sentence, say, say_number
from worker.domain.switching import Phase

LONG = timedelta(days=7)
"""What waits for longer, with nobody switching meanwhile, is a problem also where the connector is off on purpose."""


class Trouble(StrEnum):
    """The gravest first."""

    SUSPENDED = "suspended"
    FOR_A_PERSON = "for_a_person"
    OVERDUE = "overdue"
    REJECTED = "rejected"
    WAITING_LONG = "waiting_long"
    NO_CONNECTOR = "no_connector"


RANKS = {trouble: rank for rank, trouble in enumerate(Trouble)}
NO_TROUBLE = len(RANKS)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an organisation stands. `phase` None: no connector is configured. `oldest`: of what waits."""

    title: str | None
    phase: Phase | None
    suspended_reason: str | None
    changed_at: datetime | None
    waiting: int
    oldest: datetime | None
    rejected: int
    for_a_person: int
    overdue: int


def trouble_of(standing: Standing, now: datetime) -> Trouble | None:
    """The gravest one."""
    return next((trouble for trouble, is_so in _TROUBLES.items() if is_so(standing, now)), None)


def sentence_of(trouble: Trouble, standing: Standing) -> Sentence:
    match trouble:
        case Trouble.SUSPENDED:
            return say(
                "The {title} connector is suspended: {reason}", title=standing.title, reason=standing.suspended_reason
            )
        case Trouble.FOR_A_PERSON:
            return say_number(
                "1 outcome is unknown, and a person has to compare it with the ERP.",
                "{count} outcomes are unknown, and a person has to compare them with the ERP.",
                count=standing.for_a_person,
            )
        case Trouble.OVERDUE:
            return say_number(
                "1 reimbursement is in doubt for longer than it should be.",
                "{count} reimbursements are in doubt for longer than they should be.",
                count=standing.overdue,
            )
        case Trouble.REJECTED:
            return say_number(
                "1 reimbursement was rejected and waits for a person.",
                "{count} reimbursements were rejected and wait for a person.",
                count=standing.rejected,
            )
        case Trouble.WAITING_LONG:
            return _waiting_long(standing)
        case Trouble.NO_CONNECTOR:
            return say_number(
                "1 reimbursement waits, and no connector is configured.",
                "{count} reimbursements wait, and no connector is configured.",
                count=standing.waiting,
            )


def _waiting_long(standing: Standing) -> Sentence:
    if standing.phase is Phase.ON:
        return say_number(
            "1 reimbursement waits though the connector is on, approved {oldest}.",
            "{count} reimbursements wait though the connector is on, the oldest approved {oldest}.",
            count=standing.waiting,
            oldest=standing.oldest,
        )
    return say_number(
        "1 reimbursement waits while the connector is off, approved {oldest}.",
        "{count} reimbursements wait while the connector is off, the oldest approved {oldest}.",
        count=standing.waiting,
        oldest=standing.oldest,
    )


def _waits_long(standing: Standing, now: datetime) -> bool:
    if standing.phase is None or standing.oldest is None:
        return False
    return max(standing.oldest, standing.changed_at or standing.oldest) <= now - LONG


_TROUBLES: dict[Trouble, Callable[[Standing, datetime], bool]] = {
    Trouble.SUSPENDED: lambda standing, _: standing.phase is Phase.SUSPENDED,
    Trouble.FOR_A_PERSON: lambda standing, _: standing.for_a_person > 0,
    Trouble.OVERDUE: lambda standing, _: standing.overdue > 0,
    Trouble.REJECTED: lambda standing, _: standing.rejected > 0,
    Trouble.WAITING_LONG: _waits_long,
    Trouble.NO_CONNECTOR: lambda standing, _: standing.phase is None and standing.waiting > 0,
}
