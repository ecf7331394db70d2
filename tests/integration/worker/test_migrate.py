"""The migration runner, and the schema that the code expects."""

import pytest

from worker.store.migrate import migrate

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_x(pool):
    async with pool.acquire() as c:
        assert await migrate(c) == []
