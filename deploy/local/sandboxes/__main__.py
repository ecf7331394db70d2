"""Both sandboxes with the sample's tenants, until Ctrl-C: `python -m deploy.local.sandboxes`."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

from deploy.local.sandboxes.client import SandboxProcess


async def _until_interrupted() -> None:
    folder = Path(tempfile.mkdtemp(prefix="sandboxes-"))
    async with (
        SandboxProcess("xledger", ledger=folder / "xledger.jsonl", limits="documented") as xledger,
        SandboxProcess("business_central", ledger=folder / "bc.jsonl", limits="documented") as central,
    ):
        for erp in (xledger, central):
            print(f"{erp.erp}: {erp.url}  control {erp.control_url}  ledger {erp.ledger_file}", flush=True)
        await asyncio.Event().wait()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(_until_interrupted())
