"""What the measurements at scale stand on: databases full of rows, an ERP that says when a request came, a worker."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.local.processes import free_port
from tests.benchmarks.dispatch_erp import Connection as ErpConnection
from tests.benchmarks.dispatch_erp import Ledger
from tests.benchmarks.ground import Ground
from tests.benchmarks.scale_rows import Crowd
from tests.benchmarks.worker_stage import set_up, shipped_command, switch
from tests.e2e.worker_process import WorkerProcess
from worker.settings import Settings
from worker.store.database import Pool, open_pool, transaction

LONGEST_WAIT = 60.0
AT_ONCE = 250
"""Organisations that are set up in one transaction."""


class Door(Ledger):
    """The plain ERP, in this process and so by this process's clock."""

    def __init__(self, port: int, seconds: float) -> None:
        """Answers after so many seconds."""
        super().__init__(seconds)
        self._port = port
        self._came = asyncio.Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/"

    def take(self, request: bytes) -> None:
        super().take(request)
        self._came.set()

    async def first_after(self, begin: float) -> float:
        """Seconds from `begin` (of the monotonic clock) to the first request since then, which is waited for."""
        async with asyncio.timeout(LONGEST_WAIT):
            while not self.arrivals or self.arrivals[-1] < begin:
                self._came.clear()
                await self._came.wait()
        return self.arrivals[bisect_left(self.arrivals, begin)] - begin


@dataclass(frozen=True, slots=True)
class Stage:
    """A database, and the ERP of those in it."""

    url: str
    pool: Pool
    door: Door


@asynccontextmanager
async def opened_door(seconds: float) -> AsyncIterator[Door]:
    port = free_port()
    door = Door(port, seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ErpConnection(door), "127.0.0.1", port)
    try:
        yield door
    finally:
        server.close()


@asynccontextmanager
async def stage(ground: Ground, door: Door) -> AsyncIterator[Stage]:
    async with ground.database() as url:
        pool = await open_pool(url)
        try:
            yield Stage(url, pool, door)
        finally:
            await pool.close()


async def introduce(own: Stage, crowd: Crowd) -> None:
    """Each with a connector that is off."""
    for names in _bunches(crowd.names):
        async with transaction(own.pool) as connection:
            for name in names:
                await set_up(connection, name, own.door)


async def switch_all(own: Stage, crowd: Crowd, *, enabled: bool) -> None:
    for names in _bunches(crowd.names):
        async with transaction(own.pool) as connection:
            for name in names:
                await switch(connection, name, enabled=enabled)


@asynccontextmanager
async def started_worker(ground: Ground, settings: Settings) -> AsyncIterator[WorkerProcess]:
    """The shipped command with all its roles, not waited for; asked to leave at the end, so that lanes are free."""
    own = settings.model_copy(update={"probe_port": free_port(), "log_format": "json"})
    process = WorkerProcess(ground.services.folder, own, shipped_command(ground))
    try:
        yield process
        await process.leave(within=LONGEST_WAIT)
    finally:
        await process.kill()


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    await act()
    return (time.perf_counter() - begin) * 1000


def _bunches(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
