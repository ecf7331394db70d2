"""Approvals at an even pace, for the peers of the latency benchmark. What it prints says when each was committed."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from dispatch_items import items

Enqueue = Callable[[str, bytes], Awaitable[object]]
"""Takes the organisation and the body; returns once the row is committed."""


async def feed(enqueue: Enqueue, number: int, a_second: float) -> None:
    """Prints {reference: monotonic seconds}."""
    start, committed = time.monotonic(), {}
    for place, (organization, body) in enumerate(items(number)):
        await asyncio.sleep(start + place / a_second - time.monotonic())
        await enqueue(organization, body)
        committed[json.loads(body)["reference"]] = time.monotonic()
    print(json.dumps(committed))
