"""pgqueuer with a pool, as its documentation shows it: jobs in batches, one HTTP session for all, until none is left.

python dispatch_pgqueuer.py load|run DATABASE_URL ERP_URL ITEMS

Its own `max_concurrent_tasks` is left out: at the cap it sleeps 0.1 s, which costs it most of its speed. The session's
limit keeps 32 requests in flight.
"""

import json
import sys

import aiohttp
import asyncpg
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT, items
from pgqueuer import Job, PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

LOADED_AT_ONCE = 1000


async def load(url: str, number: int) -> None:
    async with asyncpg.create_pool(url) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        await queries.install()
        payloads = [json.dumps([organization, body.decode()]).encode() for organization, body in items(number)]
        for start in range(0, number, LOADED_AT_ONCE):
            some = payloads[start : start + LOADED_AT_ONCE]
            await queries.enqueue(["post"] * len(some), some, [0] * len(some))


async def run(url: str, erp: str) -> None:
    async with (
        asyncpg.create_pool(url) as pool,
        aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http,
    ):
        pgq = PgQueuer.from_asyncpg_pool(pool)

        @pgq.entrypoint("post")
        async def post(job: Job) -> None:
            organization, body = json.loads(job.payload or b"")
            async with http.post(erp + organization, data=body.encode()) as answer:
                await answer.json()

        await pgq.qm.run(batch_size=IN_FLIGHT, mode=QueueExecutionMode.drain)


if __name__ == "__main__":
    what, url, erp, number = sys.argv[1:]
    uvloop.run(load(url, int(number)) if what == "load" else run(url, erp))
