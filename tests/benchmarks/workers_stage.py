"""Several workers on the same work: all are ready before any of it is there, so that none has a start."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from tests.benchmarks.dispatch_stage import LONGEST_RUN, POLL_SECONDS, Erp, started_erp
from tests.benchmarks.dispatch_worker import all_told
from tests.benchmarks.ground import Ground
from tests.benchmarks.machine_load import Cpu, CpuClocks, Waits, Written, average, postmaster, watched_waits, written
from tests.benchmarks.worker_stage import (
    configure,
    nth_approval,
    shipped_command,
    shipped_settings,
    store_approvals,
    switch_on,
)
from tests.e2e.worker_process import WorkerProcess, worker_process
from worker.settings import Settings, WorkerRole
from worker.store.database import Pool, open_pool

PARTITIONS = 12
INTAKE = frozenset({WorkerRole.INTAKE})
DISPATCH = frozenset({WorkerRole.DISPATCH, WorkerRole.OUTBOX})
STORED = 'accounting_sync_records_total{fate="approval"}'
POSTED = 'accounting_sync_attempts_total{connector="plain",outcome="posted"}'
READ = "select coalesce(sum(approvals), 0)::bigint from intake_position"
WARMING = 0.1
CONFIGURED_AT_ONCE = 4
TRANSACTION_MILLISECONDS = 600_000


@dataclass(frozen=True, slots=True)
class Load:
    """`rate`: items a second from the first tenth on. `cpu` and `written` are an item's.

    `memory`: bytes of the largest worker. `shares`: of each worker, of all items, the busiest first.
    """

    rate: float
    cpu: Cpu
    written: Written
    waits: Waits
    memory: float
    shares: Sequence[float]


class Account:
    """Opened before the work is there."""

    def __init__(self, url: str, clocks: CpuClocks, cpu: Cpu, before: Written) -> None:
        self._url, self._clocks, self._cpu, self._before = url, clocks, cpu, before

    @classmethod
    async def open(cls, url: str, workers: Sequence[WorkerProcess]) -> Self:
        clocks = CpuClocks([worker.pid for worker in workers], await postmaster(url))
        before = await written(url)
        return cls(url, clocks, clocks.read(), before)

    async def close(self, rate: float, items: int, waits: Sequence[Waits], shares: Sequence[float]) -> Load:
        """Once all of it is done."""
        cpu = self._clocks.read().since(self._cpu, items)
        grown = (await written(self._url)).since(self._before, items)
        return Load(rate, cpu, grown, average(waits), self._clocks.memory(), shares)


async def measure_intake(ground: Ground, processes: int, items: int, organizations: int) -> Load:
    """Approvals in one Kafka transaction, which the workers see all at once when it is committed."""
    async with ground.database() as url:
        settings = await shipped_settings(ground, url, partitions=PARTITIONS)
        async with (
            _waiting_approvals(settings, items, organizations) as producer,
            _workers(ground, settings, processes, INTAKE) as workers,
            watched_waits(url) as waits,
        ):
            account = await Account.open(url, workers)
            await producer.commit_transaction()
            rate = await _rate_of_reading(url, items)
            return await account.close(rate, items, waits, await _shares(workers, STORED))


async def measure_dispatch(ground: Ground, processes: int, items: int, organizations: int) -> Load:
    """Items that were stored before; all connectors are switched on at one moment."""
    async with ground.database() as url, started_erp(ground, 0.0) as erp:
        settings = await shipped_settings(ground, url, erp)
        names = [f"org-{number:04}" for number in range(organizations)]
        await _prepare(url, erp, names, items)
        async with (
            _workers(ground, settings, processes, DISPATCH) as workers,
            watched_waits(url) as waits,
        ):
            account = await Account.open(url, workers)
            await _switch_on(url, names)
            seen = await erp.has_seen(items)
            await all_told(url)
            return await account.close(seen.rate, items, waits, await _shares(workers, POSTED))


@asynccontextmanager
async def _waiting_approvals(settings: Settings, items: int, organizations: int) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=settings.approvals_topic,
        transaction_timeout_ms=TRANSACTION_MILLISECONDS,
        linger_ms=20,
        max_batch_size=128 * 1024,
    )
    names = [f"org-{number:04}" for number in range(organizations)]
    await producer.start()
    try:
        await producer.begin_transaction()
        for number in range(items):
            message = nth_approval(names, number)
            await producer.send(settings.approvals_topic, message.value, message.key, headers=message.headers)
        await producer.flush()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def _workers(
    ground: Ground, settings: Settings, processes: int, roles: frozenset[WorkerRole]
) -> AsyncIterator[list[WorkerProcess]]:
    async with AsyncExitStack() as stack:
        starts = [
            worker_process(ground.services.folder, settings, command=shipped_command(ground), roles=roles)
            for _ in range(processes)
        ]
        workers = [await stack.enter_async_context(start) for start in starts]
        for worker in workers:
            await worker.ready()
        yield workers


async def _prepare(url: str, erp: Erp, names: Sequence[str], items: int) -> None:
    pool = await open_pool(url)
    try:
        await _configure_all(pool, names, erp)
        await store_approvals(pool, names, items)
        await pool.execute("analyze")
    finally:
        await pool.close()


async def _configure_all(pool: Pool, names: Sequence[str], erp: Erp) -> None:
    waiting = iter(names)

    async def one_after_the_other() -> None:
        for name in waiting:
            await configure(pool, name, erp)

    await asyncio.gather(*[one_after_the_other() for _ in range(CONFIGURED_AT_ONCE)])


async def _switch_on(url: str, names: Sequence[str]) -> None:
    pool = await open_pool(url, 1)
    try:
        await switch_on(pool, names)
    finally:
        await pool.close()


async def _rate_of_reading(url: str, items: int) -> float:
    """Until all are read; a second, from the first tenth on."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(LONGEST_RUN):
            first = await _read_through(connection, round(WARMING * items))
            last = await _read_through(connection, items)
    finally:
        await connection.close()
    return (last[1] - first[1]) / max(last[0] - first[0], POLL_SECONDS)


async def _read_through(connection: "asyncpg.Connection[asyncpg.Record]", items: int) -> tuple[float, int]:
    """When so many were read, in monotonic seconds, and how many it were by then."""
    while (read := int(await connection.fetchval(READ))) < items:  # noqa: ASYNC110  # other programs' work
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic(), read


async def _shares(workers: Sequence[WorkerProcess], metric: str) -> list[float]:
    counted = [await _counted(worker, metric) for worker in workers]
    return sorted((count / sum(counted) for count in counted), reverse=True)


async def _counted(worker: WorkerProcess, metric: str) -> float:
    """By the worker's own metrics."""
    async with aiohttp.ClientSession() as http, http.get(f"{worker.probes}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric)), 0.0)
