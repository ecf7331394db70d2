"""The pace of changes, with a clock that stands until it is moved."""

from dataclasses import dataclass

import pytest

from worker.admin.limits import Pace
from worker.admin.problems import ProblemError


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def taken(pace: Pace, caller: str, tries: int) -> int:
    """How many of so many tries went through."""
    return sum(_goes_through(pace, caller) for _ in range(tries))


def _goes_through(pace: Pace, caller: str) -> bool:
    try:
        pace.step(caller)
    except ProblemError:
        return False
    return True


def test_a_burst_goes_through_and_then_one_for_each_while() -> None:
    clock = Clock()
    pace = Pace(burst=20, seconds_each=1.0, clock=clock)
    assert taken(pace, "a", 100) == 20
    clock.now = 3.0
    assert taken(pace, "a", 100) == 3
    clock.now = 63.0
    assert taken(pace, "a", 100) == 20


def test_a_thousand_tries_over_a_minute_come_to_the_burst_and_sixty() -> None:
    clock = Clock()
    pace = Pace(burst=20, seconds_each=1.0, clock=clock)
    through = 0
    for number in range(1000):
        clock.now = number * 60 / 1000
        through += taken(pace, "a", 1)
    assert through == 79


def test_refused_tries_do_not_make_the_wait_longer() -> None:
    clock = Clock()
    pace = Pace(burst=1, seconds_each=10.0, clock=clock)
    assert taken(pace, "a", 1000) == 1
    clock.now = 10.0
    assert taken(pace, "a", 1) == 1


def test_the_refusal_says_in_whole_seconds_when_the_next_goes_through() -> None:
    clock = Clock(100.0)
    pace = Pace(burst=2, seconds_each=10.0, clock=clock)
    assert taken(pace, "a", 2) == 2
    clock.now = 102.5
    with pytest.raises(ProblemError) as refused:
        pace.step("a")
    assert refused.value.headers == {"Retry-After": "8"}
    clock.now = 110.5
    assert taken(pace, "a", 1) == 1


def test_callers_have_each_their_own_pace() -> None:
    pace = Pace(burst=3, clock=Clock())
    assert [taken(pace, caller, 5) for caller in "abc"] == [3, 3, 3]


def test_no_more_callers_are_remembered_than_there_is_room_for() -> None:
    clock = Clock()
    pace = Pace(burst=1, seconds_each=60.0, remembered=100, clock=clock)
    for number in range(10_000):
        pace.step(str(number))
    assert len(pace._paid_at) == 100
    assert taken(pace, "9999", 1) == 0


def test_whoever_has_paid_is_forgotten_before_anybody_who_has_not() -> None:
    clock = Clock()
    pace = Pace(burst=1, seconds_each=60.0, remembered=2, clock=clock)
    pace.step("early")
    clock.now = 59.0
    pace.step("late")
    clock.now = 61.0
    pace.step("new")
    assert taken(pace, "late", 1) == 0
