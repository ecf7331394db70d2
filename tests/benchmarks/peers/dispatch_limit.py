"""The limit: nothing but aiohttp, 32 requests in flight, no database.

python dispatch_limit.py run - ERP_URL ITEMS
"""

import asyncio
import sys

import aiohttp
import uvloop
from dispatch_items import HEADERS, IN_FLIGHT, items


async def run(erp: str, number: int) -> None:
    waiting = items(number)
    async with aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http:

        async def post_one_after_the_other() -> None:
            for organization, body in waiting:
                async with http.post(erp + organization, data=body) as answer:
                    await answer.json()

        await asyncio.gather(*[post_one_after_the_other() for _ in range(IN_FLIGHT)])


if __name__ == "__main__":
    uvloop.run(run(sys.argv[3], int(sys.argv[4])))
