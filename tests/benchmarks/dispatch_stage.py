"""What the subjects of the dispatch benchmark stand on: the ERP's process, the peers', and what PostgreSQL did."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import aiohttp
import asyncpg

from deploy.local.processes import Process, Program, free_port
from tests.benchmarks.ground import PEERS, ROOT, Ground

SECONDS_TO_START = 20.0
LONGEST_RUN = 300.0
POLL_SECONDS = 0.05
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Seen:
    """By the ERP: requests, how many at once, and requests a second from the first tenth on."""

    requests: int
    most_in_flight: int
    rate: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one item: commits, and bytes of write-ahead log."""

    commits: float
    wal: float


@dataclass(frozen=True, slots=True)
class Erp:
    """`url` is complete but for the organisation at its end."""

    url: str
    process: Process

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://").rstrip("/")

    async def seen(self) -> Seen:
        async with aiohttp.ClientSession() as http, http.get(self.url) as answer:
            return Seen(**await answer.json())

    async def arrivals(self) -> dict[str, float]:
        """Monotonic seconds at which each reference came."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}arrivals") as answer:
            found: dict[str, float] = await answer.json()
            return found

    async def has_seen(self, items: int) -> Seen:
        """Waits for so many requests. Raises AssertionError where there are more."""
        async with asyncio.timeout(LONGEST_RUN):
            while (seen := await self.seen()).requests < items:  # noqa: ASYNC110  # another program's state
                await asyncio.sleep(POLL_SECONDS)
        assert seen.requests == items, f"The ERP saw {seen.requests} requests for {items} items."
        return seen


@asynccontextmanager
async def started_erp(ground: Ground, seconds: float) -> AsyncIterator[Erp]:
    """An ERP that answers after `seconds`, and has seen nothing yet."""
    port = free_port()
    program = [sys.executable, str(ROOT / "tests" / "benchmarks" / "dispatch_erp.py"), str(port), str(seconds)]
    process = ground.services.folder.start(Program(name=f"plain-erp-{next(_NUMBERS)}", arguments=program))
    try:
        await process.port(port, timeout=SECONDS_TO_START)
        yield Erp(f"http://127.0.0.1:{port}/", process)
    finally:
        await process.kill()


async def run_peer(ground: Ground, name: str, *arguments: str) -> None:
    """To its end. Raises ServiceError with what it said last where it fails."""
    program = Program(
        name=f"{name}-{next(_NUMBERS)}", arguments=[ground.peers_python, PEERS / f"dispatch_{name}.py", *arguments]
    )
    await ground.services.folder.start(program).finished(timeout=LONGEST_RUN)


class Meter:
    """Reads what PostgreSQL has done for one database, from outside of it."""

    def __init__(self, ground: Ground, database_url: str) -> None:
        self._server = ground.services.database_url
        self._database_url = database_url
        self._database = database_url.rsplit("/", 1)[1]
        self._commits = self._wal = 0

    async def begin(self) -> None:
        """With plans as in a database that has lived for a while: what was loaded is counted first."""
        connection = await asyncpg.connect(self._database_url)
        try:
            await connection.execute("analyze")
        finally:
            await connection.close()
        self._commits, self._wal = await self._read()

    async def end(self, items: int) -> Cost:
        """Once the subject's connections are closed."""
        commits, wal = await self._read()
        return Cost((commits - self._commits) / items, (wal - self._wal) / items)

    async def _read(self) -> tuple[int, int]:
        """A server process tells its counts at its end at the latest, so that is waited for."""
        connection = await asyncpg.connect(self._server)
        try:
            while await connection.fetchval(_CLIENTS, self._database):  # noqa: ASYNC110  # the server's state
                await asyncio.sleep(POLL_SECONDS)
            row = await connection.fetchrow(_DONE, self._database)
        finally:
            await connection.close()
        assert row is not None
        return row["commits"], row["wal"]


_CLIENTS = "select count(*) from pg_stat_activity where datname = $1 and backend_type = 'client backend'"
_DONE = """
select xact_commit as commits, (pg_current_wal_insert_lsn() - '0/0')::bigint as wal
from pg_stat_database where datname = $1
"""
