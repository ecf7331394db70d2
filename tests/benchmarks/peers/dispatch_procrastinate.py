"""procrastinate with 32 jobs at once and its psycopg pool, until the queue is empty.

python dispatch_procrastinate.py load|run DATABASE_URL ERP_URL ITEMS
"""

import sys

import aiohttp
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT, items
from procrastinate import App, PsycopgConnector

LOADED_AT_ONCE = 1000


def app_at(url: str) -> App:
    return App(connector=PsycopgConnector(conninfo=url, min_size=4, max_size=IN_FLIGHT))


async def load(url: str, number: int) -> None:
    app = app_at(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        jobs = [{"organization": organization, "body": body.decode()} for organization, body in items(number)]
        for start in range(0, number, LOADED_AT_ONCE):
            await app.configure_task("post").batch_defer_async(*jobs[start : start + LOADED_AT_ONCE])


async def run(url: str, erp: str) -> None:
    app = app_at(url)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with app.open_async(), aiohttp.ClientSession(headers=HEADERS, connector=connector) as http:

        @app.task(name="post")
        async def post(organization: str, body: str) -> None:
            async with http.post(erp + organization, data=body.encode()) as answer:
                await answer.json()

        await app.run_worker_async(concurrency=IN_FLIGHT, wait=False)


if __name__ == "__main__":
    what, url, erp, number = sys.argv[1:]
    uvloop.run(load(url, int(number)) if what == "load" else run(url, erp))
