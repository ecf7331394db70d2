"""A process that stands still in the middle of a statement: other workers end what it holds, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from tests.scene import Scene
from worker.bootstrap import Worker
from worker.silent_sessions import SilentSessions
from worker.store import backends
from worker.store.database import DatabaseAwayError, OwnConnection, Pool, acquire, connect

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = timedelta()
NEVER = timedelta(hours=1)


@asynccontextmanager
async def holding_the_connector(scene: Scene, *, amid_a_statement: bool) -> AsyncIterator[OwnConnection]:
    """As a claim does. asyncpg sends nothing more after a statement is prepared until it is executed."""
    connection = await connect(scene.settings.database_url.get_secret_value())
    await connection.execute("set statement_timeout = '100ms'; set idle_in_transaction_session_timeout = '1h'")
    await connection.execute("begin")
    await connection.execute("select * from connector for share")
    if amid_a_statement:
        await connection.prepare("select count(*) from item")
    try:
        yield connection
    finally:
        connection.terminate()


async def end_silent(pool: Pool, patience: timedelta) -> list[int]:
    async with acquire(pool) as connection:
        return await backends.end_silent(connection, patience)


async def can_be_locked(scene: Scene) -> bool:
    try:
        await scene.fetch("select * from connector for update nowait")
    except DatabaseAwayError:
        return False
    return True


async def test_a_switch_off_waits_no_longer_for_a_process_that_stands_still_amid_a_statement(scene: Scene) -> None:
    await scene.organization()
    await scene.switch(True)
    async with holding_the_connector(scene, amid_a_statement=True):
        await asyncio.sleep(0.5)  # longer than its time-out for statements, which does not strike
        assert not await can_be_locked(scene)
        stop = asyncio.Event()
        looking = asyncio.create_task(SilentSessions(scene.pool, timedelta(seconds=0.1), patience=AT_ONCE).run(stop))
        assert (await scene.switch(False)).phase == "off"
        stop.set()
        await looking


async def test_whoever_was_kept_waiting_for_less_is_left_alone(scene: Scene) -> None:
    await scene.organization()
    async with holding_the_connector(scene, amid_a_statement=True):
        assert await end_silent(scene.pool, NEVER) == []
        assert not await can_be_locked(scene)


async def test_a_transaction_that_postgresql_can_end_by_itself_is_left_to_it(scene: Scene) -> None:
    await scene.organization()
    async with holding_the_connector(scene, amid_a_statement=False):
        assert await end_silent(scene.pool, AT_ONCE) == []
        assert not await can_be_locked(scene)


async def test_a_statement_that_is_at_work_or_waits_for_a_lock_is_left_alone(scene: Scene) -> None:
    await scene.organization()
    async with holding_the_connector(scene, amid_a_statement=False) as holder, acquire(scene.pool) as connection:
        waiting = asyncio.create_task(connection.fetch("select * from connector for update"))
        await scene.someone_waits_for_a_lock()
        assert await end_silent(scene.pool, AT_ONCE) == []
        await holder.execute("commit")
        assert len(await waiting) == 1


async def test_other_programs_sessions_are_left_alone(scene: Scene) -> None:
    other = await asyncpg.connect(scene.settings.database_url.get_secret_value())
    await other.execute("begin")
    prepared = await other.prepare("select 1")
    assert await end_silent(scene.pool, AT_ONCE) == []
    assert await prepared.fetchval() == 1
    await other.close()


async def test_a_worker_looks_for_them(scene: Scene) -> None:
    assert "silent_sessions" in Worker(scene.settings, scene.pool).loops()
