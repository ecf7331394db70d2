"""Connections that PostgreSQL has ended: whatever asyncpg makes of it, the database was away and work is repeated."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.chaos.proxy import Proxy
from worker.store.database import DatabaseAwayError, acquire, open_pool

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SHUTDOWN = b"57P01"


class _Watch:
    """Says when the server's word of the end has gone on to the client."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def from_client(self, data: bytes) -> bytes:
        return data

    def from_server(self, data: bytes) -> bytes:
        if _SHUTDOWN in data:
            self._ended.set()
        return data


async def test_a_connection_that_the_server_ended_before_the_client_saw_its_end_is_a_database_away(
    database_url: str,
) -> None:
    ended = asyncio.Event()
    port = urlsplit(database_url).port
    assert port is not None
    async with Proxy.to(port, lambda: _Watch(ended)) as proxy:
        proxy.lingers = True
        pool = await open_pool(database_url.replace(f":{port}/", f":{proxy.port}/"), size=1)
        async with acquire(pool) as connection:
            pid = await connection.fetchval("select pg_backend_pid()")
        administrator = await asyncpg.connect(database_url)
        await administrator.execute("select pg_terminate_backend($1)", pid)
        await ended.wait()
        await administrator.execute("select 1")  # what was written before this answer has been read
        with pytest.raises(DatabaseAwayError):
            async with acquire(pool) as connection:
                await connection.fetchval("select 1")
        async with acquire(pool) as connection:
            assert await connection.fetchval("select 1") == 1
        await administrator.close()
        pool.terminate()
