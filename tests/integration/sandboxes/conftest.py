"""One process of each ERP for a whole module; every test has references of its own and starts without faults."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import aiohttp
import pytest
import pytest_asyncio

from deploy.local.sandboxes.client import SandboxProcess
from tests.integration.sandboxes.clients import BusinessCentralClient, XledgerClient

_NUMBERS: Iterator[int] = count(1)


@pytest.fixture
def reference() -> str:
    return f"R-{next(_NUMBERS):06d}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def central_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    ledger = tmp_path_factory.mktemp("central") / "ledger.jsonl"
    async with SandboxProcess("business_central", ledger=ledger) as erp:
        yield erp


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def xledger_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    ledger = tmp_path_factory.mktemp("xledger") / "ledger.jsonl"
    async with SandboxProcess("xledger", ledger=ledger) as erp:
        yield erp


@pytest_asyncio.fixture(loop_scope="module")
async def central(central_process: SandboxProcess, http: aiohttp.ClientSession) -> AsyncIterator[BusinessCentralClient]:
    client = BusinessCentralClient(central_process, http)
    await client.sign_in()
    yield client
    await central_process.set_faults()
    await central_process.release()


@pytest_asyncio.fixture(loop_scope="module")
async def xledger(xledger_process: SandboxProcess, http: aiohttp.ClientSession) -> AsyncIterator[XledgerClient]:
    yield XledgerClient(xledger_process, http)
    await xledger_process.set_faults()
    await xledger_process.release()
    await xledger_process.change_settings(import_delay=0.2, process_imports=True)
