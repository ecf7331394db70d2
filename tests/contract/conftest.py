"""Both ERPs' sandboxes and a folder, made once a module; every test gets them without faults, its connectors closed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest
import pytest_asyncio

from tests.contract.bench import SANDBOX_BENCHES, Bench, SandboxBench, file_bench
from tests.contract.conformance import KINDS, exceptions_of

AnyBench = TypeVar("AnyBench", bound=Bench)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses `bench` must hold for every adapter, but for those that its mark excepts."""
    if "bench" in metafunc.fixturenames:
        exceptions = exceptions_of(metafunc.definition.iter_markers())
        metafunc.parametrize("bench", [kind for kind in KINDS if kind not in exceptions], indirect=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, SandboxBench]]:
    folder = tmp_path_factory.mktemp("sandboxes")
    async with AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(bench(folder)) for kind, bench in SANDBOX_BENCHES.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with file_bench(tmp_path_factory.mktemp("folders")) as bench:
        yield bench


async def _clean(bench: AnyBench) -> AsyncIterator[AnyBench]:
    yield bench
    await bench.close_connectors()
    await bench.work_again()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(
    request: pytest.FixtureRequest, sandboxes: dict[str, SandboxBench], folders: Bench
) -> AsyncIterator[Bench]:
    async for clean in _clean({**sandboxes, "file": folders}[request.param]):
        yield clean


@pytest_asyncio.fixture(loop_scope="module")
async def xledger(sandboxes: dict[str, SandboxBench]) -> AsyncIterator[SandboxBench]:
    async for clean in _clean(sandboxes["xledger"]):
        yield clean


@pytest_asyncio.fixture(loop_scope="module")
async def business_central(sandboxes: dict[str, SandboxBench]) -> AsyncIterator[SandboxBench]:
    async for clean in _clean(sandboxes["business_central"]):
        yield clean
