"""A loop as one writes it by hand: woken by NOTIFY, claims with SKIP LOCKED, posts, settles. No history, no outbox.

python latency_hand_written.py install|work|feed DATABASE_URL ERP_URL ITEMS A_SECOND
"""

import asyncio
import sys

import aiohttp
import asyncpg
import uvloop
from dispatch_hand_written import BATCH, CLAIM, SCHEMA, SETTLE
from dispatch_items import HEADERS, IN_FLIGHT
from latency_feed import feed

CHANNEL = "job"
ENQUEUE = """
with job as (insert into job (organization, body) values ($1, $2) returning id)
select pg_notify('job', id::text) from job
"""


class Loop:
    """Claims whenever it is told of something; each request is settled as soon as it is answered."""

    def __init__(self, pool: asyncpg.Pool, http: aiohttp.ClientSession, erp: str) -> None:
        self._pool, self._http, self._erp = pool, http, erp
        self._woken = asyncio.Event()
        self._posting: set[asyncio.Task[None]] = set()

    def wake(self, *_: object) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            rows = await self._pool.fetch(CLAIM, BATCH)
            for row in rows:
                task = asyncio.create_task(self._post(row))
                self._posting.add(task)
                task.add_done_callback(self._posting.discard)
            if not rows:
                await self._woken.wait()

    async def _post(self, row: asyncpg.Record) -> None:
        async with self._http.post(self._erp + row["organization"], data=row["body"]) as answer:
            number = (await answer.json())["number"]
        await self._pool.execute(SETTLE, [row["id"]], [number])


async def install(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    await connection.close()


async def work(url: str, erp: str) -> None:
    async with (
        asyncpg.create_pool(url, min_size=4, max_size=4) as pool,
        pool.acquire() as listening,
        aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http,
    ):
        loop = Loop(pool, http, erp)
        await listening.add_listener(CHANNEL, loop.wake)
        print("ready", flush=True)
        await loop.run()


async def enqueue(url: str, number: int, a_second: float) -> None:
    connection = await asyncpg.connect(url)
    await feed(lambda *item: connection.execute(ENQUEUE, *item), number, a_second)
    await connection.close()


if __name__ == "__main__":
    what, url, erp, number, a_second = sys.argv[1:]
    match what:
        case "install":
            uvloop.run(install(url))
        case "work":
            uvloop.run(work(url, erp))
        case "feed":
            uvloop.run(enqueue(url, int(number), float(a_second)))
