"""A worker that is asked to leave: calls in flight may end; what has no answer by then is called unknown, honestly."""

import asyncio

import pytest

from tests.integration.worker.test_dispatch import ERPS, MOVES_MONEY, TAKES_IN, stored
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, Scene, fresh
from worker.domain.switching import Phase
from worker.quiescing import quiesce

pytestmark = pytest.mark.asyncio(loop_scope="session")


@ERPS
async def test_a_call_in_flight_may_end_before_the_worker_leaves(scene: Scene, kind: str) -> None:
    (name,) = fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with scene.worker(INTAKE_ONLY):
        async with scene.worker(DISPATCH_ONLY):
            await stored(scene, name)
            await erp.hold([MOVES_MONEY[kind]])
            await scene.switch(True, kind=kind)
            await erp.wait_held(1)
            asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(erp.release()))
        assert (await scene.states())[name] in {"synced", "confirming"}
    assert await scene.value("select leased_by is null from lane")


@pytest.mark.promise("P7")
@ERPS
async def test_what_has_no_answer_when_the_grace_ends_is_unknown_and_the_lane_is_free_at_once(
    scene: Scene, kind: str
) -> None:
    (name,) = fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with scene.worker(INTAKE_ONLY):
        async with scene.worker(DISPATCH_ONLY, shutdown_seconds=0.2):
            await stored(scene, name)
            await erp.hold([MOVES_MONEY[kind]])
            await scene.switch(True, kind=kind)
            await erp.wait_held(1)
        assert await scene.states() == {name: "unknown"}
    item = await scene.item(name)
    assert item["reason"] == "The worker was asked to stop before the ERP answered."
    assert await scene.history(name) == [(1, "settled", "unknown")]
    assert await scene.value("select leased_by is null from lane")
    await erp.release()


async def test_what_had_not_left_when_the_grace_ends_is_pending_again_and_not_unknown(scene: Scene) -> None:
    """The second one waits for its turn within the ERP's limit of requests."""
    first, second = fresh(2)
    erp = scene.erps["xledger"]
    await scene.organization("hlf", requests_per_5_seconds=1, vouchers_per_request=1)
    async with scene.worker(INTAKE_ONLY):
        async with scene.worker(DISPATCH_ONLY, shutdown_seconds=0.2):
            await stored(scene, first, second)
            await erp.hold([MOVES_MONEY["xledger"]])
            await scene.switch(True)
            await erp.wait_held(1)
            await scene.all_in("sending", first, second)
        assert await scene.states() == {first: "unknown", second: "pending"}
    assert await scene.history(second) == [(1, "settled", "not_sent")]
    assert await scene.deliveries("hlf", second) == []
    await erp.release()


async def test_what_a_leaving_worker_keeps_back_does_not_make_the_lane_wait(scene: Scene) -> None:
    """Nothing was wrong with the ERP: whoever leases the lane next may send at once."""
    first, second = fresh(2)
    erp = scene.erps["xledger"]
    await scene.organization("hlf", requests_per_5_seconds=2, concurrency=3)  # one that no test used up
    async with scene.worker(INTAKE_ONLY), scene.worker(DISPATCH_ONLY, shutdown_seconds=0.2):
        await stored(scene, first, second)
        await erp.hold([MOVES_MONEY["xledger"]])
        await scene.switch(True)
        await erp.wait_held(1)
        await scene.all_in("sending", first, second)
    assert await scene.history(second) == [(1, "settled", "not_sent")]
    assert await scene.value("select failures = 0 and not_before <= clock_timestamp() from lane")
    await erp.release()


@pytest.mark.promise("P3")
@ERPS
async def test_a_switch_off_comes_to_its_end_though_the_only_worker_died(scene: Scene, kind: str) -> None:
    """Maintenance often begins by stopping all workers: then the command that waits brings it to its end."""
    (name,) = fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with scene.worker(INTAKE_ONLY), scene.worker(DISPATCH_ONLY, shutdown_seconds=0.2):
        await stored(scene, name)
        await erp.hold([TAKES_IN[kind]])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        assert (await scene.switch(False, kind=kind)).phase is Phase.SWITCHING_OFF
        await quiesce(scene.pool, "hlf", kind)
        assert await scene.value("select quiesced_at is null from connector"), "a worker holds the lane"
        await scene.fetch("update lane set leased_until = clock_timestamp() - interval '1 second'")
        await quiesce(scene.pool, "hlf", kind)
        assert (await scene.states())[name] == "unknown"
    off = await scene.logged("connector_quiesced")
    assert off["detail"] == '{"outcome_unknown": 1}'
    await erp.release()
