"""What becomes of a receipt that was tried."""

from datetime import timedelta

import pytest

from connectors.contract import Attached, NotSent, Rejected, Unavailable, Unknown
from worker.domain.receipts import (
    FIRST_DELAY,
    LONGEST_DELAY,
    MOST_TRIES,
    HeldBack,
    NotWanted,
    ReceiptOutcome,
    ReceiptState,
    ReceiptVerdict,
    judge_receipt,
)

LIFE = timedelta(minutes=15)
PASSING = [NotSent("away"), Unavailable("away"), Unknown("away")]


def judged(outcome: ReceiptOutcome, tries: int = 1, jitter: float = 1.0) -> ReceiptVerdict:
    return judge_receipt(outcome, tries, LIFE, jitter)


@pytest.mark.parametrize("tries", [1, MOST_TRIES, MOST_TRIES + 1])
@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Attached(), ReceiptVerdict(ReceiptState.ATTACHED, "attached")),
        (NotWanted(), ReceiptVerdict(ReceiptState.NOT_WANTED, "not_wanted")),
        (HeldBack(), ReceiptVerdict(ReceiptState.WAITING, "held_back")),
        (Rejected("hash_differs", "It differs."), ReceiptVerdict(ReceiptState.GIVEN_UP, "hash_differs", "It differs.")),
    ],
)
def test_what_is_decided_is_decided_at_every_try(outcome: ReceiptOutcome, verdict: ReceiptVerdict, tries: int) -> None:
    assert judged(outcome, tries) == verdict


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(NotSent("away"), "not_sent"), (Unavailable("away"), "unavailable"), (Unknown("away"), "unknown")],
)
def test_what_passes_waits_and_says_why(outcome: ReceiptOutcome, code: str) -> None:
    verdict = judged(outcome)
    assert (verdict.state, verdict.code, verdict.reason) == (ReceiptState.WAITING, code, "away")


def test_the_delay_doubles_from_a_minute_to_half_a_day() -> None:
    delays = [judged(NotSent("away"), tries).due_in for tries in range(1, MOST_TRIES)]
    assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY] == [timedelta(minutes=m) for m in (1, 2, 4)]
    assert max(delays) == delays[-1] == LONGEST_DELAY == timedelta(hours=12)
    assert timedelta(days=3) < sum(delays, timedelta()) < timedelta(days=4)


def test_jitter_spreads_it_over_the_upper_half() -> None:
    assert judged(NotSent("away"), 2, jitter=0.0).due_in == FIRST_DELAY
    assert judged(NotSent("away"), 2, jitter=0.5).due_in == 1.5 * FIRST_DELAY
    assert judged(Unavailable("away"), 2, jitter=0.0).due_in == FIRST_DELAY


def test_what_the_host_wished_for_is_a_floor() -> None:
    assert judged(NotSent("away", timedelta(hours=1))).due_in == timedelta(hours=1)
    assert judged(NotSent("away", timedelta(seconds=1))).due_in == FIRST_DELAY


def test_what_may_still_be_applied_is_waited_out() -> None:
    assert judged(Unknown("no answer")).due_in == LIFE
    assert judged(Unknown("no answer"), 10).due_in == 512 * FIRST_DELAY


@pytest.mark.parametrize("outcome", PASSING)
def test_what_may_still_be_applied_when_it_is_given_up_is_waited_out_before_anybody_has_it_tried_again(
    outcome: ReceiptOutcome,
) -> None:
    assert judged(outcome, MOST_TRIES).due_in == (LIFE if isinstance(outcome, Unknown) else timedelta())


@pytest.mark.parametrize("outcome", PASSING)
def test_it_is_given_up_in_the_end_with_what_hindered_it(outcome: ReceiptOutcome) -> None:
    assert judged(outcome, MOST_TRIES - 1).state is ReceiptState.WAITING
    verdict = judged(outcome, MOST_TRIES)
    assert (verdict.state, verdict.reason) == (ReceiptState.GIVEN_UP, "Given up after 16 tries. away")
    assert verdict.code == judged(outcome).code
    assert judged(outcome, MOST_TRIES + 1).state is ReceiptState.GIVEN_UP
