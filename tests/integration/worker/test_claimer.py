"""Claims of many lanes are made together, and none of them can hold up, fail or be mistaken for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pydantic
import pytest

from tests.events import approval
from tests.integration.worker.test_intake import CHANNELS, records
from tests.integration.worker.test_lanes import LEASE
from tests.scene import Scene, fresh
from worker.adapters import Adapter
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claimer import Claimer
from worker.claiming import Answer, Claimed, Closed, Reconfigured, Wish
from worker.lanes import LaneKeeper
from worker.store.database import transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANY = [f"house-{number:02}" for number in range(20)]


@dataclass(frozen=True)
class Hand:
    """A worker's claimer, and what its lanes would wish for."""

    worker_id: UUID
    claimer: Claimer
    wishes: dict[str, Wish]

    async def claim_all(self) -> dict[str, Answer]:
        answers = await asyncio.gather(*[self.claimer.claim(wish) for wish in self.wishes.values()])
        return dict(zip(self.wishes, answers, strict=True))


@asynccontextmanager
async def hand(scene: Scene, *organizations: str, items: int = 3) -> AsyncIterator[Hand]:
    """Each organisation is on, has items waiting, and its lane is held."""
    for name in organizations:
        await scene.organization(name)
        await scene.switch(True, name)
        approvals = [approval(one, name) for one in fresh(items)]
        await store_batch(scene.pool, records("approved", *approvals), CHANNELS)
    worker_id = uuid4()
    lanes = await LaneKeeper(scene.pool, worker_id, LEASE, len(organizations)).take(None)
    assert {lane.organization_id for lane in lanes} == set(organizations)
    wishes = {
        lane.organization_id: Wish(lane.organization_id, lane.fence, await adapter_of(scene, lane.organization_id), 2)
        for lane in lanes
    }
    claimer = Claimer(scene.pool, worker_id)
    task = asyncio.create_task(claimer.run())
    try:
        yield Hand(worker_id, claimer, wishes)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def adapter_of(scene: Scene, organization_id: str) -> Adapter:
    async with scene.pool.acquire() as connection:
        return await make_adapters(scene.settings).make(connection, organization_id, "xledger")


def names(answer: Answer) -> list[str]:
    assert isinstance(answer, list), answer
    assert all(isinstance(one, Claimed) for one in answer)
    return [one.attempt.reimbursement_id for one in answer]


async def test_the_claims_of_many_lanes_cost_few_commits_and_take_each_lanes_oldest(scene: Scene) -> None:
    async with hand(scene, *MANY) as own:
        answers = await own.claim_all()
    for name in MANY:
        assert names(answers[name]) == list(await scene.states(name))[:2]
    assert await scene.value("select count(distinct xmin::text) from item where state = 'sending'") <= 2


@pytest.mark.promise("P2")
async def test_two_wishes_of_one_organisation_at_once_are_never_granted_the_same_item(scene: Scene) -> None:
    async with hand(scene, "hlf", items=5) as own:
        wish = own.wishes["hlf"]
        wishes = [wish, wish, replace(wish, is_under_way=True)]
        answers = await asyncio.gather(*[own.claimer.claim(one) for one in wishes])
    claimed = [name for answer in answers for name in names(answer)]
    assert len(set(claimed)) == len(claimed)
    assert sorted(claimed) == sorted(name for name, state in (await scene.states()).items() if state == "sending")


@pytest.mark.promise("P6")
async def test_a_wish_with_an_old_fence_is_refused_although_the_new_holders_is_granted_beside_it(scene: Scene) -> None:
    async with hand(scene, "hlf") as own:
        wish = own.wishes["hlf"]
        old = Wish(wish.organization_id, wish.fence - 1, wish.adapter, wish.limit)
        answers = await asyncio.gather(*[own.claimer.claim(one) for one in (old, wish)])
        turned = await asyncio.gather(*[own.claimer.claim(one) for one in (wish, old)])
    assert isinstance(answers[0], Closed)
    assert names(answers[1]) == list(await scene.states())[:2]
    assert isinstance(turned[1], Closed)


@pytest.mark.promise("P3")
async def test_who_holds_one_connector_holds_up_no_other_lane_and_its_own_waits_for_what_is_decided(
    scene: Scene,
) -> None:
    async with hand(scene, "hlf", "nrk") as own:
        async with transaction(scene.pool) as connection:
            await connection.execute("select from connector where organization_id = 'hlf' for update")
            waiting = asyncio.create_task(own.claimer.claim(own.wishes["hlf"]))
            assert len(names(await own.claimer.claim(own.wishes["nrk"]))) == 2
            await scene.someone_waits_for_a_lock("%for share of c, l%")
            assert not waiting.done()
            await connection.execute(
                "update connector set enabled = false, quiesced_at = clock_timestamp() where organization_id = 'hlf'"
            )
        assert isinstance(await waiting, Closed)
    assert set((await scene.states("hlf")).values()) == {"pending"}


async def test_a_lane_with_nothing_on_the_wire_does_not_wait_for_those_that_are_being_drained(scene: Scene) -> None:
    async with hand(scene, "hlf", "nrk") as own, transaction(scene.pool) as connection:
        await connection.execute("select from item where organization_id = 'hlf' for update")
        drained = asyncio.create_task(own.claimer.claim(replace(own.wishes["hlf"], is_under_way=True)))
        await scene.someone_waits_for_a_lock("update item i%")
        assert len(names(await own.claimer.claim(own.wishes["nrk"]))) == 2
        assert not drained.done()
        drained.cancel()


async def test_a_lane_whose_item_cannot_be_read_fails_alone(scene: Scene) -> None:
    async with hand(scene, "hlf", "nrk") as own:
        await scene.fetch("update item set content = 'spoiled' where organization_id = 'hlf'")
        asked = [own.claimer.claim(own.wishes[name]) for name in ("hlf", "nrk")]
        spoiled, sound = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(spoiled, pydantic.ValidationError)
    assert isinstance(sound, list)
    assert len(sound) == 2
    assert set((await scene.states("hlf")).values()) == {"pending"}


async def test_each_lane_hears_of_its_own_connector(scene: Scene) -> None:
    async with hand(scene, "hlf", "nrk", "nbf") as own:
        await scene.switch(False, "nrk")
        await scene.fetch("update connector set version = version + 1 where organization_id = 'nbf'")
        answers = await own.claim_all()
    assert len(names(answers["hlf"])) == 2
    assert isinstance(answers["nrk"], Closed)
    assert isinstance(answers["nbf"], Reconfigured)
