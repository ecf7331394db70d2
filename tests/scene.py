"""A worker in a scene of its own: a database, topics, organisations on the sandboxes, and ways to wait."""

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from connectors.reference import reference_of
from deploy.local import kafka_jars
from deploy.local.configurations import allowed_host, configuration
from deploy.local.database import PostgresCluster
from deploy.local.kafka_broker import KafkaCluster
from deploy.local.machine import probe
from deploy.local.run_folder import RunFolder
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.ledger import LedgerLine
from deploy.local.topics import admin, create_topics
from tests.events import Message
from tests.standstill import what_stands_still
from worker import decisions, runs, setup
from worker.bootstrap import Worker, make_adapters
from worker.domain.switching import Actor, Role, Toggle
from worker.runs import RunRefused
from worker.settings import Settings, WorkerRole
from worker.store.database import Pool, acquire, open_pool, transaction
from worker.store.migrate import migrate
from worker.store.runs import Run
from worker.toggles import Toggled, apply_toggle
from worker.vault import Vault

T = TypeVar("T")

KEY = bytes(range(32))
ADMIN = Actor("admin-1", Role.GLOBAL_ADMIN)
PATIENCE = 60.0
"""Seconds. Only what fails waits so long, so it may be long enough for the slowest machine."""
ALL_ROLES = frozenset(WorkerRole)
INTAKE_ONLY = frozenset({WorkerRole.INTAKE})
DISPATCH_ONLY = frozenset({WorkerRole.DISPATCH})
LONGEST_RECORD = 4 * 1024 * 1024
_NUMBERS = count(1)


def fresh(number: int) -> list[str]:
    """Reimbursement ids that no other test uses: the sandboxes are shared, and they never forget."""
    return [f"R-2026-{next(_NUMBERS):06}" for _ in range(number)]


