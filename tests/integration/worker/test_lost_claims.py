"""A claim whose commit nobody here hears of: what it left on the wire is found at once, however busy its lane is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.chaos.proxy import Proxy
from tests.events import approval
from tests.integration.worker.test_drain import is_synced
from tests.integration.worker.test_intake import CHANNELS, records
from tests.integration.worker.test_lanes import LEASE, waiting
from tests.scene import PATIENCE, Scene, fresh
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claimer import Claimer
from worker.claiming import Wish
from worker.dispatch import Dispatcher
from worker.drain import Workshop
from worker.lanes import LaneKeeper
from worker.settler import Settler
from worker.store.database import DatabaseAwayError, Pool, open_pool

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLL = timedelta(minutes=1)
BEGIN, CLAIMED, COMMIT = b"BEGIN\0", b"UPDATE ", b"COMMIT\0"
"""As PostgreSQL says in `CommandComplete` what it did."""


@dataclass
class ClaimThief:
    """Cuts the road that claims go, once, where PostgreSQL answers to the commit of one that claimed something; or, if
    told so, where it answers before that commit is asked for."""

    is_lurking: bool = False
    lets_commit: bool = True
    has_struck: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, data: bytes, *, has_claimed: bool) -> bool:
        is_worth_it = has_claimed and COMMIT in data if self.lets_commit else CLAIMED in data
        if not (self.is_lurking and is_worth_it):
            return False
        self.is_lurking = False
        self.has_struck.set()
        return True


class _Road:
    """One connection, on which nothing but claims goes."""

    def __init__(self, thief: ClaimThief) -> None:
        self._thief = thief
        self._has_claimed = False

    def from_client(self, data: bytes) -> bytes:
        return data

    def from_server(self, data: bytes) -> bytes | None:
        self._has_claimed = BEGIN not in data and (self._has_claimed or CLAIMED in data)
        return None if self._thief.strikes(data, has_claimed=self._has_claimed) else data


@asynccontextmanager
async def robbed(database_url: str) -> AsyncIterator[tuple[Pool, ClaimThief]]:
    """A pool for claims alone."""
    thief, port = ClaimThief(), urlsplit(database_url).port
    assert port is not None
    async with Proxy.to(port, lambda: _Road(thief)) as proxy:
        pool = await open_pool(database_url.replace(f":{port}/", f":{proxy.port}/"))
        try:
            yield pool, thief
        finally:
            pool.terminate()


@asynccontextmanager
async def dispatching(scene: Scene, claims: Pool) -> AsyncIterator[Dispatcher]:
    """Nobody looks at lanes but when told, so that a lane that is not given back at once is not taken again."""
    worker_id = uuid4()
    claimer, settler = Claimer(claims, worker_id), Settler(scene.pool, worker_id)
    shop = Workshop(scene.pool, worker_id, make_adapters(scene.settings), claimer, settler, idle=LEASE)
    keeper = LaneKeeper(scene.pool, worker_id, LEASE, 10)
    dispatcher, stop = Dispatcher(keeper, shop, lease=LEASE, poll=POLL, shutdown=LEASE), asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stop))
    try:
        yield dispatcher
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def approve(scene: Scene, dispatcher: Dispatcher, name: str) -> None:
    await store_batch(scene.pool, records("approved", approval(name)), CHANNELS)
    dispatcher.wake("hlf")


async def test_what_a_claim_without_an_answer_left_on_the_wire_is_unknown_while_the_trickle_goes_on(
    scene: Scene, database_url: str
) -> None:
    first, lost, *trickle = fresh(6)
    await scene.organization("hlf", "xledger")
    await scene.switch(True)
    async with robbed(database_url) as (claims, thief), dispatching(scene, claims) as dispatcher:
        await approve(scene, dispatcher, first)
        await scene.until(partial(is_synced, scene, first))
        thief.is_lurking = True
        await approve(scene, dispatcher, lost)
        async with asyncio.timeout(PATIENCE):
            await thief.has_struck.wait()
        for name in trickle:
            await approve(scene, dispatcher, name)
            await scene.until(partial(is_synced, scene, name))
        assert (await scene.states())[lost] == "unknown"
    assert (await scene.item(lost))["reason_code"] == "worker_lost"
    assert await scene.deliveries("hlf", lost) == []


async def test_a_lane_is_taken_again_for_what_a_lost_claim_left_though_nothing_else_waits(
    scene: Scene, database_url: str
) -> None:
    (lost,) = fresh(1)
    await scene.organization("hlf", "xledger")
    await scene.switch(True)
    async with robbed(database_url) as (claims, thief), dispatching(scene, claims) as dispatcher:
        thief.is_lurking = True
        await approve(scene, dispatcher, lost)
        await scene.all_in("unknown", lost)
    assert await scene.value("select fence from lane") == 2


async def test_a_claim_that_was_not_committed_ends_no_lane(scene: Scene, database_url: str) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", "xledger")
    await scene.switch(True)
    async with robbed(database_url) as (claims, thief), dispatching(scene, claims) as dispatcher:
        thief.is_lurking, thief.lets_commit = True, False
        with capture_logs() as logs:
            await approve(scene, dispatcher, name)
            await scene.all_synced(name)
    assert thief.has_struck.is_set()
    assert "lane_waits_for_database" in {entry["event"] for entry in logs}
    assert await scene.value("select fence from lane") == 1
    assert (await scene.item(name))["attempt"] == 1


async def test_each_lane_of_a_claim_without_an_answer_hears_of_it(scene: Scene, database_url: str) -> None:
    await waiting(scene, "hlf", "nrk")
    worker_id = uuid4()
    lanes = await LaneKeeper(scene.pool, worker_id, LEASE, 10).take(None)
    adapters = make_adapters(scene.settings)
    async with robbed(database_url) as (claims, thief):
        thief.is_lurking = True
        claimer = Claimer(claims, worker_id)
        async with scene.pool.acquire() as connection:
            wishes = [
                Wish(
                    lane.organization_id,
                    lane.fence,
                    await adapters.make(connection, lane.organization_id, "xledger"),
                    1,
                )
                for lane in lanes
            ]
        asked = [asyncio.create_task(claimer.claim(wish)) for wish in wishes]
        await asyncio.sleep(0)
        running = asyncio.create_task(claimer.run())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        running.cancel()
    assert [type(answer).__name__ for answer in answers] == ["LostClaimError"] * 2
    assert all(isinstance(answer, DatabaseAwayError) for answer in answers)
