"""Organisations that sign in as one user keep to that user's limits together, whatever each of them configured."""

import asyncio

import pytest

from connectors.contract import Accepted, Posted
from tests.contract.bench import Permit, SandboxBench

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = 20


async def test_a_drain_of_two_organisations_with_one_token_is_never_above_its_limits(xledger: SandboxBench) -> None:
    """The second one's own is too much: the first one's holds for both."""
    strict = xledger.connect(concurrency=2, vouchers_per_request=1)
    loose = xledger.connect(concurrency=6, vouchers_per_request=1)
    _, refused = await xledger.sandbox.requests_at_the_door()
    await xledger.sandbox.set_limits(at_once=2, queued=0)
    try:
        outcomes = await asyncio.gather(
            *(one.post(xledger.posting(), Permit()) for one in (strict, loose) for _ in range(ITEMS))
        )
    finally:
        await xledger.sandbox.set_limits(at_once=None)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert (await xledger.sandbox.requests_at_the_door())[1] == refused


async def test_a_drain_of_two_organisations_with_one_app_is_never_above_its_limits(
    business_central: SandboxBench,
) -> None:
    """Five at once are Business Central's limit: as many as there are places are held inside, and nobody else comes."""
    bench = business_central
    several = [bench.connect(concurrency=5, requests_per_5_minutes=number) for number in (900_000, 1_000_000)]
    _, refused = await bench.sandbox.requests_at_the_door()
    await bench.sandbox.set_limits(at_once=5, queued=0)
    await bench.sandbox.hold(["create_invoice"])
    try:
        drain = asyncio.gather(*(one.post(bench.posting(), Permit()) for one in several for _ in range(ITEMS)))
        await bench.sandbox.wait_held(5)
        await bench.sandbox.release()
        outcomes = await drain
    finally:
        await bench.sandbox.set_limits(at_once=None)
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert (await bench.sandbox.requests_at_the_door())[1] == refused
