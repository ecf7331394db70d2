"""PostgreSQL fails while work flows: backends terminated, immediate stops, answers to commits lost, no room left."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from deploy.local.database import PostgresCluster
from tests.chaos.arena import Arena, Needs
from tests.chaos.battery import Battery, Control
from tests.chaos.commits import Change, ReplyThief
from tests.chaos.crew import Crew
from tests.chaos.full_disk import SmallDisk
from tests.chaos.oracle import Harm
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Flow, traffic
from tests.chaos.variants import Variant
from tests.scene import INTAKE_ONLY

WORKERS = 2
FLOW = Flow(approvals=12, toggle_every=4)
LONGEST_PAUSE = 0.8
LONGEST_DOWN = 1.5
REPLY_SECONDS = 10.0
OCCUPIED_SECONDS = 4.0
LOCKED_SECONDS = 11.0
"""Longer than a worker waits for a lock, and for a connection of its pool."""
FULL_SECONDS = 2.0
BURST = 300
TRIES_A_SECOND = 20


@dataclass(frozen=True, slots=True)
class _Site:
    """The workers reach PostgreSQL by the proxy. `since` tells their backends from the arena's own, which are older."""

    arena: Arena
    database: PostgresCluster
    proxy: Proxy
    thief: ReplyThief
    crew: Crew
    disk: SmallDisk | None
    since: datetime


async def strike(arena: Arena, size: int) -> None:
    async with _site(arena) as site, traffic(arena, FLOW):
        if site.disk is None:
            arena.struck["disk_full (may not mount here)"] = 0
        for name in _plan(site, size):
            while not await _KINDS[name](site):
                pass  # there was nothing to break: work flows, so there will be
            arena.fault(name)
            await asyncio.sleep(arena.random.uniform(0.0, LONGEST_PAUSE))


def _plan(site: _Site, size: int) -> list[str]:
    """In full: 50 answers lost, 20 immediate stops, 100 backends terminated."""
    rare = {"commit_answer_lost": size / 6, "settlement_answer_lost": size / 9, "immediate_stop": size / 9}
    rare |= {"no_connection_left": size / 90, "pool_exhausted": size / 90}
    rare |= {"disk_full": size / 90} if site.disk else {}
    names = [name for name, number in rare.items() for _ in range(max(1, round(number)))]
    names += ["backend_terminated"] * max(1, size - len(names))
    site.arena.random.shuffle(names)
    return names[:size]


@asynccontextmanager
async def _site(arena: Arena, *, workers: int = WORKERS) -> AsyncIterator[_Site]:
    assert arena.database is not None
    url = urlsplit(arena.database.dsn)
    assert url.port is not None
    thief = ReplyThief(arena.random)
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # the arena's own pool misses its connections aloud
    async with AsyncExitStack() as stack:
        disk = await stack.enter_async_context(SmallDisk.mounted(arena.ground.folder, arena.database.dsn))
        proxy = await stack.enter_async_context(Proxy.to(url.port, thief.watch))
        address = SecretStr(arena.database.dsn.replace(f":{url.port}/", f":{proxy.port}/"))
        since = await arena.scene.value("select clock_timestamp()")
        crew = await stack.enter_async_context(Crew.of(arena, workers, database_url=address))
        yield _Site(arena, arena.database, proxy, thief, crew, disk, since)
        await crew.leave()


async def _terminate_backend(site: _Site) -> bool:
    """One that is in the middle of something, where there is one."""
    async with _administrator(site) as connection:
        backends = await connection.fetch(
            "select pid, state <> 'idle' as is_busy from pg_stat_activity "
            "where application_name = 'accounting-sync' and backend_start > $1 order by pid",
            site.since,
        )
        busy = [one["pid"] for one in backends if one["is_busy"]]
        chosen = busy if busy and site.arena.random.random() < 0.7 else [one["pid"] for one in backends]
        if not chosen:
            return False
        return bool(await connection.fetchval("select pg_terminate_backend($1)", site.arena.random.choice(chosen)))


async def _stop_at_once(site: _Site) -> bool:
    await site.database.crash()
    await asyncio.sleep(site.arena.random.uniform(0.0, LONGEST_DOWN))
    await site.database.restart()
    return True


