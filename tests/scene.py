"""A worker in a scene of its own: a database, topics, organisations on the sandboxes, and ways to wait."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import asyncpg
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from connectors.reference import reference_of
from deploy.local.configurations import allowed_host, configuration
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.ledger import LedgerLine
from tests.events import Message
from worker import setup
from worker.bootstrap import Worker, make_adapters
from worker.domain.switching import Actor, Role, Toggle
from worker.settings import Settings, WorkerRole
from worker.store.database import Pool, acquire, transaction
from worker.toggles import Toggled, apply_toggle
from worker.vault import Vault

T = TypeVar("T")

KEY = bytes(range(32))
ADMIN = Actor("admin-1", Role.GLOBAL_ADMIN)
PATIENCE = 30.0
ALL_ROLES = frozenset(WorkerRole)


@dataclass(frozen=True)
class Scene:
    """What one test works with."""

    settings: Settings
    pool: Pool
    producer: AIOKafkaProducer
    erps: dict[str, SandboxProcess]

    async def organization(self, organization_id: str = "hlf", kind: str = "xledger", **more: object) -> None:
        """Adds it, configures its connector on the sandbox, and leaves it off."""
        async with transaction(self.pool) as connection:
            await setup.add_organization(connection, organization_id, organization_id.upper(), ADMIN, "cli")
        await self.configure(organization_id, kind, **more)

    async def configure(self, organization_id: str = "hlf", kind: str = "xledger", **more: object) -> None:
        async with transaction(self.pool) as connection:
            await setup.configure(
                connection,
                organization_id,
                kind,
                configuration(self.erps[kind], **more),
                adapters=make_adapters(self.settings),
                vault=Vault(KEY),
                actor=ADMIN,
                source="cli",
            )

    async def approve(self, *messages: Message) -> None:
        await self._publish(self.settings.approvals_topic, messages)

    async def toggle(self, *messages: Message) -> None:
        await self._publish(self.settings.toggles_topic, messages)

    async def _publish(self, topic: str, messages: Sequence[Message]) -> None:
        sent = [await self.producer.send(topic, key=m.key, value=m.value, headers=m.headers) for m in messages]
        await asyncio.gather(*sent)

    async def switch(self, enabled: bool, organization_id: str = "hlf", kind: str = "xledger") -> Toggled:
        """As the screens do it: the same service, without Kafka."""
        async with transaction(self.pool) as connection:
            return await apply_toggle(connection, Toggle(organization_id, kind, enabled, "a test", ADMIN), "cli")

    async def states(self, organization_id: str = "hlf") -> dict[str, str]:
        rows = await self.fetch(
            "select reimbursement_id, state from item where organization_id = $1 order by seq", organization_id
        )
        return {row["reimbursement_id"]: row["state"] for row in rows}

    async def log(self, organization_id: str = "hlf") -> list[asyncpg.Record]:
        return await self.fetch("select * from sync_log where organization_id = $1 order by entry_no", organization_id)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with acquire(self.pool) as connection:
            return await connection.fetch(statement, *arguments)

    async def value(self, statement: str, *arguments: object) -> Any:
        async with acquire(self.pool) as connection:
            return await connection.fetchval(statement, *arguments)

    async def documents(self, organization_id: str, *reimbursement_ids: str, kind: str = "xledger") -> list[LedgerLine]:
        """What the ERP's own ledger holds as final documents for the items, in the order they were made."""
        wanted = {reference_of(organization_id, one) for one in reimbursement_ids}
        return [line for line in await self.erps[kind].ledger() if line.final and line.reference in wanted]

    async def deliveries(
        self, organization_id: str, *reimbursement_ids: str, kind: str = "xledger"
    ) -> list[LedgerLine]:
        """Every request for the items that reached the ERP, applied or not."""
        wanted = {reference_of(organization_id, one) for one in reimbursement_ids}
        return [line for line in await self.erps[kind].ledger() if line.reference in wanted]

    async def all_synced(self, *reimbursement_ids: str, organization_id: str = "hlf") -> None:
        await self.until(partial(self._are, organization_id, reimbursement_ids, "synced"))

    async def all_in(self, state: str, *reimbursement_ids: str, organization_id: str = "hlf") -> None:
        await self.until(partial(self._are, organization_id, reimbursement_ids, state))

    async def _are(self, organization_id: str, reimbursement_ids: Sequence[str], state: str) -> bool:
        states = await self.states(organization_id)
        return all(states.get(one) == state for one in reimbursement_ids)

    async def counted(self, table: str, expected: int) -> None:
        """Waits until the table has so many rows."""

        async def is_there() -> bool:
            return bool(await self.value(f"select count(*) from {table}") >= expected)

        await self.until(is_there)

    async def until(self, condition: Callable[[], Awaitable[T]]) -> T:
        """What `condition` answers once that is true. It is asked again at every change in the database."""
        changed = asyncio.Event()
        listener = await asyncpg.connect(self.settings.database_url.get_secret_value())
        try:
            await listener.add_listener("test_change", lambda *_: changed.set())
            async with asyncio.timeout(PATIENCE):
                while True:
                    changed.clear()
                    answer = await condition()
                    if answer:
                        return answer
                    await changed.wait()
        finally:
            await listener.close()

    @asynccontextmanager
    async def worker(self, roles: frozenset[WorkerRole] = ALL_ROLES, **changes: object) -> AsyncIterator[Worker]:
        """A worker in this process, stopped in order at the end. A loop that fails fails the test."""
        worker = Worker(self.settings.model_copy(update={"roles": roles, **changes}), self.pool)
        stop = asyncio.Event()
        tasks = [asyncio.create_task(loop(stop), name=name) for name, loop in worker.loops().items()]
        try:
            yield worker
        finally:
            stop.set()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*tasks)


def scene_settings(database_url: str, bootstrap: str, prefix: str, erps: dict[str, SandboxProcess]) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=bootstrap,
        kafka_group_id=f"{prefix}-group",
        approvals_topic=f"{prefix}-approved",
        toggles_topic=f"{prefix}-toggled",
        dead_letter_topic=f"{prefix}-dead-letter",
        outcomes_topic=f"{prefix}-outcome",
        credentials_key=SecretStr(base64.b64encode(KEY).decode()),
        erp_allowed_hosts=frozenset(allowed_host(erp) for erp in erps.values()),
        lease_seconds=3.0,
        poll_seconds=1.0,
        log_format="console",
    )