@dataclass(frozen=True)
class Scene:
    """What one test works with."""

    settings: Settings
    pool: Pool
    producer: AIOKafkaProducer
    erps: dict[str, SandboxProcess]

    async def organization(self, organization_id: str = "hlf", kind: str = "xledger", **more: object) -> None:
        """Adds it, configures its connector on the sandbox, and leaves it off.

        With `concurrency`, so many *documents* are on the wire at once: at Xledger each gets a request of its own.
        """
        async with transaction(self.pool) as connection:
            await setup.add_organization(connection, organization_id, organization_id.upper(), ADMIN, "cli")
        await self.configure(organization_id, kind, **more)

    async def configure(self, organization_id: str = "hlf", kind: str = "xledger", **more: object) -> None:
        async with transaction(self.pool) as connection:
            await setup.configure(
                connection,
                organization_id,
                kind,
                configuration(self.erps[kind], **_one_each(kind, more)),
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
        """Every request for the items that reached the ERP, applied or not; what its import does by itself is none."""
        wanted = {reference_of(organization_id, one) for one in reimbursement_ids}
        lines = await self.erps[kind].ledger()
        return [line for line in lines if line.reference in wanted and line.request != "process_import"]

    async def request_run(self, organization_id: str = "hlf") -> Run | RunRefused:
        """A person asks for a manual run."""
        async with transaction(self.pool) as connection:
            return await runs.request_run(connection, organization_id, ADMIN, "cli")

    async def retry(self, reimbursement_id: str, organization_id: str = "hlf") -> None:
        """A person has an item, or its receipts, tried again."""
        async with transaction(self.pool) as connection:
            decided = await decisions.retry(
                connection, organization_id, reimbursement_id, actor=ADMIN, reason="mended", source="cli"
            )
        assert isinstance(decided, decisions.Decided), decided

    async def history(self, reimbursement_id: str, organization_id: str = "hlf") -> list[tuple[int, str, str]]:
        """(attempt, kind of entry, outcome) in the order they were recorded."""
        rows = await self.fetch(
            "select attempt, kind, outcome from attempt_entry "
            "where (organization_id, reimbursement_id) = ($1, $2) order by entry_id",
            organization_id,
            reimbursement_id,
        )
        return [(row["attempt"], row["kind"], row["outcome"]) for row in rows]

    async def item(self, reimbursement_id: str, organization_id: str = "hlf") -> asyncpg.Record:
        rows = await self.fetch(
            "select * from item where (organization_id, reimbursement_id) = ($1, $2)", organization_id, reimbursement_id
        )
        return rows[0]

    async def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """The offset after the last record of every partition that has records."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap_servers)
        async with asyncio.timeout(PATIENCE), consumer:
            places = [
                TopicPartition(topic, number)
                for topic in topics or (self.settings.approvals_topic, self.settings.toggles_topic)
                for number in await self.producer.partitions_for(topic)
            ]
            return {place: end for place, end in (await consumer.end_offsets(places)).items() if end}

    async def published(self, topic: str) -> list[ConsumerRecord]:
        """Everything that is on the topic now."""
        ends = await self.ends(topic)
        if not ends:  # aiokafka's consumer raises CancelledError when it is stopped right after its start
            return []
        found: list[ConsumerRecord] = []
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=LONGEST_RECORD,
        )
        async with asyncio.timeout(PATIENCE), consumer:
            consumer.assign(list(ends))
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        return found

    async def limit_messages(self, topic: str, size: int) -> None:
        """The broker takes no longer record on the topic from now on."""
        async with admin(self.settings.kafka_bootstrap_servers) as client:
            limit = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})
            await client.alter_configs([limit])

    async def committed(self, group_id: str | None = None) -> dict[TopicPartition, int]:
        """The group's committed offsets, by the broker."""
        async with admin(self.settings.kafka_bootstrap_servers) as client:
            offsets = await client.list_consumer_group_offsets(group_id or self.settings.kafka_group_id)
        return {place: committed.offset for place, committed in offsets.items()}

    async def positions(self) -> dict[TopicPartition, asyncpg.Record]:
        rows = await self.fetch("select * from intake_position")
        return {TopicPartition(row["topic"], row["partition"]): row for row in rows}

    async def all_read(self, patience: float = PATIENCE) -> None:
        """Waits until everything on both topics is stored."""
        ends = await self.ends()

        async def are_stored() -> bool:
            positions = await self.positions()
            return all(place in positions and positions[place]["next_offset"] >= end for place, end in ends.items())

        await self.until(are_stored, patience)

    async def fates(self) -> dict[str, int]:
        """How many records became what, over all partitions."""
        names = ("approvals", "toggles", "duplicates", "dead_letters")
        rows = await self.fetch(
            f"select {', '.join(f'sum({name})::int as {name}' for name in names)} from intake_position"
        )
        return {name: rows[0][name] or 0 for name in names}

    async def everything_is_accounted_for(self) -> None:
        """P4, where topics begin at offset 0 and no worker reads any more."""
        ends, committed, positions = await self.ends(), await self.committed(), await self.positions()
        assert committed == ends
        for place, row in positions.items():
            counted = row["approvals"] + row["toggles"] + row["duplicates"] + row["dead_letters"]
            assert counted == row["next_offset"] == ends[place], place
        fates = await self.fates()
        assert await self.value("select count(*) from item") == fates["approvals"]
        assert await self.value("select count(*) from dead_letter") == fates["dead_letters"]
        assert await self.value("select count(*) from toggle_event") == fates["toggles"]

    async def someone_waits_for_a_lock(self, statement: str = "%") -> None:
        """PostgreSQL gives no signal of it, so it is asked until it says so."""
        async with asyncio.timeout(PATIENCE):
            while not await self.value(  # noqa: ASYNC110  # another program's state, which no event tells of
                "select exists (select from pg_stat_activity where datname = current_database() "
                "and wait_event_type = 'Lock' and query like $1)",
                statement,
            ):
                await asyncio.sleep(0.01)

    async def no_transaction_is_open(self) -> None:
        """Of a worker: then it can be stopped without locks that PostgreSQL would end only after a minute."""
        async with asyncio.timeout(PATIENCE):
            while await self.value(  # noqa: ASYNC110  # another program's state, which no event tells of
                "select exists (select from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid() and state <> 'idle')"
            ):
                await asyncio.sleep(0.01)

    async def end_transactions(self) -> None:
        """Of workers that stand still: PostgreSQL and other workers end them, with their locks, only after a minute."""
        async with asyncio.timeout(PATIENCE):
            while await self.fetch(  # noqa: ASYNC110  # another program's state, which no event tells of
                "select case when wait_event_type = 'Client' then pg_terminate_backend(pid) end "
                "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
                "and state <> 'idle'"
            ):
                await asyncio.sleep(0.01)

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

    async def nothing_to_publish(self) -> None:
        async def is_empty() -> bool:
            return bool(await self.value("select count(*) from outbox") == 0)

        await self.until(is_empty)

    async def logged(self, change: str, organization_id: str = "hlf") -> asyncpg.Record:
        """The newest entry of this kind in the organisation's log, as soon as there is one."""

        async def newest() -> asyncpg.Record | None:
            entries = [entry for entry in await self.log(organization_id) if entry["change"] == change]
            return entries[-1] if entries else None

        entry = await self.until(newest)
        assert entry is not None
        return entry

    async def until(self, condition: Callable[[], Awaitable[T]], patience: float = PATIENCE) -> T:
        """What `condition` answers once that is true. It is asked again at every change in the database.

        Raises TimeoutError, with a note on what stands still.
        """
        changed = asyncio.Event()
        listener = await asyncpg.connect(self.settings.database_url.get_secret_value())
        try:
            await listener.add_listener("test_change", lambda *_: changed.set())
            async with asyncio.timeout(patience):
                while True:
                    changed.clear()
                    answer = await condition()
                    if answer:
                        return answer
                    await changed.wait()
        except TimeoutError as error:
            error.add_note(await what_stands_still(listener))
            raise
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


@asynccontextmanager
async def own_scene(
    database_url: str, bootstrap: str, erps: Mapping[str, SandboxProcess], partitions: int = 2
) -> AsyncIterator[Scene]:
    """A scene on services of the test's own. The database is migrated already."""
    from tests.conftest import CHANGE_SIGNALS

    settings = scene_settings(database_url, bootstrap, f"o{secrets.token_hex(4)}-", dict(erps))
    topics = [settings.approvals_topic, settings.toggles_topic, settings.dead_letter_topic, settings.outcomes_topic]
    await create_topics(bootstrap, dict.fromkeys(topics, partitions), {"max.message.bytes": str(LONGEST_RECORD)})
    pool = await open_pool(database_url)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=LONGEST_RECORD)
    await producer.start()
    try:
        async with pool.acquire() as connection:
            await connection.execute(CHANGE_SIGNALS)
        yield Scene(settings, pool, producer, dict(erps))
    finally:
        await producer.stop()
        pool.terminate()


