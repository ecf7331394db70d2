"""When something is wrong here: a problem without detail, and a log line without values."""

from http import HTTPStatus

import pytest

from tests.admin import Admin, admin_of
from tests.integration.admin.api.two import API

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECTOR = f"{API}/organizations/hlf/connector"
SECRET = "Secret-9f3b"


async def test_a_database_that_is_busy_is_told_with_when_to_try_again(admin: Admin) -> None:
    """Whoever holds the connector's row longer than a statement waits for it."""
    await admin.scene.organization()
    async with admin.scene.pool.acquire() as holder, holder.transaction():
        await holder.execute("lock table connector in access exclusive mode")
        async with admin.client(admin_of("hlf")) as client:
            answer = await client.get(CONNECTOR)
    assert (answer.status_code, answer.json()["type"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "/problems/database-away")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_nobody_foresaw_is_answered_without_a_word_of_it(
    admin: Admin, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mapping that only a hand in the database can leave behind."""
    await admin.scene.organization()
    await admin.scene.fetch(f"update connector set settings = '\"{SECRET}\"'")
    async with admin.client(admin_of("hlf")) as client:
        answer = await client.get(CONNECTOR)
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["type"] == "/problems/internal-error"
    logged = capsys.readouterr()
    assert "request_failed" in logged.err + logged.out
    assert SECRET not in answer.text + logged.err + logged.out
