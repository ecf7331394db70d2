"""What a look-up makes of an item whose outcome is open."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest

from connectors.contract import Absent, Document, Finding, Found, ImportRefused, Limits, Staged
from worker.domain.look_up import Approved, Later, judge_doubt, judge_import
from worker.domain.states import ItemState, OutcomeName, Verdict

DOCUMENT = Document("20417", "9001", "https://erp.example/20417")
APPROVED = Approved(Decimal("100.00"), "NOK")
LIFE = timedelta(minutes=15)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LIMITS = Limits(concurrency=2, longest_request_life=LIFE, longest_import=HOUR)
EQUAL = Found(DOCUMENT, Decimal("100.0"), "NOK")


def imported(finding: Finding, age: timedelta = SECOND) -> Verdict | Later:
    return judge_import(finding, APPROVED, age, LIMITS, SECOND)


def doubted(finding: Finding, absences: int = 0) -> Verdict:
    return judge_doubt(finding, APPROVED, absences, LIMITS)


def test_a_document_that_is_found_and_equal_is_synced_whatever_was_waited_for() -> None:
    synced = Verdict(OutcomeName.FOUND, ItemState.SYNCED, document=DOCUMENT)
    assert (imported(EQUAL), doubted(EQUAL), doubted(EQUAL, absences=1)) == (synced, synced, synced)


@pytest.mark.parametrize(("total", "currency"), [("100.01", "NOK"), ("100.00", "SEK"), ("-100.00", "NOK")])
def test_a_document_that_is_found_and_different_waits_for_a_person_with_both_values(total: str, currency: str) -> None:
    found = Found(DOCUMENT, Decimal(total), currency)
    for verdict in (imported(found), doubted(found)):
        assert isinstance(verdict, Verdict)
        assert (verdict.state, verdict.outcome) == (ItemState.UNKNOWN, OutcomeName.DIFFERENT)
        assert (verdict.code, verdict.document, verdict.is_for_a_person) == ("different_document", DOCUMENT, True)
        assert verdict.reason == (
            f"The ERP holds document 20417 over {total} {currency} under this reference, but 100.00 NOK was approved. "
            "Compare the two; then correct the document and retry, or mark the reimbursement as handled elsewhere."
        )


def test_one_absence_is_not_enough_and_a_second_quarantine_passes() -> None:
    assert doubted(Absent()) == Verdict(
        OutcomeName.ABSENT,
        ItemState.UNKNOWN,
        due_in=LIFE,
        reason="The ERP was asked once and does not have it. It is asked again before anything is sent.",
        absences=1,
    )


def test_what_is_not_found_twice_is_pending_again() -> None:
    assert doubted(Absent(), absences=1) == Verdict(
        OutcomeName.ABSENT,
        ItemState.PENDING,
        reason="The ERP was asked twice and does not have it. It is sent again.",
        absences=2,
    )


@pytest.mark.parametrize("finding", [Staged(DOCUMENT), ImportRefused(DOCUMENT, "period", "Closed.")])
def test_an_unknown_outcome_that_stands_in_the_import_is_confirmed_from_there(finding: Finding) -> None:
    assert doubted(finding) == Verdict(OutcomeName.STAGED, ItemState.CONFIRMING, document=DOCUMENT)


def test_an_import_that_was_refused_is_rejected_with_the_erps_words() -> None:
    verdict = imported(ImportRefused(DOCUMENT, "period", "Closed."))
    assert verdict == Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code="period", reason="Closed.")


@pytest.mark.parametrize("finding", [Staged(DOCUMENT), Absent()])
@pytest.mark.parametrize(("age", "delay"), [(SECOND, 1), (timedelta(seconds=20), 2), (HOUR, 300)])
def test_an_import_that_has_not_decided_is_looked_at_again_ever_later(
    finding: Finding, age: timedelta, delay: float
) -> None:
    assert imported(finding, age) == Later(timedelta(seconds=delay))


def test_an_import_that_takes_longer_than_its_limit_says_so_and_is_still_looked_at() -> None:
    assert imported(Staged(DOCUMENT), HOUR + SECOND) == Later(
        timedelta(minutes=5),
        "import_overdue",
        "The ERP's import has not decided for more than 1 h. Look for it in the import.",
    )


def test_what_vanished_from_the_import_waits_for_a_person_and_is_never_sent_again_by_itself() -> None:
    verdict = imported(Absent(), HOUR + SECOND)
    assert isinstance(verdict, Verdict)
    assert (verdict.state, verdict.outcome, verdict.code) == (
        ItemState.UNKNOWN,
        OutcomeName.UNKNOWN,
        "import_vanished",
    )
    assert verdict.is_for_a_person
    assert not verdict.is_open
    assert verdict.reason == (
        "The ERP took it into its import, where it is no longer, and no document was made. Look whether somebody "
        "booked it by hand; then mark it as handled elsewhere, or retry to have it looked up and sent again."
    )


@pytest.mark.parametrize("judged", [imported, doubted])
def test_a_finding_that_the_domain_does_not_know_is_an_error_and_never_an_item_without_a_verdict(
    judged: Callable[[Finding], object],
) -> None:
    with pytest.raises(AssertionError):
        judged(cast(Finding, "found"))