@asynccontextmanager
async def own_database() -> AsyncIterator[PostgresCluster]:
    """A migrated PostgreSQL of the test's own, so that it may crash."""
    machine = await asyncio.to_thread(probe, os.environ)
    programs = machine.postgresql or machine.embedded_postgresql
    assert programs is not None
    async with RunFolder.open() as folder, PostgresCluster.start(folder, programs, durable=True) as cluster:
        connection = await asyncpg.connect(cluster.dsn)
        try:
            await migrate(connection)
        finally:
            await connection.close()
        yield cluster


@asynccontextmanager
async def own_brokers(number: int = 1, *, with_detours: bool = False) -> AsyncIterator[KafkaCluster]:
    """Brokers of the test's own, so that they may be killed."""
    machine = await asyncio.to_thread(probe, os.environ)
    java = machine.java.program if machine.java else Path("java")
    async with RunFolder.open() as folder:
        jars = await kafka_jars.fetch(folder, machine.maven or Path("mvn"))
        async with KafkaCluster.start(
            folder, brokers=number, jars=jars, java=java, with_detours=with_detours
        ) as cluster:
            yield cluster


def scene_settings(database_url: str, bootstrap: str, prefix: str, erps: dict[str, SandboxProcess]) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=bootstrap,
        kafka_group_id=f"{prefix}group",
        approvals_topic=f"{prefix}approved",
        toggles_topic=f"{prefix}toggled",
        dead_letter_topic=f"{prefix}dead-letter",
        outcomes_topic=f"{prefix}outcome",
        credentials_key=SecretStr(base64.b64encode(KEY).decode()),
        erp_allowed_hosts=frozenset(allowed_host(erp) for erp in erps.values()),
        http_port=0,
        lease_seconds=10.0,
        poll_seconds=1.0,
        log_format="console",
    )


async def ready(worker: Worker) -> None:
    """Returns once the worker waits for nothing more; asked as whoever asks /readyz does."""
    async with asyncio.timeout(PATIENCE):
        while worker.waits_for():  # noqa: ASYNC110  # partitions are assigned by the broker, which tells only the client
            await asyncio.sleep(0.02)


def _one_each(kind: str, more: Mapping[str, object]) -> Mapping[str, object]:
    return {"vouchers_per_request": 1, **more} if kind == "xledger" and "concurrency" in more else more
