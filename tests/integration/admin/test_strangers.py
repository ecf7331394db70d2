"""A stranger's try is answered the same, whatever comes of writing it down, and before that is begun."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.admin import Admin, admin_of
from tests.scene import PATIENCE
from worker.admin import strangers
from worker.store.database import DatabaseAwayError, transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")

Try = Callable[[Admin, str], Awaitable[int]]


async def by_the_api(admin: Admin, organization: str) -> int:
    async with admin.client(admin_of("hlf")) as client:
        address = f"/api/v1/organizations/{organization}/connector/enabled"
        return (await client.put(address, json={"enabled": True, "reason": "mine now"})).status_code


async def by_the_screens(admin: Admin, organization: str) -> int:
    async with admin.client(admin_of("hlf")) as client:
        address = f"/organizations/{organization}/connector/switch?connector=xledger&enabled=on"
        return (await client.post(address, data={"reason": "mine now"})).status_code


@pytest.mark.parametrize("error", [DatabaseAwayError("TimeoutError"), ValueError("secret")])
@pytest.mark.parametrize("attempt", [by_the_api, by_the_screens])
async def test_the_answer_is_the_same_where_it_can_not_be_written_down(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, attempt: Try, error: Exception
) -> None:
    await admin.scene.organization("nbf")
    tried = asyncio.Event()

    async def fail(*_: object) -> None:
        tried.set()
        raise error

    monkeypatch.setattr(strangers, "apply_toggle", fail)
    assert [await attempt(admin, "nbf"), await attempt(admin, "nobody")] == [403, 403]
    async with asyncio.timeout(PATIENCE):
        await tried.wait()


@pytest.mark.parametrize("attempt", [by_the_api, by_the_screens])
async def test_the_answer_does_not_wait_for_the_connectors_row(admin: Admin, attempt: Try) -> None:
    await admin.scene.organization("nbf")
    async with transaction(admin.scene.pool) as connection:
        await connection.execute("select from connector where organization_id = 'nbf' for update")
        assert await attempt(admin, "nbf") == 403
    entry = await admin.scene.logged("toggle_refused", "nbf")
    assert (entry["actor"], entry["reason"]) == ("user-9", "mine now")
