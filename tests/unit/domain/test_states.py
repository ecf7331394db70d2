"""What an outcome or a finding makes of an item."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from worker.domain.states import LONGEST_REASON, ItemState, OutcomeName, Verdict, judge_finding, judge_outcome

DELAY = timedelta(seconds=7)
DOCUMENT = Document("20417", "9001", "https://erp.example/20417")
HUNDRED = Decimal("100.00")


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Posted(DOCUMENT), Verdict(OutcomeName.POSTED, ItemState.SYNCED, document=DOCUMENT)),
        (
            Accepted(DOCUMENT, timedelta(seconds=5)),
            Verdict(OutcomeName.ACCEPTED, ItemState.CONFIRMING, due_in=timedelta(seconds=5), document=DOCUMENT),
        ),
        (NotSent("429"), Verdict(OutcomeName.NOT_SENT, ItemState.PENDING, due_in=DELAY, reason="429")),
        (
            Rejected("closed_period", "2025 is closed."),
            Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code="closed_period", reason="2025 is closed."),
        ),
        (Unavailable("Renew it."), Verdict(OutcomeName.UNAVAILABLE, ItemState.PENDING, reason="Renew it.")),
        (Unknown("Read time-out."), Verdict(OutcomeName.UNKNOWN, ItemState.UNKNOWN, reason="Read time-out.")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_outcome_leads_to_its_state(outcome: PostOutcome, verdict: Verdict) -> None:
    assert judge_outcome(outcome, DELAY) == verdict


def test_what_was_not_sent_waits_for_the_lanes_delay_and_not_for_the_erps_wish_alone() -> None:
    assert judge_outcome(NotSent("429", retry_after=timedelta(hours=1)), DELAY).due_in == DELAY


def test_an_item_refused_with_all_others_is_due_again_at_once_since_the_connector_waits() -> None:
    assert judge_outcome(Unavailable("The licence ended."), DELAY).due_in is None


def test_a_found_document_of_the_approved_amount_is_synced() -> None:
    verdict = judge_finding(Found(DOCUMENT, Decimal("100.0"), "NOK"), HUNDRED, "NOK")
    assert verdict == Verdict(OutcomeName.POSTED, ItemState.SYNCED, document=DOCUMENT)


@pytest.mark.parametrize(("total", "currency"), [("100.01", "NOK"), ("100.00", "SEK"), ("-100.00", "NOK")])
def test_a_found_document_of_another_amount_or_currency_waits_for_a_person(total: str, currency: str) -> None:
    verdict = judge_finding(Found(DOCUMENT, Decimal(total), currency), HUNDRED, "NOK")
    assert verdict is not None
    assert (verdict.state, verdict.code) == (ItemState.UNKNOWN, "different_document")
    assert verdict.reason == f"The ERP has {total} {currency}, but 100.00 NOK was approved. Compare them."


def test_an_import_that_was_refused_is_rejected_with_the_erps_words() -> None:
    verdict = judge_finding(ImportRefused("period", "Closed."), HUNDRED, "NOK")
    assert verdict == Verdict(OutcomeName.REJECTED, ItemState.REJECTED, code="period", reason="Closed.")


@pytest.mark.parametrize("finding", [Staged(), Absent()])
def test_an_import_that_has_not_decided_changes_nothing(finding: Finding) -> None:
    assert judge_finding(finding, HUNDRED, "NOK") is None


@given(st.text())
def test_what_an_erp_says_always_fits_into_the_table(prose: str) -> None:
    for outcome in (NotSent(prose), Rejected(prose, prose), Unavailable(prose), Unknown(prose)):
        verdict = judge_outcome(outcome, DELAY)
        assert verdict.reason
        assert "\x00" not in verdict.reason
        assert len(verdict.reason) <= LONGEST_REASON
        assert verdict.code is None or verdict.code


def test_a_page_of_prose_is_cut() -> None:
    assert judge_outcome(Unknown("x" * 100_000), DELAY).reason == "x" * LONGEST_REASON


def test_a_silent_refusal_gets_a_reason_that_says_so() -> None:
    assert judge_outcome(Rejected("", "\x00"), DELAY).reason == "The ERP gave no reason."
