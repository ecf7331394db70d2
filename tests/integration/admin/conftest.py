"""Each test gets the HTTP side of its own scene."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.admin import Admin, served
from tests.scene import Scene


@pytest_asyncio.fixture(loop_scope="session")
async def admin(scene: Scene) -> AsyncIterator[Admin]:
    async with served(scene) as admin:
        yield admin
