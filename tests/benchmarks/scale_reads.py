"""What people are shown, and what the worker looks at by itself, with a million pending items."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from statistics import median
from uuid import uuid4

from tests.benchmarks.ground import Ground
from tests.benchmarks.scale_rows import Crowd, indexes_made_afterwards, load_pending, settle_down
from tests.benchmarks.scale_stage import Door, Stage, introduce, stage, switch_all, timed
from worker import insights
from worker.domain.states import ItemState
from worker.store import lanes, progress
from worker.store.database import Connection, acquire, connect

A_PAGE = 100
LANES = 200
"""As many as a worker takes at most."""

Read = Callable[[Connection, str], Awaitable[object]]


async def _organizations(connection: Connection, _: str) -> object:
    return await insights.organizations(connection)


async def _pending_page(connection: Connection, organization_id: str) -> object:
    return await insights.item_page(connection, organization_id, ItemState.PENDING, None, A_PAGE)


async def _rejected_page(connection: Connection, organization_id: str) -> object:
    return await insights.item_page(connection, organization_id, ItemState.REJECTED, None, A_PAGE)


async def _log_page(connection: Connection, organization_id: str) -> object:
    return await insights.log_page(connection, organization_id, None, A_PAGE)


async def _lease(connection: Connection, _: str) -> object:
    """Undone at once."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await lanes.lease(connection, uuid4(), timedelta(seconds=30), None, LANES)
    finally:
        await transaction.rollback()


async def _audit(connection: Connection, _: str) -> object:
    return await progress.standing_lanes(connection, uuid4(), with_free_ones=True)


OF_ONE: dict[str, Read] = {
    "a connector": insights.connector_object,
    "a page of pending items": _pending_page,
    "a page of rejected items": _rejected_page,
    "a page of the sync log": _log_page,
    "what enabling would send": insights.release_preview,
}
OF_ALL: dict[str, Read] = {
    "the list of organisations": _organizations,
    "the worker's look at all lanes": _lease,
    "the watchdog's look at all lanes": _audit,
}


@dataclass(slots=True)
class Readings:
    """Milliseconds of every read, by read and place."""

    times: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    async def take(self, own: Stage, read: str, place: str, organization_id: str, times: int) -> float:
        act = {**OF_ONE, **OF_ALL}[read]
        async with acquire(own.pool) as connection:
            found = [await timed(partial(act, connection, organization_id)) for _ in range(times)]
        self.times.setdefault((read, place), []).extend(found)
        return median(found)


@asynccontextmanager
async def many_organizations(ground: Ground, door: Door, organizations: int, items: int) -> AsyncIterator[Stage]:
    """Half of them on; each has the same number of pending items."""
    off, on = Crowd(0, organizations // 2), Crowd(organizations // 2, organizations - organizations // 2)
    async with stage(ground, door) as own:
        await introduce(own, off)
        await introduce(own, on)
        connection = await connect(own.url)
        try:
            await connection.execute("set statement_timeout = 0")
            async with indexes_made_afterwards(connection, items):
                await load_pending(connection, off, 1, items // 2)
                await load_pending(connection, on, items // 2 + 1, items - items // 2)
            await settle_down(connection)
        finally:
            await connection.close()
        await switch_all(own, on, enabled=True)
        yield own
