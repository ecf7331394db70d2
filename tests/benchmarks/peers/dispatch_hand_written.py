"""A loop as one writes it by hand: claim a batch with SKIP LOCKED, post, settle in batches. No history, no outbox.

python dispatch_hand_written.py load|run DATABASE_URL ERP_URL ITEMS
"""

import asyncio
import sys

import aiohttp
import asyncpg
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT, items

BATCH = 200
SCHEMA = """
create table job (
    id bigint generated always as identity primary key,
    organization text not null,
    body bytea not null,
    state text not null default 'pending',
    document text
) with (fillfactor = 60);
create index job_pending on job (id) where state = 'pending';
"""
CLAIM = """
update job set state = 'sending'
where id = any(array(select id from job where state = 'pending' order by id limit $1 for update skip locked))
returning id, organization, body
"""
SETTLE = """
update job set state = 'synced', document = d.document
from unnest($1::bigint[], $2::text[]) as d (id, document)
where job.id = d.id
"""


class Loop:
    """Claims ahead while requests are on the wire; what is answered meanwhile is settled together."""

    def __init__(self, pool: asyncpg.Pool, http: aiohttp.ClientSession, erp: str) -> None:
        self._pool, self._http, self._erp = pool, http, erp
        self._claimed: asyncio.Queue[asyncpg.Record | None] = asyncio.Queue(BATCH)
        self._answered: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()

    async def run(self) -> None:
        settling = asyncio.create_task(self._settle())
        await asyncio.gather(self._claim(), *[self._post() for _ in range(IN_FLIGHT)])
        self._answered.put_nowait(None)
        await settling

    async def _claim(self) -> None:
        while rows := await self._pool.fetch(CLAIM, BATCH):
            for row in rows:
                await self._claimed.put(row)
        for _ in range(IN_FLIGHT):
            await self._claimed.put(None)

    async def _post(self) -> None:
        while (row := await self._claimed.get()) is not None:
            async with self._http.post(self._erp + row["organization"], data=row["body"]) as answer:
                self._answered.put_nowait((row["id"], (await answer.json())["number"]))

    async def _settle(self) -> None:
        while (first := await self._answered.get()) is not None:
            batch, is_last = [first], False
            while not is_last and not self._answered.empty() and len(batch) < BATCH:
                one = self._answered.get_nowait()
                is_last = one is None
                if one is not None:
                    batch.append(one)
            await self._pool.execute(SETTLE, [one[0] for one in batch], [one[1] for one in batch])
            if is_last:
                return


async def load(url: str, number: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    await connection.copy_records_to_table("job", records=items(number), columns=["organization", "body"])
    await connection.close()


async def run(url: str, erp: str) -> None:
    async with (
        asyncpg.create_pool(url, min_size=2, max_size=2) as pool,
        aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http,
    ):
        await Loop(pool, http, erp).run()


if __name__ == "__main__":
    what, url, erp, number = sys.argv[1:]
    uvloop.run(load(url, int(number)) if what == "load" else run(url, erp))
