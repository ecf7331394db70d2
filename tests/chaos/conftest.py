"""The ground of all short forms, once a session."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.services import Services
from tests.chaos.ground import Ground


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ground(services: Services) -> AsyncIterator[Ground]:
    async with Ground.open(services) as opened:
        yield opened
