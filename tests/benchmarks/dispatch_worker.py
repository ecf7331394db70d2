"""The worker as a subject of the dispatch benchmark: everything approved before, connectors on, then it starts."""

import asyncio

import asyncpg

from tests.benchmarks.dispatch_stage import LONGEST_RUN, Cost, Erp, Meter, Seen, started_erp
from tests.benchmarks.ground import Ground
from tests.benchmarks.worker_stage import configure, shipped_command, shipped_settings, store_approvals, switch_on
from tests.e2e.worker_process import worker_process
from worker.settings import Settings
from worker.store.database import open_pool

NOTHING_LEFT = """
select not exists (select from item where state <> 'synced') and not exists (select from outbox)
"""


async def measure_worker(ground: Ground, items: int, organizations: int, seconds: float) -> tuple[Seen, Cost]:
    """With all its roles."""
    async with ground.database() as url, started_erp(ground, seconds) as erp:
        settings = await shipped_settings(ground, url, erp)
        await _prepare(settings, erp, items, organizations)
        meter = Meter(ground, url)
        await meter.begin()
        async with worker_process(ground.services.folder, settings, command=shipped_command(ground)) as worker:
            seen = await erp.has_seen(items)
            await all_told(url)
            assert worker.is_running, worker.output()
        return seen, await meter.end(items)


async def _prepare(settings: Settings, erp: Erp, items: int, organizations: int) -> None:
    pool = await open_pool(settings.database_url.get_secret_value())
    try:
        names = [f"org-{number:03}" for number in range(organizations)]
        for name in names:
            await configure(pool, name, erp)
        await switch_on(pool, names)
        await store_approvals(pool, names, items)
    finally:
        await pool.close()


async def all_told(url: str) -> None:
    """Until every item is settled and every outcome published."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(LONGEST_RUN):
            while not await connection.fetchval(NOTHING_LEFT):  # noqa: ASYNC110  # another program's state
                await asyncio.sleep(0.2)
    finally:
        await connection.close()
