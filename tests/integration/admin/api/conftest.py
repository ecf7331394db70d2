"""Two organisations, each with items that wait and items that were rejected, and a run under way."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.admin import Admin
from tests.integration.admin.api.two import TwoOrganizations, furnish


@pytest_asyncio.fixture(loop_scope="session")
async def two(admin: Admin) -> AsyncIterator[TwoOrganizations]:
    yield await furnish(admin)
