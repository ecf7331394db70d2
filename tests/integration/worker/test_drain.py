"""One lane's life, driven by hand."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from tests.events import approval
from tests.integration.worker.test_intake import CHANNELS, records
from tests.integration.worker.test_lanes import LEASE
from tests.scene import Scene, fresh
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claimer import Claimer
from worker.claiming import Answer, Wish
from worker.drain import Drain, Workshop
from worker.lanes import LaneKeeper
from worker.settler import Settler

pytestmark = pytest.mark.asyncio(loop_scope="session")


class CountingClaimer(Claimer):
    """Counts what lanes wish for."""

    wishes = 0

    async def claim(self, wish: Wish) -> Answer:
        self.wishes += 1
        return await super().claim(wish)


async def test_an_item_alone_costs_one_claim_and_none_once_it_is_settled(scene: Scene) -> None:
    await scene.organization("hlf", "business_central")
    await scene.switch(True, "hlf", "business_central")
    worker_id = uuid4()
    claimer, settler = CountingClaimer(scene.pool, worker_id), Settler(scene.pool, worker_id)
    [lane] = await LaneKeeper(scene.pool, worker_id, LEASE, 1).take(None)
    shop = Workshop(scene.pool, worker_id, make_adapters(scene.settings), claimer, settler, LEASE)
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one) for one in (claimer.run(), settler.run(), Drain(lane, shop, stop).run())]
    for number in fresh(3):
        await store_batch(scene.pool, records("approved", approval(number)), CHANNELS)
        lane.tell()
        await scene.until(partial(is_synced, scene, number))
    stop.set()
    lane.wake.set()
    await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()
    assert claimer.wishes <= 1 + 3 + 1, "an adapter, three items, and what the drain looked at first"


async def is_synced(scene: Scene, reimbursement_id: str) -> bool:
    return bool((await scene.item(reimbursement_id))["state"] == "synced")
