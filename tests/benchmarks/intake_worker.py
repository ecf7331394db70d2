"""The worker as a subject of the intake benchmark: the shipped command with the intake role and all its promises."""

from functools import partial
from itertools import count

import asyncpg
from pydantic import SecretStr

from deploy.local.processes import free_port
from deploy.local.topics import admin, create_topics
from tests.benchmarks.ground import Ground
from tests.benchmarks.intake_peers import Speed
from tests.benchmarks.intake_watch import Run, committed, rows_a_second, watch
from tests.e2e.worker_process import WorkerProcess
from worker.settings import Settings, WorkerRole

TOGGLES, DEAD_LETTERS, OUTCOMES = "bench-toggles", "bench-dead-letters", "bench-outcomes"
PAUSE = 0.05
_NUMBERS = count(1)


async def measure_worker(ground: Ground, topic: str, records: int) -> Speed:
    """From an empty database until every record of the topic is stored and its offset committed."""
    async with ground.database() as url:
        run = await read_topic(ground, topic, records, url)
        connection = await asyncpg.connect(url)
        try:
            return Speed(await rows_a_second(connection, "item", "received_at"), run.cpu_per_record)
        finally:
            await connection.close()


async def read_topic(ground: Ground, topic: str, records: int, url: str) -> Run:
    """All of the topic by a new group, into the database at `url`, as its committed offsets tell."""
    await create_topics(ground.services.bootstrap_servers, dict.fromkeys((TOGGLES, DEAD_LETTERS, OUTCOMES), 1))
    settings = _settings(ground, topic, url)
    worker = WorkerProcess(ground.services.folder, settings)
    try:
        async with admin(ground.services.bootstrap_servers) as client:
            return await watch(worker, partial(committed, client, settings.kafka_group_id), records, PAUSE)
    finally:
        await worker.kill()


def _settings(ground: Ground, topic: str, url: str) -> Settings:
    """As shipped, but for addresses, names and the role."""
    return Settings.model_validate(
        {
            "database_url": SecretStr(url),
            "kafka_bootstrap_servers": ground.services.bootstrap_servers,
            "kafka_group_id": f"worker-{next(_NUMBERS)}",
            "approvals_topic": topic,
            "toggles_topic": TOGGLES,
            "dead_letter_topic": DEAD_LETTERS,
            "outcomes_topic": OUTCOMES,
            "probe_port": free_port(),
            "roles": frozenset({WorkerRole.INTAKE}),
        }
    )
