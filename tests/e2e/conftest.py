"""A folder for the worker processes of one test; none of them outlives it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.run_folder import RunFolder


@pytest_asyncio.fixture(loop_scope="session")
async def folder() -> AsyncIterator[RunFolder]:
    async with RunFolder.open() as opened:
        yield opened
