"""A worker that is killed while a request is under way: nobody knows what came of it, and one document is made."""

from functools import partial

import asyncpg
import pytest

from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import worker_process
from tests.events import approval
from tests.integration.worker.test_lanes import let_leases_end
from tests.integration.worker.test_reconcile import quarantine_passes
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, Scene, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOVES_MONEY = {"xledger": "addGLImportItems", "business_central": "post_invoice"}


@pytest.mark.promise("P2")
@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_a_worker_killed_between_claim_and_settle_leaves_unknown_set_by_the_next_and_one_document(
    scene: Scene, folder: RunFolder, kind: str
) -> None:
    name, neighbour = fresh(2)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind, concurrency=1)
    async with scene.worker(INTAKE_ONLY), worker_process(folder, scene.settings, roles=DISPATCH_ONLY) as first:
        await scene.approve(approval(name))
        await scene.counted("item", 1)
        await erp.hold([MOVES_MONEY[kind]])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        await first.kill()
    assert await scene.states() == {name: "sending"}
    holder = await scene.value("select leased_by from lane")
    await let_leases_end(scene)
    async with scene.worker(INTAKE_ONLY), worker_process(folder, scene.settings, roles=DISPATCH_ONLY):
        lost = await scene.until(partial(_first_entry, scene, name))
        assert lost is not None
        assert (lost["outcome"], lost["code"]) == ("unknown", "worker_lost")
        assert lost["recorded_by"] != holder
        await erp.release()
        await scene.approve(approval(neighbour))
        await scene.all_synced(neighbour)
        if kind == "xledger":
            assert await scene.states() == {name: "unknown", neighbour: "synced"}
            await quarantine_passes(scene, name)
        await scene.all_synced(name)
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


async def _first_entry(scene: Scene, name: str) -> asyncpg.Record | None:
    rows = await scene.fetch("select * from attempt_entry where reimbursement_id = $1 order by entry_id", name)
    return rows[0] if rows else None
