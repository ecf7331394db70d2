"""The wall clock of a worker may jump: leases count what passes, and what is recorded is PostgreSQL's time."""

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.run_folder import RunFolder
from tests.e2e.worker_process import RUN, worker_process
from tests.events import approval
from tests.scene import Scene, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOURCE = Path(__file__).with_name("crooked_clock.c")
ROUNDS = 5


async def crooked_clock(folder: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("Bending a process's clock needs a C compiler on Linux.")
    library = folder / "crooked_clock.so"
    process = await asyncio.create_subprocess_exec(compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl")
    assert await process.wait() == 0
    return library


async def test_the_clock_of_the_test_is_crooked(tmp_path: Path) -> None:
    script = "import time; print(len({round(time.time() / 1800) for _ in range(100)}))"
    process = await asyncio.create_subprocess_exec(
        *("env", f"LD_PRELOAD={await crooked_clock(tmp_path)}", sys.executable, "-c", script),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert int(out) >= 2


@pytest.mark.promise("P2")
@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_jumps_of_an_hour_either_way_change_nothing(
    scene: Scene, folder: RunFolder, kind: str, tmp_path: Path
) -> None:
    names = fresh(ROUNDS * 4)
    await scene.organization("hlf", kind)
    command = ("env", f"LD_PRELOAD={await crooked_clock(tmp_path)}", *RUN)
    async with worker_process(folder, scene.settings, command=command, lease_seconds=30.0, poll_seconds=0.2) as worker:
        for number in range(ROUNDS):
            batch = names[number * 4 : number * 4 + 4]
            await scene.approve(*[approval(name) for name in batch])
            await scene.switch(True, kind=kind)
            await scene.all_synced(*batch)
            await scene.switch(False, kind=kind)
            await scene.until(lambda: scene.value("select quiesced_at is not null from connector"))
        await scene.nothing_to_publish()
        assert "lane_lost" not in worker.output()
    assert len(await scene.documents("hlf", *names, kind=kind)) == len(names)
    assert len({line.reference for line in await scene.documents("hlf", *names, kind=kind)}) == len(names)
    off_by = await scene.value("select max(abs(extract(epoch from clock_timestamp() - at))) from sync_log")
    assert timedelta(seconds=float(off_by)) < timedelta(minutes=10)
