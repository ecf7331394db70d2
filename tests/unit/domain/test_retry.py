"""The delays between tries."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.retry import FIRST_DELAY, LONGEST_DELAY, back_off, confirmation_delay, pause_after, probe_delay

FAILURES = st.integers(1, 10**6)
JITTER = st.floats(0, 1)
WISHES = st.timedeltas(timedelta(), timedelta(days=2))


@given(FAILURES, JITTER)
def test_a_delay_lies_between_half_a_second_and_five_minutes(failures: int, jitter: float) -> None:
    assert FIRST_DELAY / 2 <= back_off(failures, jitter) <= LONGEST_DELAY


@given(FAILURES, JITTER)
def test_one_failure_more_never_shortens_the_delay(failures: int, jitter: float) -> None:
    assert back_off(failures, jitter) <= back_off(failures + 1, jitter)


@given(FAILURES, JITTER, JITTER)
def test_jitter_spreads_over_the_upper_half_and_no_further(failures: int, one: float, other: float) -> None:
    full = back_off(failures, 1)
    assert back_off(failures, 0) == full / 2
    shorter, longer = sorted((one, other))
    assert full / 2 <= back_off(failures, shorter) <= back_off(failures, longer) <= full


@given(FAILURES, JITTER, WISHES)
def test_what_the_erp_wished_for_is_a_floor(failures: int, jitter: float, wished: timedelta) -> None:
    assert back_off(failures, jitter, wished) == max(wished, back_off(failures, jitter))


def test_delays_double_until_five_minutes() -> None:
    assert [back_off(failures, 1).total_seconds() for failures in range(1, 12)] == [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
    ]  # fmt: skip


@given(st.timedeltas(timedelta(), timedelta(days=400)), st.timedeltas(timedelta(), timedelta(hours=2)))
def test_a_staged_import_is_looked_at_again_within_five_minutes(age: timedelta, first: timedelta) -> None:
    delay = confirmation_delay(age, first)
    assert min(first, LONGEST_DELAY) <= delay <= LONGEST_DELAY


@given(st.timedeltas(timedelta(), timedelta(days=4)), st.timedeltas(timedelta(), timedelta(days=4)))
def test_an_older_import_is_looked_at_no_more_often_than_a_younger_one(one: timedelta, other: timedelta) -> None:
    younger, older = sorted((one, other))
    first = timedelta(seconds=5)
    assert confirmation_delay(younger, first) <= confirmation_delay(older, first)


@pytest.mark.parametrize(
    ("refusals", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (11, 3600), (500, 3600)]
)
def test_a_suspended_connector_is_probed_ever_more_rarely_up_to_an_hour(refusals: int, seconds: int) -> None:
    assert probe_delay(refusals, jitter=1.0) == timedelta(seconds=seconds)
    assert probe_delay(refusals, jitter=0.0) == timedelta(seconds=seconds / 2)
    assert probe_delay(refusals, jitter=0.5) == timedelta(seconds=seconds * 0.75)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (500, 30)])
def test_a_resend_waits_longer_with_every_attempt_up_to_half_a_minute(attempt: int, seconds: int) -> None:
    assert pause_after(attempt) == timedelta(seconds=seconds)
