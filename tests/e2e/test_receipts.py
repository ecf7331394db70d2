"""A worker that is killed while a receipt is on its way: the next one finishes what it left, and doubles nothing."""

from datetime import timedelta

import pytest

from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import worker_process
from tests.events import approval
from tests.integration.worker.test_receipts import KIND, are, due_now, on_the_invoice
from tests.receipt_shelf import PDF, receipt_shelf
from tests.scene import Scene, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("step", ["create_attachment", "fill_attachment"])
async def test_a_worker_killed_while_it_attaches_leaves_one_whole_attachment_once_the_next_has_waited(
    scene: Scene, folder: RunFolder, step: str
) -> None:
    (name,) = fresh(1)
    erp = scene.erps[KIND]
    await scene.organization("hlf", KIND, attach_receipts=True)
    await scene.switch(True, kind=KIND)
    await erp.hold([step])
    async with receipt_shelf() as shelf:
        settings = scene.settings.model_copy(update={"receipt_allowed_hosts": frozenset({shelf.host})})
        async with worker_process(folder, settings) as first:
            await scene.approve(approval(name, receipts=[shelf.put("1")]))
            await erp.wait_held(1)
            await first.kill()
        (left,) = await are(scene, "sending")
        assert left["due_at"] - left["changed_at"] > timedelta(minutes=15)
        await erp.release()
        await due_now(scene)
        async with worker_process(folder, settings):
            (row,) = await are(scene, "attached")
    assert row["attempts"] == 2
    assert [size for _, size in await on_the_invoice(scene, name)] == [len(PDF)]
    assert len(await scene.documents("hlf", name, kind=KIND)) == 1
