"""Work that flows while faults strike: approvals for every house, and connectors switched off and on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from tests.chaos.arena import Arena, House
from worker.store.database import DatabaseAwayError


@dataclass(frozen=True, slots=True)
class Flow:
    """Approvals a second over all houses; seconds between two toggles, and how long a house then stays off.

    `most_open`: no more is approved while so many are on their way, so that the recovery is the worker's own and not
    the time that a backlog takes.
    """

    approvals: float = 20.0
    toggle_every: float = 1.5
    off_for: float = 0.7
    most_open: int = 100


@asynccontextmanager
async def traffic(arena: Arena, flow: Flow | None = None) -> AsyncIterator[None]:
    """Until the block ends. What was switched off then stays off: `Arena.all_on` ends that."""
    flow = flow or Flow()
    flowing = [asyncio.create_task(_approve(arena, flow)), asyncio.create_task(_toggle(arena, flow))]
    try:
        yield
    finally:
        for task in flowing:
            task.cancel()
        results = await asyncio.gather(*flowing, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _approve(arena: Arena, flow: Flow) -> None:
    while True:
        house = arena.random.choice(arena.houses)
        number = arena.random.randint(1, 4)
        # Shielded: an approval that is on its way to the broker is either known or was never sent.
        with suppress(KafkaError, DatabaseAwayError):
            if await arena.count_open() < flow.most_open:
                await asyncio.shield(arena.approve(house, number))
        await asyncio.sleep(number / flow.approvals)


async def _toggle(arena: Arena, flow: Flow) -> None:
    while True:
        await asyncio.sleep(arena.random.uniform(0.5, 1.5) * flow.toggle_every)
        house = arena.random.choice(arena.houses)
        with suppress(KafkaError):
            await _off_and_on(arena, house, flow.off_for)


async def _off_and_on(arena: Arena, house: House, seconds: float) -> None:
    await arena.toggle(house, False)
    await asyncio.sleep(arena.random.uniform(0.3, 1.7) * seconds)
    await arena.toggle(house, True)
