"""A worker that is stopped (SIGSTOP, a stalled machine) and wakes up when its lane is another's: it sends nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import worker_process
from tests.events import approval
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, Scene, fresh
from worker.persistence import persistently
from worker.store.database import DatabaseAwayError

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.promise("P3")
async def test_a_worker_that_wakes_up_after_its_lease_sends_nothing_even_in_the_middle_of_an_item(
    scene: Scene, folder: RunFolder
) -> None:
    """Between the draft and its post the connector is switched off; the stopped worker has the post still before it."""
    (name,) = fresh(1)
    kind = "business_central"
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with (
        scene.worker(INTAKE_ONLY),
        worker_process(folder, scene.settings, roles=DISPATCH_ONLY, lease_seconds=4.0) as first,
    ):
        await scene.approve(approval(name))
        await scene.counted("item", 1)
        await erp.hold(["create_invoice"])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        await scene.no_transaction_is_open()
        with stopped(first.pid):
            await erp.release()
            await erp.wait_ledger(1)
            # It may have been stopped amid a transaction, whose locks PostgreSQL ends only after a while.
            await persistently("postgresql", (DatabaseAwayError,), partial(scene.switch, False, kind=kind))
            async with scene.worker(DISPATCH_ONLY, poll_seconds=0.2):
                off = await scene.logged("connector_quiesced")
            assert await scene.states() == {name: "unknown"}
        await first.says("attempt_settled")
        assert off["detail"] == '{"outcome_unknown": 1}'
        late = [line for line in await scene.deliveries("hlf", name, kind=kind) if line.arrived_at > off["at"]]
        assert late == []
        assert await scene.documents("hlf", name, kind=kind) == []
        assert await scene.states() == {name: "pending"}, "its late answer says that nothing was posted"
        assert await scene.history(name) == [(1, "settled", "unknown"), (1, "late", "not_sent")]
        await scene.switch(True, kind=kind)
        await scene.all_synced(name)
    assert len(await scene.documents("hlf", name, kind=kind)) == 1
