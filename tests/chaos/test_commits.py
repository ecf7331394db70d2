"""The thief of answers does what its batteries say: committed, and the client does not know."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.chaos.commits import Change, ReplyThief
from tests.chaos.proxy import Proxy
from tests.scene import PATIENCE
from worker.store.database import OwnConnection

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_TRIES = 20


@asynccontextmanager
async def _watched(database_url: str) -> AsyncIterator[tuple[ReplyThief, OwnConnection, OwnConnection]]:
    """The thief, a connection that it watches, and one that it does not."""
    port = urlsplit(database_url).port
    assert port is not None
    thief = ReplyThief(random.Random(7))  # noqa: S311  # replayable, not secret
    async with Proxy.to(port, thief.watch) as proxy:
        watched = await asyncpg.connect(database_url.replace(f":{port}/", f":{proxy.port}/"))
        direct = await asyncpg.connect(database_url)
        await direct.execute("create table attempt_entry_copy (number integer)")
        yield thief, watched, direct
        watched.terminate()
        await direct.close()


async def _insert(connection: OwnConnection, *, in_transaction: bool) -> int:
    """How many inserts the client knows of once the connection ended."""
    for known in range(MOST_TRIES):
        try:
            async with connection.transaction() if in_transaction else nullcontext():
                await connection.execute("insert into attempt_entry_copy values ($1)", known)
        except (asyncpg.PostgresConnectionError, OSError):
            return known
    raise AssertionError("the connection did not end")


@pytest.mark.parametrize(
    ("change", "in_transaction"), [(Change.TRANSACTION, True), (Change.SETTLEMENT, False)], ids=["commit", "statement"]
)
async def test_a_lost_answer_is_a_commit_that_only_the_server_knows_of(
    database_url: str, change: Change, in_transaction: bool
) -> None:
    async with _watched(database_url) as (thief, watched, direct):
        losing = asyncio.create_task(thief.lose_reply(change, within=PATIENCE))
        await asyncio.sleep(0)
        known = await _insert(watched, in_transaction=in_transaction)
        assert await losing
        assert await direct.fetchval("select count(*) from attempt_entry_copy") == known + 1


async def test_nothing_is_lost_unless_asked_for(database_url: str) -> None:
    async with _watched(database_url) as (_, watched, direct):
        async with watched.transaction():
            await watched.executemany(
                "insert into attempt_entry_copy values ($1)", [(number,) for number in range(300)]
            )
        assert len(await watched.fetch("select * from attempt_entry_copy")) == 300
        assert await direct.fetchval("select count(*) from attempt_entry_copy") == 300
