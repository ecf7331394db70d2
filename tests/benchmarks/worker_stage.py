"""The worker as a subject: the shipped command on topics of its own, one more connector installed beside it."""

import base64
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from connectors.contract import Environment
from deploy.local.configurations import SAMPLE_MAPPING
from deploy.local.topics import create_topics
from tests.benchmarks import plain_erp
from tests.benchmarks.ground import ROOT, Ground
from tests.e2e.worker_process import RUN
from tests.events import Message, approval
from tests.scene import ADMIN, KEY
from worker import setup
from worker.adapters import Adapters
from worker.batch import store_batch
from worker.domain.switching import Toggle
from worker.settings import Settings
from worker.store.database import Connection, Pool, transaction
from worker.toggles import apply_toggle
from worker.vault import Vault

TOPIC = "reimbursement-approved"
PARTITIONS = 6
A_BATCH = 1000


class Address(Protocol):
    """Of an ERP. `url` is complete but for the organisation at its end."""

    @property
    def url(self) -> str: ...

    @property
    def host(self) -> str: ...


@dataclass(slots=True)
class _Record:
    """A Kafka record, as intake reads it."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    key: bytes | None
    topic: str = TOPIC
    partition: int = 0


async def shipped_settings(
    ground: Ground, database_url: str, erp: Address | None = None, partitions: int = PARTITIONS
) -> Settings:
    """As shipped, on topics of its own, which are made."""
    prefix = database_url.rsplit("/", 1)[1]
    names = ("approvals_topic", "toggles_topic", "dead_letter_topic", "outcomes_topic")
    topics = {name: f"{prefix}-{name.removesuffix('_topic')}" for name in names}
    await create_topics(ground.services.bootstrap_servers, dict.fromkeys(topics.values(), partitions))
    return Settings.model_validate(
        {
            "database_url": SecretStr(database_url),
            "kafka_bootstrap_servers": ground.services.bootstrap_servers,
            "kafka_group_id": f"{prefix}-group",
            "credentials_key": SecretStr(base64.b64encode(KEY).decode()),
            "erp_allowed_hosts": frozenset({erp.host} if erp else ()),
            **topics,
        }
    )


def shipped_command(ground: Ground) -> list[str | Path]:
    """The command itself; the connector is on its path as an installed distribution is."""
    distribution = ground.services.folder.path / "plain_erp-1.dist-info"
    distribution.mkdir(exist_ok=True)
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-erp\nVersion: 1\n", "utf-8")
    entry = f"[accounting_sync.connectors]\n{plain_erp.KIND} = {plain_erp.__name__}:factory\n"
    (distribution / "entry_points.txt").write_text(entry, "utf-8")
    path = os.pathsep.join([str(distribution.parent), str(ROOT)])
    return ["env", f"PYTHONPATH={path}", *RUN]


async def configure(pool: Pool, organization_id: str, erp: Address) -> None:
    async with transaction(pool) as connection:
        await set_up(connection, organization_id, erp)


async def set_up(connection: Connection, organization_id: str, erp: Address) -> None:
    """An organisation whose connector is configured, and off."""
    file = {
        "base_url": f"{erp.url}{organization_id}",
        "credentials": {"token": "benchmark"},
        "mapping": dict(SAMPLE_MAPPING),
    }
    vault = Vault(KEY)
    adapters = Adapters({plain_erp.KIND: plain_erp.factory}, vault, Environment())
    await setup.add_organization(connection, organization_id, organization_id, ADMIN, "cli")
    await setup.configure(
        connection, organization_id, plain_erp.KIND, file, adapters=adapters, vault=vault, actor=ADMIN, source="cli"
    )


async def switch_on(pool: Pool, organizations: Sequence[str]) -> None:
    """All at one moment."""
    async with transaction(pool) as connection:
        for name in organizations:
            await switch(connection, name, enabled=True)


async def switch(connection: Connection, organization_id: str, *, enabled: bool) -> None:
    await apply_toggle(connection, Toggle(organization_id, plain_erp.KIND, enabled, "measured", ADMIN), "cli")


async def store_approvals(pool: Pool, organizations: Sequence[str], items: int) -> None:
    """As intake stores them. The organisations take turns."""
    for batch in _batches(organizations, items):
        await store_batch(pool, batch, {TOPIC: "approvals"})


def nth_approval(organizations: Sequence[str], number: int) -> Message:
    return approval(f"R-2026-{number:07}", organizations[number % len(organizations)])


def _batches(organizations: Sequence[str], items: int) -> Iterator[list[_Record]]:
    for start in range(0, items, A_BATCH):
        yield [_record(organizations, number) for number in range(start, min(start + A_BATCH, items))]


def _record(organizations: Sequence[str], number: int) -> _Record:
    message = nth_approval(organizations, number)
    return _Record(number, message.value, message.headers, message.key)
