"""What an outcome makes of an item."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
from worker.domain.states import (
    ASKABLE_BY_A_PERSON,
    CLOSABLE_BY_A_PERSON,
    LONGEST_REASON,
    RETRYABLE_BY_A_PERSON,
    ItemState,
    OutcomeName,
    Verdict,
    judge_outcome,
)

DELAY = timedelta(seconds=7)
DOCUMENT = Document("20417", "9001", "https://erp.example/20417")
LIFE = timedelta(minutes=15)
LIMITS = Limits(concurrency=2, longest_request_life=LIFE)
REFUSING = replace(LIMITS, refuses_duplicates=True)


def judge(outcome: PostOutcome) -> Verdict:
    return judge_outcome(outcome, DELAY, LIMITS, 1)


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
        (
            Unknown("Read time-out."),
            Verdict(OutcomeName.UNKNOWN, ItemState.UNKNOWN, due_in=LIFE, quarantine=LIFE, reason="Read time-out."),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_outcome_leads_to_its_state(outcome: PostOutcome, verdict: Verdict) -> None:
    assert judge(outcome) == verdict


def test_what_was_not_sent_waits_for_the_lanes_delay_and_not_for_the_erps_wish_alone() -> None:
    assert judge(NotSent("429", retry_after=timedelta(hours=1))).due_in == DELAY


def test_an_item_refused_with_all_others_is_due_again_at_once_since_the_connector_waits() -> None:
    assert judge(Unavailable("The licence ended.")).due_in is None


def test_an_unknown_outcome_is_looked_up_once_no_request_can_be_alive_any_more() -> None:
    verdict = judge(Unknown("Read time-out."))
    assert (verdict.state, verdict.due_in, verdict.quarantine) == (ItemState.UNKNOWN, LIFE, LIFE)
    assert verdict.is_open


def test_where_the_erp_refuses_duplicates_an_unknown_outcome_is_sent_again_soon_and_ever_later() -> None:
    verdicts = [judge_outcome(Unknown("Cut."), DELAY, REFUSING, attempt) for attempt in (1, 2, 3, 99)]
    assert [verdict.due_in for verdict in verdicts] == [timedelta(seconds=s) for s in (1, 2, 4, 30)]
    assert {verdict.quarantine for verdict in verdicts} == {LIFE}


@pytest.mark.parametrize("limits", [LIMITS, REFUSING], ids=["takes_duplicates", "refuses_duplicates"])
def test_another_document_under_the_reference_waits_for_a_person(limits: Limits) -> None:
    verdict = judge_outcome(Unknown("100.01 NOK, but 100.00 NOK", conflict=DOCUMENT), DELAY, limits, 1)
    assert verdict == Verdict(
        OutcomeName.DIFFERENT,
        ItemState.UNKNOWN,
        document=DOCUMENT,
        code="different_document",
        reason="100.01 NOK, but 100.00 NOK",
        is_for_a_person=True,
    )
    assert not verdict.is_open


@pytest.mark.parametrize(
    ("outcome", "is_open"),
    [
        (Posted(DOCUMENT), False),
        (Accepted(DOCUMENT, DELAY), True),
        (NotSent("429"), False),
        (Rejected("a", "b"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_the_erp_has_to_be_asked_about_is_open(outcome: PostOutcome, is_open: bool) -> None:
    assert judge(outcome).is_open is is_open


@given(st.text())
@example("half a character: \ud83d")
def test_what_an_erp_says_always_fits_into_the_table(prose: str) -> None:
    for outcome in (NotSent(prose), Rejected(prose, prose), Unavailable(prose), Unknown(prose)):
        verdict = judge(outcome)
        assert verdict.reason
        assert "\x00" not in verdict.reason
        assert verdict.reason.encode()
        assert len(verdict.reason) <= LONGEST_REASON
        assert verdict.code is None or verdict.code


def test_a_page_of_prose_is_cut() -> None:
    assert judge(Unknown("x" * 100_000)).reason == "x" * LONGEST_REASON


def test_a_silent_refusal_gets_a_reason_that_says_so() -> None:
    assert judge(Rejected("", "\x00")).reason == "The ERP gave no reason."


@pytest.mark.parametrize("outcome", [NotSent("503"), Unavailable("Renew it.")], ids=lambda value: type(value).__name__)
def test_that_a_resend_was_not_sent_does_not_tell_what_became_of_the_first_try(outcome: PostOutcome) -> None:
    alone = judge_outcome(outcome, DELAY, REFUSING, 2)
    verdict = judge_outcome(outcome, DELAY, REFUSING, 2, in_doubt=True)
    assert verdict == replace(alone, state=ItemState.UNKNOWN)
    assert verdict.quarantine is None, "the first try's quarantine goes on"


def test_a_refused_resend_is_looked_up_since_the_refusal_may_mean_that_the_erp_has_it_already() -> None:
    verdict = judge_outcome(Rejected("refused", "already exists"), DELAY, REFUSING, 2, in_doubt=True)
    assert (verdict.state, verdict.outcome) == (ItemState.UNKNOWN, OutcomeName.REJECTED)
    assert (verdict.due_in, verdict.quarantine, verdict.is_resent_no_more) == (LIFE, LIFE, True)


@pytest.mark.parametrize(
    "outcome", [Posted(DOCUMENT), Accepted(DOCUMENT, DELAY), Unknown("Cut.")], ids=lambda value: type(value).__name__
)
def test_a_success_ends_the_doubt_and_a_new_doubt_begins_as_the_first(outcome: PostOutcome) -> None:
    alone = judge_outcome(outcome, DELAY, REFUSING, 2)
    assert judge_outcome(outcome, DELAY, REFUSING, 2, in_doubt=True) == alone


def test_an_outcome_that_the_domain_does_not_know_is_an_error_and_never_an_item_without_a_verdict() -> None:
    with pytest.raises(AssertionError):
        judge(cast(PostOutcome, "posted"))


def test_a_person_sends_again_what_was_refused_and_has_only_looked_up_what_may_be_there_already() -> None:
    assert {ItemState.REJECTED} == RETRYABLE_BY_A_PERSON
    assert {ItemState.UNKNOWN} == ASKABLE_BY_A_PERSON


def test_a_person_closes_nothing_that_is_under_way_and_nothing_that_is_done() -> None:
    under_way = {ItemState.SENDING, ItemState.CONFIRMING}
    done = {ItemState.SYNCED, ItemState.HANDLED_ELSEWHERE}
    assert set(ItemState) - under_way - done == CLOSABLE_BY_A_PERSON
