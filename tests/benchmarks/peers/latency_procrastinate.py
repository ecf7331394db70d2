"""procrastinate with 32 jobs at once and its psycopg pool; its trigger tells the worker of each new job.

python latency_procrastinate.py install|work|feed DATABASE_URL ERP_URL ITEMS A_SECOND
"""

import sys

import aiohttp
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT
from dispatch_procrastinate import app_at
from latency_feed import feed


async def install(url: str) -> None:
    app = app_at(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def work(url: str, erp: str) -> None:
    app = app_at(url)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with app.open_async(), aiohttp.ClientSession(headers=HEADERS, connector=connector) as http:

        @app.task(name="post")
        async def post(organization: str, body: str) -> None:
            async with http.post(erp + organization, data=body.encode()) as answer:
                await answer.json()

        print("ready", flush=True)
        await app.run_worker_async(concurrency=IN_FLIGHT)


async def enqueue(url: str, number: int, a_second: float) -> None:
    app = app_at(url)
    async with app.open_async():

        async def put(organization: str, body: bytes) -> None:
            await app.configure_task("post").defer_async(organization=organization, body=body.decode())

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
