"""Real processes that stand still, say why, and end; and those that were only stopped for a while."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from pydantic import SecretStr

from deploy.local.processes import ServiceError, free_port
from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import WorkerProcess, log_of, worker_process
from tests.events import approval
from tests.integration.worker.rows import take_in
from tests.integration.worker.test_watchdog import locked_lane
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, PATIENCE, Scene, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

STALL = 3.0
BLOCKED_AFTER_A_WHILE = """
import asyncio, sys, time
from worker.bootstrap import run_worker
from worker.settings import read_settings
from worker.telemetry import configure_logging

async def main():
    settings = read_settings()
    configure_logging(settings.log_format)
    asyncio.get_running_loop().call_later(1, time.sleep, 600)
    return await run_worker(settings)

sys.exit(asyncio.run(main()))
"""


async def asked(worker: WorkerProcess, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"{worker.probes}{path}") as response:
        return response.status, await response.text()


@asynccontextmanager
async def waiting_item(scene: Scene) -> AsyncIterator[str]:
    """Approved and claimable, while nobody dispatches."""
    (name,) = fresh(1)
    await scene.organization()
    async with scene.worker(INTAKE_ONLY):
        await scene.approve(approval(name))
        await scene.counted("item", 1)
    await scene.switch(True)
    yield name


async def test_a_process_that_makes_no_progress_says_why_last_and_ends_with_a_status_other_than_zero(
    scene: Scene, folder: RunFolder
) -> None:
    async with (
        waiting_item(scene),
        locked_lane(scene),
        worker_process(folder, scene.settings, roles=DISPATCH_ONLY, stall_seconds=STALL) as worker,
    ):
        with pytest.raises(ServiceError, match="failed with status 1"):
            await worker.ends(within=PATIENCE)
    last = log_of(worker)[-4:]
    assert [entry["event"] for entry in last] == ["stalled", "loop_failed", "loop_ended", "worker_stopped"]
    stalled = last[0]
    assert stalled["why"].startswith("Nothing was sent for hlf in ")


async def test_a_process_whose_event_loop_is_blocked_says_where_and_ends(scene: Scene, folder: RunFolder) -> None:
    settings = scene.settings.model_copy(
        update={"probe_port": free_port(), "log_format": "json", "stall_seconds": STALL, "roles": INTAKE_ONLY}
    )
    worker = WorkerProcess(folder, settings, [sys.executable, "-c", BLOCKED_AFTER_A_WHILE])
    try:
        with pytest.raises(ServiceError, match="failed with status 1"):
            await worker.ends(within=PATIENCE)
    finally:
        await worker.kill()
    last = log_of(worker)[-1]
    assert (last["event"], last["loop"]) == ("stalled", "event_loop")
    assert "stood still" in last["why"]


async def test_a_process_that_was_stopped_for_longer_than_a_stall_goes_on_when_it_is_woken(
    scene: Scene, folder: RunFolder
) -> None:
    stall, (later,) = 2 * STALL, fresh(1)
    async with (
        waiting_item(scene) as name,
        worker_process(folder, scene.settings, roles=DISPATCH_ONLY, stall_seconds=stall) as worker,
    ):
        await scene.all_synced(name)
        worker.send(signal.SIGSTOP)
        await asyncio.sleep(1.2 * stall)  # how long it is stopped is what the test is about
        worker.send(signal.SIGCONT)
        await take_in(scene.pool, approval(later))
        await scene.all_synced(later)
        await asyncio.sleep(stall / 4)  # in which it looks for stalls several times
        assert worker.is_running, worker.output()
        assert await asked(worker, "/livez") == (200, "alive\n")
        await worker.leave(within=PATIENCE)
    assert "stalled" not in {entry["event"] for entry in log_of(worker)}


async def test_a_process_is_alive_but_not_ready_while_postgresql_is_away_at_its_start(
    scene: Scene, folder: RunFolder
) -> None:
    nobody = SecretStr(f"postgresql://sync:none@127.0.0.1:{free_port()}/none")
    settings = scene.settings.model_copy(
        update={"database_url": nobody, "probe_port": free_port(), "log_format": "json", "stall_seconds": STALL}
    )
    worker = WorkerProcess(folder, settings)
    try:
        await worker.says("service_away")
        assert await asked(worker, "/livez") == (200, "alive\n")
        assert await asked(worker, "/readyz") == (503, "waiting for postgresql\n")
    finally:
        await worker.kill()


async def test_a_second_signal_ends_the_process_at_once_while_a_request_is_under_way(
    scene: Scene, folder: RunFolder
) -> None:
    erp = scene.erps["xledger"]
    await erp.hold(["addGLImportItems"])
    async with (
        waiting_item(scene) as name,
        worker_process(folder, scene.settings, roles=DISPATCH_ONLY, shutdown_seconds=600.0) as worker,
    ):
        await erp.wait_held(1)
        worker.send(signal.SIGTERM)
        await worker.says('"stopping"')
        worker.send(signal.SIGTERM)
        with pytest.raises(ServiceError, match="failed with status 1"):
            await worker.ends(within=PATIENCE)
    assert await scene.states() == {name: "sending"}
