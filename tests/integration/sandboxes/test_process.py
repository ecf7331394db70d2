import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest

from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.ledger import read_ledger
from deploy.local.sandboxes.tenants import read_tenants, sample_tenants
from tests.integration.sandboxes.clients import BusinessCentralClient, XledgerClient, voucher
from tests.scene import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.local.sandboxes.client import SandboxProcess

async def main():
    erp = SandboxProcess("xledger", ledger=Path(sys.argv[1]))
    await erp.start()
    print(erp.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _ends(process: psutil.Process) -> bool:
    """Where nobody reaps orphans the dead one stays as a zombie."""
    try:
        process.wait(PATIENCE)
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True


async def test_sigterm_stops_it_though_requests_are_held(tmp_path: Path) -> None:
    async with (
        aiohttp.ClientSession() as http,
        SandboxProcess("xledger", ledger=tmp_path / "ledger.jsonl") as erp,
    ):
        await erp.hold()
        sending = asyncio.create_task(XledgerClient(erp, http).add(*voucher("R-1")))
        await erp.wait_held(1)
        async with asyncio.timeout(PATIENCE):  # far less than a server waits for its requests
            await erp.stop()
        with pytest.raises(aiohttp.ClientError):
            await sending
    assert not [line for line in read_ledger(tmp_path / "ledger.jsonl") if line.applied]


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PARENT, str(tmp_path / "ledger.jsonl")), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    assert await asyncio.to_thread(_ends, child)


async def test_the_ledger_goes_on_in_the_same_file_after_a_kill(tmp_path: Path) -> None:
    erp = SandboxProcess("business_central", ledger=tmp_path / "ledger.jsonl")
    async with aiohttp.ClientSession() as http:
        for reference in ("R-1", "R-2"):
            await erp.start()
            client = BusinessCentralClient(erp, http)
            await client.sign_in()
            await client.draft(reference)
            await erp.kill()
    assert [line.reference for line in erp.ledger_on_disk()] == ["R-1", "R-2"]


async def test_a_process_that_cannot_start_says_so_instead_of_hanging(tmp_path: Path) -> None:
    ledger = tmp_path / "a-folder"
    ledger.mkdir()
    with pytest.raises(RuntimeError, match="ended before it was ready"):
        await SandboxProcess("xledger", ledger=ledger).start()


async def test_the_sample_tenants_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    path.write_text(sample_tenants().model_dump_json())
    assert read_tenants(path) == sample_tenants()
