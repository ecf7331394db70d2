"""Loops that come round, rest by plan, or don't; and calls that outlive who made them."""

import asyncio

import pytest

from connectors.activity import is_heard_of
from worker.progress import LoopName, Pulse


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(clock)


def late(pulse: Pulse) -> dict[tuple[LoopName, str], float]:
    return {(one.loop, one.subject): one.seconds for one in pulse.overdue()}


def test_a_loop_is_watched_before_it_came_round_once(clock: Clock, pulse: Pulse) -> None:
    pulse.of(LoopName.INTAKE)
    clock.now += 7
    assert late(pulse) == {(LoopName.INTAKE, ""): 7}


def test_a_rest_by_plan_is_not_late_before_its_end(clock: Clock, pulse: Pulse) -> None:
    beat = pulse.of(LoopName.OUTBOX)
    beat(rests=60)
    clock.now += 60
    assert late(pulse) == {}
    assert pulse.ages()[LoopName.OUTBOX] == 60
    clock.now += 1
    assert late(pulse) == {(LoopName.OUTBOX, ""): 1}


def test_in_vain_stays_so_until_the_loop_says_otherwise(pulse: Pulse) -> None:
    beat = pulse.of(LoopName.DISPATCH)
    beat(in_vain=True)
    beat()
    assert pulse.is_in_vain(LoopName.DISPATCH)
    beat(in_vain=False)
    assert not pulse.is_in_vain(LoopName.DISPATCH)


def test_a_request_within_its_time_out_is_a_sign_of_life_of_the_call_that_makes_it(clock: Clock, pulse: Pulse) -> None:
    with pulse.watching(LoopName.DELIVERY, "hlf"):
        is_heard_of(within=120)
        clock.now += 120
        assert late(pulse) == {}
        clock.now += 3
        assert late(pulse) == {(LoopName.DELIVERY, "hlf"): 3}
        is_heard_of()
        assert late(pulse) == {}
    assert late(pulse) == {}


async def test_a_request_that_outlives_the_call_that_made_it_is_not_waited_for(clock: Clock, pulse: Pulse) -> None:
    done = asyncio.Event()

    async def request() -> None:
        await done.wait()
        is_heard_of()

    with pulse.watching(LoopName.DELIVERY, "hlf"):
        straggler = asyncio.create_task(request())
    done.set()
    await straggler
    clock.now += 1000
    assert late(pulse) == {}


def test_time_in_which_the_whole_process_stood_still_is_nobodys_fault(clock: Clock, pulse: Pulse) -> None:
    pulse.of(LoopName.INTAKE)
    beat = pulse.of(LoopName.OUTBOX)
    clock.now += 1000
    beat()
    pulse.forgive(999)
    assert late(pulse) == {(LoopName.INTAKE, ""): 1}
    assert pulse.ages()[LoopName.OUTBOX] == 0
