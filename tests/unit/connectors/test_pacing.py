import asyncio

import pytest

from connectors.pacing import Pace, limiter_within


@pytest.mark.parametrize(("requests", "seconds"), [(20, 5.0), (6000, 300.0), (1, 5.0)])
def test_burst_and_refill_of_one_window_stay_within_the_limit(requests: int, seconds: float) -> None:
    limiter = limiter_within(requests, seconds)
    refilled = limiter.max_rate / limiter.time_period * seconds
    assert limiter.max_rate + refilled <= max(requests, 1) + 0.1


async def test_no_more_than_so_many_run_at_once() -> None:
    pace = Pace(requests=100_000, seconds=5, concurrency=2)
    inside: list[int] = []
    most = 0

    async def run(number: int) -> None:
        nonlocal most
        async with pace:
            inside.append(number)
            most = max(most, len(inside))
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(run(number) for number in range(10)))
    assert most == 2
