"""pgqueuer with a pool, as its documentation shows it; its trigger tells the worker of each new job.

python latency_pgqueuer.py install|work|feed DATABASE_URL ERP_URL ITEMS A_SECOND
"""

import json
import sys

import aiohttp
import asyncpg
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT
from latency_feed import feed
from pgqueuer import Job, PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries


async def install(url: str) -> None:
    async with asyncpg.create_pool(url) as pool:
        await Queries(AsyncpgPoolDriver(pool)).install()


async def work(url: str, erp: str) -> None:
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

        print("ready", flush=True)
        await pgq.qm.run()


async def enqueue(url: str, number: int, a_second: float) -> None:
    async with asyncpg.create_pool(url, min_size=1) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))

        async def put(organization: str, body: bytes) -> None:
            await queries.enqueue("post", json.dumps([organization, body.decode()]).encode())

        await feed(put, number, a_second)


if __name__ == "__main__":
    what, url, erp, number, a_second = sys.argv[1:]
    match what:
        case "install":
            uvloop.run(install(url))
        case "work":
            uvloop.run(work(url, erp))
        case "feed":
            uvloop.run(enqueue(url, int(number), float(a_second)))
