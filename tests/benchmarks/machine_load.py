"""What the processes of one measurement used: CPU of workers, PostgreSQL and brokers, bytes, and waits for locks."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg
import psutil

SAMPLE_SECONDS = 0.02
WAITS = """
select count(*) filter (where wait_event_type = 'Lock') as locks,
       count(*) filter (where wait_event_type = 'LWLock') as latches,
       count(*) filter (where wait_event_type = 'IO') as disk,
       count(*) filter (where state = 'active') as active
from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""

WRITTEN = "select (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(current_database())"


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds, user and system. `postgresql` and `brokers` are 0 where they run elsewhere."""

    workers: float
    postgresql: float
    brokers: float

    def since(self, before: "Cpu", items: int) -> "Cpu":
        """For each item."""
        return Cpu(
            (self.workers - before.workers) / items,
            (self.postgresql - before.postgresql) / items,
            (self.brokers - before.brokers) / items,
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """Sessions of PostgreSQL on average: waiting for a row's lock, a latch (LWLock), the disk; and at work at all."""

    locks: float
    latches: float
    disk: float
    active: float


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes: of write-ahead log, and by which the database with its indexes has grown."""

    wal: float
    database: float

    def since(self, before: "Written", items: int) -> "Written":
        """For each item."""
        return Written((self.wal - before.wal) / items, (self.database - before.database) / items)


class CpuClocks:
    """Of the workers, of all processes of PostgreSQL, and of all brokers that we started."""

    def __init__(self, workers: Iterable[int], postmaster: psutil.Process | None) -> None:
        self._workers = [psutil.Process(pid) for pid in workers]
        self._postmaster = postmaster
        self._brokers = [child for child in psutil.Process().children() if child.name() == "java"]

    def memory(self) -> float:
        """Bytes of the largest worker."""
        return max(float(worker.memory_info().rss) for worker in self._workers)

    def read(self) -> Cpu:
        workers, brokers = (sum(map(_seconds, which)) for which in (self._workers, self._brokers))
        return Cpu(workers, self._postgresql(), brokers)

    def _postgresql(self) -> float:
        """A server process that has ended is in the postmaster's count of its children."""
        if self._postmaster is None:
            return 0.0
        ended = self._postmaster.cpu_times()
        living = sum(map(_seconds, self._postmaster.children()))
        return _seconds(self._postmaster) + ended.children_user + ended.children_system + living


async def postmaster(database_url: str) -> psutil.Process | None:
    """None where PostgreSQL runs on another machine, or in a container."""
    connection = await asyncpg.connect(database_url)
    try:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(await connection.fetchval("select pg_backend_pid()"))
            return server.parent() if "postgres" in server.name() else None
    finally:
        await connection.close()
    return None


async def written(database_url: str) -> Written:
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(WRITTEN)
    finally:
        await connection.close()
    assert row is not None
    return Written(*row)


@asynccontextmanager
async def watched_waits(database_url: str) -> AsyncIterator[list[Waits]]:
    """Samples, as long as it lasts."""
    connection = await asyncpg.connect(database_url)
    samples: list[Waits] = []
    sampling = asyncio.create_task(_sample(connection, samples))
    try:
        yield samples
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
        await connection.close()


async def _sample(connection: "asyncpg.Connection[asyncpg.Record]", samples: list[Waits]) -> None:
    while True:
        row = await connection.fetchrow(WAITS)
        assert row is not None
        samples.append(Waits(*row))
        await asyncio.sleep(SAMPLE_SECONDS)


def average(samples: Sequence[Waits]) -> Waits:
    number = max(len(samples), 1)
    return Waits(
        sum(one.locks for one in samples) / number,
        sum(one.latches for one in samples) / number,
        sum(one.disk for one in samples) / number,
        sum(one.active for one in samples) / number,
    )


def _seconds(process: psutil.Process) -> float:
    """0 where it has just ended."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
