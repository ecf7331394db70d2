"""A worker that is killed while a request is under way: nobody knows what came of it, and nobody sends it again."""

import pytest

from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import worker_process
from tests.events import approval
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
    async with scene.worker(INTAKE_ONLY), worker_process(folder, scene.settings, roles=DISPATCH_ONLY):
        await scene.all_in("unknown", name)
        assert await scene.value("select recorded_by from attempt_entry") != holder
        await erp.release()
        await scene.approve(approval(neighbour))
        await scene.all_synced(neighbour)
        await scene.request_run()
        await scene.logged("sync_run_finished")
    assert await scene.states() == {name: "unknown", neighbour: "synced"}
    assert await scene.history(name) == [(1, "settled", "unknown")]
    sent = [line for line in await scene.deliveries("hlf", name, kind=kind) if line.request == MOVES_MONEY[kind]]
    assert len(sent) == 1
    assert len(await scene.documents("hlf", name, kind=kind)) == 1