async def _lose_answer(site: _Site, change: Change) -> bool:
    """Committed, and the worker never hears of it."""
    return await site.thief.lose_reply(change, REPLY_SECONDS)


async def _take_every_connection(site: _Site) -> bool:
    """Somebody else has them all: a worker whose connections end gets none."""
    held: list[asyncpg.Connection[asyncpg.Record]] = []
    try:
        for _ in range(2):  # before and after the workers' connections ended
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    held.append(await asyncpg.connect(site.database.dsn))
            await site.proxy.cut()
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                held.append(await asyncpg.connect(site.database.dsn))
        await asyncio.sleep(OCCUPIED_SECONDS)
    finally:
        await asyncio.gather(*(one.close() for one in held))
    return True


async def _exhaust_pools(site: _Site) -> bool:
    """Somebody else locks the table that all statements need, until the worker's pool has no connection left."""
    async with _administrator(site) as connection, connection.transaction():
        await connection.execute("set local deadlock_timeout = '10s'")  # a worker is refused, not we
        await connection.execute("lock table item, lane, intake_position in access exclusive mode")
        await asyncio.sleep(LOCKED_SECONDS)
    return True


async def _fill_disk(site: _Site) -> bool:
    assert site.disk is not None
    await site.disk.fill()
    try:
        await site.arena.approve(site.arena.random.choice(site.arena.houses), BURST)
        async with asyncio.timeout(REPLY_SECONDS):
            while not site.crew.has_logged("DiskFullError"):  # noqa: ASYNC110  # a file, which gives no signal
                await asyncio.sleep(1 / TRIES_A_SECOND)
        await asyncio.sleep(FULL_SECONDS)
    finally:
        site.disk.free()
    return True


_KINDS: Mapping[str, Callable[[_Site], Awaitable[bool]]] = {
    "backend_terminated": _terminate_backend,
    "immediate_stop": _stop_at_once,
    "commit_answer_lost": partial(_lose_answer, change=Change.TRANSACTION),
    "settlement_answer_lost": partial(_lose_answer, change=Change.SETTLEMENT),
    "no_connection_left": _take_every_connection,
    "pool_exhausted": _exhaust_pools,
    "disk_full": _fill_disk,
}


@asynccontextmanager
async def _administrator(site: _Site) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(site.database.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _down_while_reading(arena: Arena, size: int) -> None:
    """For a control: approvals are fetched, and can't be stored."""
    assert arena.database is not None
    for _ in range(size):
        worker = arena.worker(INTAKE_ONLY)
        await arena.approve(arena.houses[0])
        await arena.scene.all_read()
        await arena.database.crash()
        await arena.approve(arena.houses[0], 5)
        while "batch_not_stored" not in worker.order.log.read_text(errors="replace"):  # noqa: ASYNC110  # a file
            await asyncio.sleep(1 / TRIES_A_SECOND)
        await arena.database.restart()
        arena.fault("down_while_reading")
        await worker.leave()


async def _lose_settlements(arena: Arena, size: int) -> None:
    """For a control: at Business Central every settlement says that an item is synced."""
    house = next(one for one in arena.houses if one.erp == "business_central")
    async with _site(arena, workers=1) as site:
        for _ in range(size):
            losing = asyncio.create_task(_lose_answer(site, Change.SETTLEMENT))
            while not losing.done():
                await arena.approve(house)
                await asyncio.wait([losing], timeout=1 / TRIES_A_SECOND)
            assert await losing, "no settlement was lost"
            arena.fault("settlement_answer_lost")


BATTERY = Battery(
    name="postgresql",
    title="backends terminated, immediate stops, answers to commits lost, no connection, no lock, no disk left",
    size=180,
    short=5,
    strike=strike,
    controls=(
        Control(Variant.SKIPS_WHAT_FAILED, Harm.LOST, _down_while_reading, size=1),
        Control(Variant.SETTLES_AGAIN, Harm.DIFFERENT, _lose_settlements, size=2),
    ),
    needs=Needs(own_database=True),
    patience=120.0,
    kinds=6,
)
