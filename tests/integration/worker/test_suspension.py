"""A connector whose ERP refuses everything: paused with its reason, probed ever more rarely, resumed by itself or by a
person; the administrator's flag stays."""

from datetime import timedelta
from functools import partial

import asyncpg
import pytest

from deploy.local.sandboxes.faults import Action, FaultRule
from tests.events import approval
from tests.integration.worker.test_dispatch import ERPS, TAKES_IN, stored
from tests.integration.worker.test_reconcile import wake
from tests.scene import Scene, fresh
from worker import insights
from worker.domain.retry import FIRST_PROBE
from worker.domain.switching import Phase
from worker.store.database import acquire

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = FaultRule(action=Action.UNAUTHORIZED)


async def connector(scene: Scene) -> asyncpg.Record:
    (row,) = await scene.fetch("select * from connector where organization_id = 'hlf'")
    return row


async def probe_now(scene: Scene) -> None:
    await scene.fetch("update connector set probe_at = clock_timestamp() where organization_id = 'hlf'")
    await wake(scene)


async def suspended(scene: Scene, kind: str, *names: str) -> None:
    await scene.organization("hlf", kind, concurrency=1)
    await scene.erps[kind].set_faults(REFUSED)
    await stored(scene, *names)
    await scene.switch(True, kind=kind)
    await scene.logged("connector_suspended")


@pytest.mark.promise("P9")
@ERPS
async def test_a_suspended_connector_resumes_by_itself_once_the_erp_answers_a_probe(scene: Scene, kind: str) -> None:
    names = fresh(3)
    async with scene.worker():
        await suspended(scene, kind, *names)
        before = await connector(scene)
        assert FIRST_PROBE / 2 <= before["probe_at"] - before["suspended_at"] <= FIRST_PROBE + timedelta(seconds=1)
        await scene.erps[kind].set_faults()
        await probe_now(scene)
        resumed = await scene.logged("connector_resumed")
        await scene.all_synced(*names)
        await scene.until(lambda: scene.value("select refusals = 0 from connector"))
    assert (resumed["actor"], resumed["actor_role"], resumed["new_state"]) == ("accounting-sync", "system", "on")
    after = await connector(scene)
    assert (after["enabled"], after["changed_by"], after["changed_at"]) == (True, "admin-1", before["changed_at"])
    assert (after["suspended_at"], after["probe_at"]) == (None, None)
    assert len(await scene.documents("hlf", *names, kind=kind)) == len(names)


@ERPS
async def test_a_probe_in_vain_sends_no_reimbursement_and_the_next_one_comes_later(scene: Scene, kind: str) -> None:
    (name,) = fresh(1)
    async with scene.worker():
        await suspended(scene, kind, name)
        sent = await scene.deliveries("hlf", name, kind=kind)
        for refusals in (2, 3, 4):
            await probe_now(scene)
            await scene.until(partial(scene.value, "select refusals = $1 from connector", refusals))
        assert await scene.deliveries("hlf", name, kind=kind) == sent
        assert await scene.states() == {name: "pending"}
        left = await scene.value("select probe_at - clock_timestamp() from connector")
        assert FIRST_PROBE * 3 < left <= FIRST_PROBE * 8
        assert [entry["change"] for entry in await scene.log()].count("connector_suspended") == 1


async def test_the_connector_shows_why_it_is_suspended_and_when_it_is_tried_again(scene: Scene) -> None:
    (name,) = fresh(1)
    async with scene.worker():
        await suspended(scene, "xledger", name)
        async with acquire(scene.pool) as connection:
            view = await insights.connector_object(connection, "hlf")
    assert view is not None
    assert (view.phase, view.enabled) == (Phase.SUSPENDED, True)
    assert view.suspended_reason
    assert view.next_probe_at is not None
    assert view.suspended_since is not None
    assert view.next_probe_at > view.suspended_since


async def test_refusals_are_forgotten_only_once_the_erp_takes_something(scene: Scene) -> None:
    """It may answer every probe and refuse every item: the pauses have to grow all the same."""
    (name,) = fresh(1)
    kind = "xledger"
    async with scene.worker():
        await suspended(scene, kind, name)
        await scene.erps[kind].set_faults(FaultRule(action=Action.UNAUTHORIZED, kind=TAKES_IN[kind]))
        await probe_now(scene)
        await scene.until(lambda: scene.value("select refusals = 2 and suspended_at is not null from connector"))
        await scene.erps[kind].set_faults()
        await probe_now(scene)
        await scene.all_synced(name)
        await scene.until(lambda: scene.value("select refusals = 0 from connector"))


@pytest.mark.promise("P3")
async def test_a_suspended_connector_that_is_switched_off_is_probed_no_more(scene: Scene) -> None:
    (name,) = fresh(1)
    kind = "business_central"
    async with scene.worker() as _:
        await suspended(scene, kind, name)
        await scene.switch(False, kind=kind)
        await scene.erps[kind].set_faults()
        before = await scene.erps[kind].requests()
        await scene.fetch("update connector set probe_at = clock_timestamp()")
        await wake(scene)
        await scene.organization("other", kind)
        await scene.switch(True, "other", kind)
        (passes,) = fresh(1)
        await scene.approve(approval(passes, "other"))
        await scene.all_synced(passes, organization_id="other")
        assert (await connector(scene))["enabled"] is False
        assert await scene.states() == {name: "pending"}
    assert (await scene.erps[kind].requests()).get("find_invoices", 0) == before.get("find_invoices", 0)
