"""The worker as a subject of the latency benchmark: from the approval handed to Kafka, and from its row."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg
from aiokafka import AIOKafkaProducer

from connectors.reference import reference_of
from tests.benchmarks.dispatch_stage import LONGEST_RUN, POLL_SECONDS, Erp, started_erp
from tests.benchmarks.ground import Ground
from tests.benchmarks.latency_stage import Delays, Flow, delays
from tests.benchmarks.worker_stage import (
    configure,
    nth_approval,
    shipped_command,
    shipped_settings,
    store_approvals,
    switch_on,
)
from tests.e2e.worker_process import worker_process
from worker.settings import Settings
from worker.store.database import open_pool

ORGANIZATIONS = [f"org-{number:03}" for number in range(10)]
BUSY = "org-busy"
DRAINING = 200
"""Requests of the other organisation after which its drain is under way."""

ROWS = """
select organization_id, reimbursement_id, extract(epoch from received_at)::float8 as stored_at
from item where organization_id <> $1
"""


async def measure_worker(ground: Ground, flow: Flow) -> Delays:
    """With all its roles and its settings as shipped; every organisation's connector is on."""
    async with ground.database() as url, started_erp(ground, flow.seconds) as erp:
        settings = await shipped_settings(ground, url, erp)
        await _prepare(url, erp, flow.backlog)
        async with (
            _producer(settings) as producer,
            worker_process(ground.services.folder, settings, command=shipped_command(ground)) as worker,
        ):
            await _under_way(erp, flow)
            before = await erp.seen()
            started = time.monotonic()
            produced = await _produce(producer, settings.approvals_topic, flow)
            arrivals = await _arrivals(erp, produced)
            drained = (await erp.seen()).requests - before.requests - flow.approvals
            seconds = time.monotonic() - started
            assert worker.is_running, worker.output()
        assert len(arrivals) < flow.approvals + flow.backlog or not flow.backlog, (
            "The other organisation was drained too soon."
        )
        stored = await _stored(url)
        return Delays(delays(flow, stored, arrivals), delays(flow, produced, arrivals), drained / seconds)


async def _prepare(url: str, erp: Erp, backlog: int) -> None:
    pool = await open_pool(url)
    try:
        names = [*ORGANIZATIONS, BUSY]
        for name in names:
            await configure(pool, name, erp)
        await store_approvals(pool, [BUSY], backlog)
        await switch_on(pool, names)
        await pool.execute("analyze")
    finally:
        await pool.close()


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """As an upstream service has it that wants its approval to be safe, and gone at once."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all", linger_ms=0)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _under_way(erp: Erp, flow: Flow) -> None:
    if flow.backlog:
        async with asyncio.timeout(LONGEST_RUN):
            while (await erp.seen()).requests < min(DRAINING, flow.backlog):  # noqa: ASYNC110  # another program's
                await asyncio.sleep(POLL_SECONDS)


async def _produce(producer: AIOKafkaProducer, topic: str, flow: Flow) -> dict[str, float]:
    """At an even pace; when each was handed over, by its reference."""
    start, handed_over, sent = time.monotonic(), {}, []
    for number in range(flow.approvals):
        await asyncio.sleep(start + number / flow.a_second - time.monotonic())
        message = nth_approval(ORGANIZATIONS, number)
        handed_over[_reference(number)] = time.monotonic()
        sent.append(await producer.send(topic, message.value, message.key, headers=message.headers))
    await asyncio.gather(*sent)
    return handed_over


def _reference(number: int) -> str:
    return reference_of(ORGANIZATIONS[number % len(ORGANIZATIONS)], f"R-2026-{number:07}")


async def _arrivals(erp: Erp, references: Collection[str]) -> dict[str, float]:
    """Once all are there."""
    async with asyncio.timeout(LONGEST_RUN):
        while not (arrivals := await erp.arrivals()).keys() >= set(references):  # noqa: ASYNC110  # another program's
            await asyncio.sleep(1.0)
    return arrivals


async def _stored(url: str) -> dict[str, float]:
    """When PostgreSQL wrote each row, on our monotonic clock: it runs on this machine."""
    offset = time.time() - time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(ROWS, BUSY)
    finally:
        await connection.close()
    return {reference_of(row[0], row[1]): row[2] - offset for row in rows}
