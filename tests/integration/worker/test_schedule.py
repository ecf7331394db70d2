"""Scheduled runs: each started once, a missed one caught up once, none while off."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.events import approval
from tests.integration.worker.rows import configure, log_of, set_up, switch, take_in, xledger_file
from tests.scene import Scene
from worker.schedule import Scheduler
from worker.settings import WorkerRole
from worker.store.database import Pool, acquire, transaction
from worker.suspension import suspend

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAILY = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
"""Hours away, in every time zone of ours: no moment that it names comes while a test runs."""


async def _due_since(pool: Pool, days: int = 3) -> None:
    async with acquire(pool) as connection:
        await connection.execute("update connector set next_run_at = now() - $1::interval", timedelta(days=days))


async def _next_run(pool: Pool) -> datetime | None:
    async with acquire(pool) as connection:
        found: datetime | None = await connection.fetchval("select next_run_at from connector")
    return found


async def _is_ahead(pool: Pool) -> bool:
    """Of a minute ago, since the next of every five minutes may have come by now."""
    async with acquire(pool) as connection:
        return bool(await connection.fetchval("select next_run_at > now() - interval '1 minute' from connector"))


async def _work_off(pool: Pool) -> int:
    """How many runs one scheduler started."""
    scheduler = Scheduler(pool, timedelta(seconds=1))
    count = 0
    while await scheduler._start_one():
        count += 1
    return count


async def _starts(pool: Pool) -> list[object]:
    changes = ("sync_run_started", "sync_run_widened")
    return [entry["detail"] for entry in await log_of(pool) if entry["change"] in changes and entry["source"] != "cli"]


async def test_a_due_run_is_started_once_by_two_schedulers_at_once(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY, release_policy="next_sync")
    await switch(pool, True)
    await _due_since(pool)
    assert sum(await asyncio.gather(*[_work_off(pool) for _ in range(4)])) == 1
    assert len(await _starts(pool)) == 1


async def test_however_many_were_missed_one_run_catches_up(pool: Pool) -> None:
    await set_up(pool, schedule="*/5 * * * *", release_policy="next_sync")
    await switch(pool, True)
    await _due_since(pool, days=30)
    assert await _work_off(pool) == 1
    assert await _is_ahead(pool)
    entry = (await log_of(pool))[-1]
    assert (entry["actor"], entry["actor_role"], entry["source"]) == ("accounting-sync", "system", "worker")


async def test_nothing_runs_while_off(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY)
    assert await _next_run(pool) is None
    await _due_since(pool)
    assert await _work_off(pool) == 0
    await switch(pool, True)
    await switch(pool, False)
    assert await _next_run(pool) is None
    assert await _work_off(pool) == 0


async def test_the_next_run_is_reckoned_from_the_enable_and_not_due_at_once(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY)
    await _due_since(pool)
    await switch(pool, True)
    assert await _is_ahead(pool)
    assert await _work_off(pool) == 0


async def test_a_changed_schedule_counts_from_now_and_never_starts_what_is_off(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY)
    await configure(pool, file=xledger_file(schedule="*/5 * * * *"))
    assert await _next_run(pool) is None
    await switch(pool, True)
    await _due_since(pool)
    await configure(pool, file=xledger_file(schedule="0 7 * * *"))
    assert await _is_ahead(pool)
    await configure(pool, file=xledger_file())
    assert await _next_run(pool) is None


async def test_a_suspended_connector_gets_no_run_and_its_schedule_goes_on(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY, release_policy="next_sync")
    await switch(pool, True)
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
    await _due_since(pool)
    await _work_off(pool)
    assert await _starts(pool) == []
    assert await _is_ahead(pool)


async def test_a_schedule_that_stands_there_and_cannot_be_read_is_tried_again_tomorrow(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY, release_policy="next_sync")
    await switch(pool, True)
    async with acquire(pool) as connection:
        await connection.execute("update connector set schedule = 'at tea time'")
    await _due_since(pool)
    assert await _work_off(pool) == 1
    assert await _is_ahead(pool)


async def test_a_due_run_joins_the_one_under_way(pool: Pool) -> None:
    await set_up(pool, schedule=DAILY)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    await _due_since(pool)
    assert await _work_off(pool) == 1
    assert (await log_of(pool))[-1]["change"] == "sync_run_widened"


async def test_a_scheduled_run_takes_everything_that_waited(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", release_policy="next_sync", schedule=DAILY)
    async with scene.worker(frozenset({WorkerRole.INTAKE, WorkerRole.DISPATCH, WorkerRole.SCHEDULE}), poll_seconds=0.1):
        await scene.approve(approval("S-1"), approval("S-2"))
        await scene.counted("item", 2)
        await scene.switch(True)
        await _due_since(scene.pool)
        await scene.all_synced("S-1", "S-2")
    assert await scene.value("select count(*) from sync_run where kind = 'schedule'") == 1
