"""Who may post for an organisation: one worker at a time, for as long as its lease, and provably."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.events import approval
from tests.integration.worker.test_intake import CHANNELS, records
from tests.scene import Scene, fresh
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claiming import Claimed, Closed, Wish, claim
from worker.lanes import Lane, LaneKeeper

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEASE = timedelta(seconds=30)


def keeper(scene: Scene, capacity: int = 10, lease: timedelta = LEASE) -> LaneKeeper:
    return LaneKeeper(scene.pool, uuid4(), lease, capacity)


async def waiting(scene: Scene, *organizations: str) -> None:
    """Each organisation is switched on and has one item waiting."""
    for organization_id in organizations:
        await scene.organization(organization_id)
        await scene.switch(True, organization_id)
        await store_batch(scene.pool, records("approved", approval(fresh(1)[0], organization_id)), CHANNELS)


async def let_leases_end(scene: Scene) -> None:
    await scene.fetch("update lane set leased_until = clock_timestamp() - interval '1 second'")


async def claimed_by(scene: Scene, lane: Lane, worker_id: UUID) -> list[Claimed] | Closed:
    async with scene.pool.acquire() as connection:
        adapter = await make_adapters(scene.settings).make(connection, lane.organization_id, "xledger")
    claimed = await claim(scene.pool, worker_id, Wish(lane.organization_id, lane.fence, adapter, 5))
    assert isinstance(claimed, list | Closed)
    return claimed


async def test_a_lane_has_one_holder_at_a_time(scene: Scene) -> None:
    await waiting(scene, "hlf", "nrk")
    first, second = keeper(scene), keeper(scene)
    taken = await first.take(None)
    assert {lane.organization_id for lane in taken} == {"hlf", "nrk"}
    assert all(lane.permit.is_valid() for lane in taken)
    assert await second.take(None) == []
    assert await second.take({"hlf"}) == []


async def test_only_lanes_with_something_to_do_are_taken(scene: Scene) -> None:
    await waiting(scene, "busy")
    await scene.organization("idle")
    await scene.switch(True, "idle")
    await scene.fetch("update sync_run set finished_at = now(), result = 'finished', remaining = 0")
    await scene.organization("off")
    assert [lane.organization_id for lane in await keeper(scene).take(None)] == ["busy"]


async def test_hints_limit_what_is_taken(scene: Scene) -> None:
    await waiting(scene, "hlf", "nrk")
    own = keeper(scene)
    assert [lane.organization_id for lane in await own.take({"nrk", "nobody"})] == ["nrk"]
    assert await own.take(set()) == []


async def test_a_renewed_lease_outlasts_its_first_end(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first = keeper(scene)
    (lane,) = await first.take(None)
    await scene.fetch("update lane set leased_until = clock_timestamp() + interval '15 seconds'")
    await first.renew()
    assert await scene.value("select leased_until > clock_timestamp() + interval '25 seconds' from lane")
    assert lane.permit.is_valid()
    assert await keeper(scene).take(None) == []


async def test_a_lease_that_ended_is_handed_over_with_a_higher_fence_and_cannot_be_renewed(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first, second = keeper(scene), keeper(scene)
    (old,) = await first.take(None)
    await let_leases_end(scene)
    (new,) = await second.take(None)
    assert new.fence == old.fence + 1
    assert old.permit.is_valid()
    await first.renew()
    assert (old.permit.is_valid(), new.permit.is_valid()) == (False, True)
    assert old.wake.is_set()
    await second.renew()
    assert new.permit.is_valid()


async def test_a_lease_that_ended_is_lost_though_nobody_has_taken_it_yet(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first = keeper(scene)
    (lane,) = await first.take(None)
    await let_leases_end(scene)
    await first.renew()
    assert not lane.permit.is_valid()


async def test_a_holder_whose_lease_ended_can_claim_nothing(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first, second = keeper(scene), keeper(scene)
    (old,) = await first.take(None)
    await let_leases_end(scene)
    assert isinstance(await claimed_by(scene, old, uuid4()), Closed)
    (new,) = await second.take(None)
    assert isinstance(await claimed_by(scene, old, uuid4()), Closed)
    claimed = await claimed_by(scene, new, uuid4())
    assert isinstance(claimed, list)
    assert len(claimed) == 1


async def test_a_permit_ends_by_the_clock_before_the_lease_does(scene: Scene) -> None:
    await waiting(scene, "hlf")
    short = keeper(scene, lease=timedelta(milliseconds=1))
    (lane,) = await short.take(None)
    assert not lane.permit.is_valid()


async def test_a_lane_that_is_given_back_idle_is_free_at_once(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first, second = keeper(scene), keeper(scene)
    (lane,) = await first.take(None)
    await first.give_back(lane, idle=True)
    assert not lane.permit.is_valid()
    assert first.held == {}
    (again,) = await second.take(None)
    assert again.fence == lane.fence + 1


async def test_a_lane_that_is_given_back_with_something_on_the_wire_is_free_when_its_lease_ends(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first, second = keeper(scene), keeper(scene)
    (lane,) = await first.take(None)
    await first.give_back(lane, idle=False)
    assert not lane.permit.is_valid()
    assert await second.take(None) == []
    await let_leases_end(scene)
    assert len(await second.take(None)) == 1


async def test_a_worker_holds_at_most_its_capacity(scene: Scene) -> None:
    await waiting(scene, *[f"org-{number}" for number in range(5)])
    first, second = keeper(scene, capacity=3), keeper(scene, capacity=3)
    assert len(await first.take(None)) == 3
    assert first.is_full
    assert await first.take(None) == []
    assert all(lane.is_wanted_elsewhere for lane in first.held.values())
    assert len(await second.take(None)) == 2


async def test_the_lane_that_was_held_longest_ago_is_taken_first(scene: Scene) -> None:
    await waiting(scene, "hlf", "nbf", "nrk")
    own, order = keeper(scene, capacity=1), []
    for _ in range(6):
        (lane,) = await own.take(None)
        order.append(lane.organization_id)
        await own.give_back(lane, idle=True)
    assert set(order[:3]) == {"hlf", "nbf", "nrk"}
    assert order[3:] == order[:3]


@pytest.mark.promise("P7")
async def test_what_the_last_holder_left_on_the_wire_becomes_unknown_and_is_told(scene: Scene) -> None:
    await waiting(scene, "hlf")
    first, second = keeper(scene), keeper(scene)
    (lane,) = await first.take(None)
    claimed = await claimed_by(scene, lane, uuid4())
    assert isinstance(claimed, list)
    (item,) = claimed
    await let_leases_end(scene)
    assert await scene.states() == {item.attempt.reimbursement_id: "sending"}
    await second.take(None)
    assert await scene.states() == {item.attempt.reimbursement_id: "unknown"}
    assert await scene.history(item.attempt.reimbursement_id) == [(1, "settled", "unknown")]
    assert (await scene.item(item.attempt.reimbursement_id))["reason_code"] == "worker_lost"
    events = await scene.fetch("select event_type from outbox order by outbox_id desc limit 1")
    assert events[0]["event_type"] == "reimbursement.outcome_unknown.v1"


async def test_a_lane_that_was_lost_and_leased_anew_is_not_dropped_by_its_old_drain(scene: Scene) -> None:
    await waiting(scene, "hlf")
    own = keeper(scene)
    (old,) = await own.take(None)
    await let_leases_end(scene)
    await own.renew()
    (new,) = await own.take(None)
    await own.give_back(old, idle=True)
    assert own.held == {"hlf": new}
    await own.renew()
    assert new.permit.is_valid()
    assert await keeper(scene).take(None) == []


async def test_a_permit_that_was_revoked_stays_so_whatever_a_renewal_says(scene: Scene) -> None:
    await waiting(scene, "hlf")
    own = keeper(scene)
    (lane,) = await own.take(None)
    lane.permit.revoke()
    await own.renew()
    assert not lane.permit.is_valid()


@pytest.mark.parametrize("code", ["55P03", "P0001"], ids=["passes", "does not pass"])
async def test_a_lane_whose_leftovers_cannot_be_told_costs_the_others_nothing(scene: Scene, code: str) -> None:
    names = ["hlf", "nbf", "nrk"]
    await waiting(scene, *names)
    for lane in await keeper(scene).take(None):
        await claimed_by(scene, lane, uuid4())
    await let_leases_end(scene)
    await scene.fetch(
        "create function refuse() returns trigger language plpgsql as "
        f"$$ begin raise 'no' using errcode = '{code}'; end $$"
    )
    await scene.fetch(
        "create trigger refuse before update on item for each row "
        "when (new.organization_id = 'nbf' and new.state = 'unknown') execute function refuse()"
    )
    own = keeper(scene)
    taken = await own.take(None)
    assert sorted(lane.organization_id for lane in taken) == ["hlf", "nrk"]
    assert own.held == {lane.organization_id: lane for lane in taken}
    await scene.fetch("drop trigger refuse on item")
    await let_leases_end(scene)
    assert "nbf" in {lane.organization_id for lane in await keeper(scene).take(None)}
    assert set((await scene.states("nbf")).values()) == {"unknown"}
