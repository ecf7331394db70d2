import asyncio

import pytest

from connectors.pacing import Pace, SharedPaces, limiter_within


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


def _pace(requests: int, concurrency: int) -> Pace:
    return Pace(requests=requests, seconds=5, concurrency=concurrency)


async def test_who_signs_in_with_the_same_credentials_shares_a_pace_and_nobody_else_does() -> None:
    paces = SharedPaces(_pace)
    ours, theirs = paces.of(["id", "secret"], 20, 2), paces.of(["id", "secret"], 20, 2)
    assert ours is theirs
    assert paces.of(["ids", "ecret"], 20, 2) is not ours
    assert paces.of(["id", "secret"], 10, 2) is not ours, "limits that are configured anew hold at once"


async def test_connectors_of_two_organisations_with_one_user_keep_to_its_limit_together() -> None:
    paces = SharedPaces(_pace)
    both = [paces.of(["token"], 100_000, 2) for _ in range(2)]
    inside, most = 0, 0

    async def run(pace: Pace) -> None:
        nonlocal inside, most
        async with pace:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(run(pace) for pace in both * 5))
    assert most == 2
