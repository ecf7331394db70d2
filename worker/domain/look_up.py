"""What a look-up at the ERP makes of an item that is `confirming` or `unknown`."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from connectors.contract import Absent, Finding, Found, ImportRefused, Limits, Staged
from worker.domain.retry import confirmation_delay
from worker.domain.states import ItemState, OutcomeName, Verdict, fit, for_a_person

ENOUGH_ABSENCES = 2
"""A document may be seen by look-ups only a while after it was applied: one that finds nothing is not enough."""

IMPORT_OVERDUE = "import_overdue"
IMPORT_VANISHED = "import_vanished"


@dataclass(frozen=True, slots=True)
class Approved:
    """What the ERP should hold, in the document's currency."""

    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Later:
    """The ERP's import has not decided: look again after `delay`. `reason` is there where it takes too long."""

    delay: timedelta
    code: str | None = None
    reason: str | None = None


def judge_import(
    finding: Finding, approved: Approved, age: timedelta, limits: Limits, first: timedelta
) -> Verdict | Later:
    """The verdict on an item that is `confirming`. `age` is since its claim; `first` is the shortest delay."""
    is_overdue = age > limits.longest_import
    match finding:
        case Found():
            return judge_document(finding, approved)
        case ImportRefused(_, code, message):
            return Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code=fit(code), reason=fit(message))
        case Absent() if is_overdue:
            return _vanished()
        case Staged() | Absent():
            return _later(confirmation_delay(age, first), limits, is_overdue=is_overdue)
        case _:
            assert_never(finding)


def judge_doubt(finding: Finding, approved: Approved, absences: int, limits: Limits) -> Verdict:
    """The verdict on an item that is `unknown` and whose quarantine is over.

    `absences` are the look-ups in a row that found nothing before this one.
    """
    match finding:
        case Found():
            return judge_document(finding, approved)
        case Staged(document) | ImportRefused(document, _, _):
            # Its import is looked at once more from there, and says by itself what it refused.
            return Verdict(OutcomeName.STAGED, ItemState.CONFIRMING, document=document)
        case Absent():
            return _absent(absences + 1, limits.longest_request_life)
        case _:
            assert_never(finding)


def judge_document(found: Found, approved: Approved) -> Verdict:
    if (found.total, found.currency) == (approved.total, approved.currency):
        return Verdict(OutcomeName.FOUND, ItemState.SYNCED, document=found.document)
    return for_a_person(found.document, difference(found, approved))


def difference(found: Found, approved: Approved) -> str:
    """Both values, for whoever has to compare them."""
    return (
        f"The ERP holds document {found.document.number} over {found.total} {found.currency} under this reference, but "
        f"{approved.total} {approved.currency} was approved. Compare the two; then correct the document and retry, or "
        "mark the reimbursement as handled elsewhere."
    )


def _absent(absences: int, life: timedelta) -> Verdict:
    if absences >= ENOUGH_ABSENCES:
        return Verdict(
            OutcomeName.ABSENT,
            ItemState.PENDING,
            reason="The ERP was asked twice and does not have it. It is sent again.",
            absences=absences,
        )
    return Verdict(
        OutcomeName.ABSENT,
        ItemState.UNKNOWN,
        due_in=life,
        reason="The ERP was asked once and does not have it. It is asked again before anything is sent.",
        absences=absences,
    )


def _vanished() -> Verdict:
    """Somebody may have removed it from the import because they booked it by hand, so it is not sent again."""
    return Verdict(
        OutcomeName.UNKNOWN,
        ItemState.UNKNOWN,
        code=IMPORT_VANISHED,
        reason="The ERP took it into its import, where it is no longer, and no document was made. Look whether "
        "somebody booked it by hand; then mark it as handled elsewhere, or retry to have it looked up and sent again.",
        is_for_a_person=True,
    )


def _later(delay: timedelta, limits: Limits, *, is_overdue: bool) -> Later:
    if not is_overdue:
        return Later(delay)
    hours = limits.longest_import / timedelta(hours=1)
    return Later(
        delay, IMPORT_OVERDUE, f"The ERP's import has not decided for more than {hours:g} h. Look for it in the import."
    )
