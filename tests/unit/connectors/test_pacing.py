import asyncio
import gc
from uuid import UUID
from weakref import ref

import pytest

from connectors import business_central, xledger
from connectors.contract import ConnectorFactory, Environment
from connectors.pacing import Pace, SharedPaces, limiter_within
from tests.contract.bench import let_pass
from tests.unit.connectors.samples import mapping
from tests.unit.connectors.test_factories import BUSINESS_CENTRAL, XLEDGER


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


def _slow_pace(requests: int, concurrency: int) -> Pace:
    return Pace(requests=requests, seconds=300, concurrency=concurrency)


async def most_inside(*paces: Pace) -> int:
    """How many ever were inside at once, of ten a pace that want to be."""
    inside, most = 0, 0

    async def run(pace: Pace) -> None:
        nonlocal inside, most
        async with pace:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(run(pace) for pace in paces * 10))
    return most


async def is_kept_waiting(pace: Pace) -> bool:
    """Whether the window is used up: one of ten in five minutes may go at once, and the next half a minute later."""
    try:
        async with asyncio.timeout(0.05), pace:
            return False
    except TimeoutError:
        return True


MANY = 1_000_000


@pytest.mark.parametrize("limits", [(2, 2), (2, 4), (4, 2)])
async def test_one_user_keeps_to_the_strictest_of_what_its_organisations_configured(limits: tuple[int, int]) -> None:
    paces = SharedPaces(_pace)
    both = [paces.of(["token"], MANY, concurrency) for concurrency in limits]
    assert await most_inside(*both) == 2
    assert await most_inside(paces.of(["to", "ken"], MANY, 5)) == 5, "another user"


async def test_one_user_shares_a_window_whatever_its_organisations_configured() -> None:
    paces = SharedPaces(_slow_pace)
    first, second = paces.of(["id"], 10, 2), paces.of(["id"], 12, 2)
    assert not await is_kept_waiting(second)
    assert await is_kept_waiting(first)
    assert not await is_kept_waiting(paces.of(["other"], 10, 2))


async def test_limits_that_are_configured_anew_hold_at_once_whoever_still_has_the_old_ones() -> None:
    paces = SharedPaces(_pace)
    old = paces.of(["token"], MANY, 4)
    assert await most_inside(old) == 4
    new = paces.of(["token"], MANY, 2)
    assert await most_inside(old) == await most_inside(new) == 2


async def test_when_the_strictest_leaves_the_next_strictest_holds() -> None:
    paces = SharedPaces(_pace)
    strict, loose = paces.of(["token"], MANY, 1), paces.of(["token"], MANY, 3)
    assert await most_inside(strict, loose) == 1
    del strict
    assert await most_inside(loose) == 3
    strict = paces.of(["token"], MANY, 1)
    strict.retire()
    assert await most_inside(loose) == 3, "it was closed"
    async with strict:
        assert strict.turnstile is loose.turnstile
    assert await most_inside(loose) == 1, "it works again"


async def test_who_is_closed_while_it_waits_goes_through_still() -> None:
    pace = Pace(requests=MANY, seconds=5, concurrency=1)
    async with pace:
        waiting = asyncio.create_task(most_inside(pace))
        await asyncio.sleep(0)
        pace.retire()
    assert await waiting == 1


async def test_who_waits_is_let_in_by_the_limits_of_then() -> None:
    paces = SharedPaces(_pace)
    strict, loose = paces.of(["token"], MANY, 1), paces.of(["token"], MANY, 3)
    async with loose:
        waiting = asyncio.create_task(most_inside(loose))
        await asyncio.sleep(0)
        del strict
    assert await waiting == 3


async def test_who_is_called_off_leaves_its_place_to_the_next() -> None:
    pace = Pace(requests=MANY, seconds=5, concurrency=1)
    await pace.__aenter__()
    given_up, next_one = asyncio.create_task(most_inside(pace)), asyncio.create_task(most_inside(pace))
    await asyncio.sleep(0)
    given_up.cancel()
    await pace.__aexit__(None, None, None)
    given_up.cancel()
    assert await asyncio.wait_for(next_one, 5) == 1
    assert not await is_kept_waiting(pace)


async def test_who_is_let_in_and_called_off_at_once_leaves_its_place_to_the_next() -> None:
    pace = Pace(requests=MANY, seconds=5, concurrency=1)
    await pace.__aenter__()
    waiting = asyncio.create_task(pace.__aenter__())
    await asyncio.sleep(0)
    await pace.__aexit__(None, None, None)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not await is_kept_waiting(pace)


async def test_whoever_signs_in_again_within_the_window_finds_it_as_it_was_left() -> None:
    paces = SharedPaces(_slow_pace)
    assert not await is_kept_waiting(paces.of(["id"], 10, 2))
    gc.collect()
    assert await is_kept_waiting(paces.of(["id"], 10, 2))


async def test_whom_nobody_is_any_more_is_forgotten_once_it_no_longer_counts() -> None:
    paces = SharedPaces(_slow_pace)
    for number in range(500):
        assert not await is_kept_waiting(paces.of([f"once-{number}"], 10, 2))
    assert len(paces) == 500
    let_pass(301)
    for number in range(600):
        paces.of([f"again-{number}"], 10, 2)
    assert len(paces) < 500


CONFIGURED: list[tuple[ConnectorFactory, dict[str, object], list[dict[str, object]], list[dict[str, str]]]] = [
    (
        business_central.factory,
        dict(BUSINESS_CENTRAL),
        [{"requests_per_5_minutes": 900_000}, {"requests_per_5_minutes": 1_000_000}, {"company_id": str(UUID(int=7))}],
        [{"client_id": "app", "client_secret": "one"}, {"client_id": "APP", "client_secret": "another"}],
    ),
    (xledger.factory, dict(XLEDGER), [{"concurrency": 2}, {"concurrency": 5}], [{"token": "t0ken"}]),
]


@pytest.mark.parametrize(("factory", "settings", "changes", "credentials"), CONFIGURED, ids=["bc", "xledger"])
async def test_connectors_of_one_user_go_through_one_turnstile_until_they_are_gone(
    factory: ConnectorFactory,
    settings: dict[str, object],
    changes: list[dict[str, object]],
    credentials: list[dict[str, str]],
) -> None:
    connectors = [
        factory.connect({**settings, **change}, secret, mapping(), Environment())
        for change in changes
        for secret in credentials
    ]
    paces = [connector._api._pace for connector in connectors]  # type: ignore[attr-defined]  # both have one
    assert len({id(pace.turnstile) for pace in paces}) == 1
    gone = [ref(pace) for pace in paces]
    for connector in connectors:
        await connector.close()
    del connector, connectors, paces
    gc.collect()
    assert [pace() for pace in gone] == [None] * len(gone)


async def test_connectors_of_two_organisations_with_one_user_keep_to_its_limit_together() -> None:
    paces = SharedPaces(_pace)
    both = [paces.of(["token"], 100_000, 2) for _ in range(2)]
    assert await most_inside(*both) == 2
