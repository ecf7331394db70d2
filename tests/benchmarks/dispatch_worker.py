"""The worker as a subject of the dispatch benchmark: the shipped command, one more connector installed beside it."""

import asyncio
import base64
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from connectors.contract import Environment
from deploy.local.configurations import SAMPLE_MAPPING
from deploy.local.topics import create_topics
from tests.benchmarks import plain_erp
from tests.benchmarks.dispatch_stage import LONGEST_RUN, Cost, Erp, Meter, Seen, started_erp
from tests.benchmarks.ground import ROOT, Ground
from tests.e2e.worker_process import RUN, worker_process
from tests.events import approval
from tests.scene import ADMIN, KEY
from worker import setup
from worker.adapters import Adapters
from worker.batch import store_batch
from worker.domain.switching import Toggle
from worker.settings import Settings
from worker.store.database import Pool, open_pool, transaction
from worker.toggles import apply_toggle
from worker.vault import Vault

TOPIC = "reimbursement-approved"
A_BATCH = 1000
NOTHING_LEFT = """
select not exists (select from item where state <> 'synced') and not exists (select from outbox)
"""


@dataclass(slots=True)
class _Record:
    """A Kafka record, as intake reads it."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    key: bytes | None
    topic: str = TOPIC
    partition: int = 0


async def measure_worker(ground: Ground, items: int, organizations: int, seconds: float) -> tuple[Seen, Cost]:
    """Everything approved and stored before, connectors on; then the worker starts, with all its roles."""
    async with ground.database() as url, started_erp(ground, seconds) as erp:
        settings = await _settings(ground, url, erp)
        await _prepare(settings, erp, items, organizations)
        meter = Meter(ground, url)
        await meter.begin()
        async with worker_process(ground.services.folder, settings, command=_command(ground)) as worker:
            seen = await erp.has_seen(items)
            await _all_told(url)
            assert worker.is_running, worker.output()
        return seen, await meter.end(items)


async def _settings(ground: Ground, url: str, erp: Erp) -> Settings:
    """As shipped, on topics of its own."""
    prefix = url.rsplit("/", 1)[1]
    names = ("approvals_topic", "toggles_topic", "dead_letter_topic", "outcomes_topic")
    topics = {name: f"{prefix}-{name.removesuffix('_topic')}" for name in names}
    await create_topics(ground.services.bootstrap_servers, dict.fromkeys(topics.values(), 6))
    return Settings.model_validate(
        {
            "database_url": SecretStr(url),
            "kafka_bootstrap_servers": ground.services.bootstrap_servers,
            "kafka_group_id": f"{prefix}-group",
            "credentials_key": SecretStr(base64.b64encode(KEY).decode()),
            "erp_allowed_hosts": frozenset({erp.host}),
            **topics,
        }
    )


async def _prepare(settings: Settings, erp: Erp, items: int, organizations: int) -> None:
    pool = await open_pool(settings.database_url.get_secret_value())
    try:
        names = [f"org-{number:03}" for number in range(organizations)]
        for name in names:
            await _switch_on(pool, name, erp)
        for batch in _batches(names, items):
            await store_batch(pool, batch, {TOPIC: "approvals"})
    finally:
        await pool.close()


async def _switch_on(pool: Pool, organization_id: str, erp: Erp) -> None:
    file = {
        "base_url": f"{erp.url}{organization_id}",
        "credentials": {"token": "benchmark"},
        "mapping": dict(SAMPLE_MAPPING),
    }
    vault = Vault(KEY)
    adapters = Adapters({plain_erp.KIND: plain_erp.factory}, vault, Environment())
    async with transaction(pool) as connection:
        await setup.add_organization(connection, organization_id, organization_id, ADMIN, "cli")
        await setup.configure(
            connection,
            organization_id,
            plain_erp.KIND,
            file,
            adapters=adapters,
            vault=vault,
            actor=ADMIN,
            source="cli",
        )
        await apply_toggle(connection, Toggle(organization_id, plain_erp.KIND, True, "measured", ADMIN), "cli")


def _batches(organizations: Sequence[str], items: int) -> Iterator[list[_Record]]:
    """The organisations take turns."""
    for start in range(0, items, A_BATCH):
        yield [_record(organizations, number) for number in range(start, min(start + A_BATCH, items))]


def _record(organizations: Sequence[str], number: int) -> _Record:
    message = approval(f"R-2026-{number:07}", organizations[number % len(organizations)])
    return _Record(number, message.value, message.headers, message.key)


async def _all_told(url: str) -> None:
    """Until every item is settled and every outcome published."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(LONGEST_RUN):
            while not await connection.fetchval(NOTHING_LEFT):  # noqa: ASYNC110  # another program's state
                await asyncio.sleep(0.2)
    finally:
        await connection.close()


def _command(ground: Ground) -> list[str | Path]:
    """The command itself; the connector is on its path as an installed distribution is."""
    distribution = ground.services.folder.path / "plain_erp-1.dist-info"
    distribution.mkdir(exist_ok=True)
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-erp\nVersion: 1\n", "utf-8")
    entry = f"[accounting_sync.connectors]\n{plain_erp.KIND} = {plain_erp.__name__}:factory\n"
    (distribution / "entry_points.txt").write_text(entry, "utf-8")
    path = os.pathsep.join([str(distribution.parent), str(ROOT)])
    return ["env", f"PYTHONPATH={path}", *RUN]
