"""Both ERPs' sandboxes, started once a module; every test gets them without faults and closes its connectors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.contract.bench import BENCHES, Bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def benches(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Bench]]:
    folder = tmp_path_factory.mktemp("sandboxes")
    async with AsyncExitStack() as stack:
        yield {erp: await stack.enter_async_context(bench(folder)) for erp, bench in BENCHES.items()}


async def _clean(bench: Bench) -> AsyncIterator[Bench]:
    yield bench
    await bench.close_connectors()
    await bench.sandbox.set_faults()


@pytest_asyncio.fixture(loop_scope="module", params=["xledger", "business_central"])
async def bench(request: pytest.FixtureRequest, benches: dict[str, Bench]) -> AsyncIterator[Bench]:
    """Either ERP: whatever uses this must hold for every adapter."""
    async for clean in _clean(benches[request.param]):
        yield clean


@pytest_asyncio.fixture(loop_scope="module")
async def xledger(benches: dict[str, Bench]) -> AsyncIterator[Bench]:
    async for clean in _clean(benches["xledger"]):
        yield clean


@pytest_asyncio.fixture(loop_scope="module")
async def business_central(benches: dict[str, Bench]) -> AsyncIterator[Bench]:
    async for clean in _clean(benches["business_central"]):
        yield clean
