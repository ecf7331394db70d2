"""The broker and the database of one run: decided, started together, ended together."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg

from deploy.local import kafka_jars
from deploy.local.choice import Choices, Purpose, Source, decide
from deploy.local.database import PostgresCluster, PostgresPrograms
from deploy.local.embedded_broker import embedded_broker
from deploy.local.kafka_broker import KafkaCluster
from deploy.local.machine import Machine, probe
from deploy.local.processes import ServiceError, accepts_connections
from deploy.local.run_folder import RunFolder
from deploy.local.topics import create_topics

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a caller asked for, handed from step to step."""

    machine: Machine
    choices: Choices
    brokers: int
    durable: bool
    topics: Mapping[str, int]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Broker:
    """`cluster` is there when this run started real brokers itself: they can be killed and restarted."""

    bootstrap_servers: str
    cluster: KafkaCluster | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """`url`: a DSN of a superuser or owner. `cluster` as with the broker."""

    url: str
    cluster: PostgresCluster | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """What is up. `folder` takes further programs; they end with it."""

    choices: Choices
    folder: RunFolder
    broker: Broker
    database: Database

    @property
    def bootstrap_servers(self) -> str:
        return self.broker.bootstrap_servers

    @property
    def database_url(self) -> str:
        return self.database.url

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        purpose: Purpose,
        *,
        brokers: int = 1,
        topics: Mapping[str, int] | None = None,
        durable: bool | None = None,
        tell: Tell = print,
        environ: Mapping[str, str] = os.environ,
    ) -> AsyncIterator[Self]:
        """Both services, usable, with `topics` (`{name: partitions}`) made. Leaving it ends everything.

        `durable`: by default for "run" alone. There SIGTERM leaves in order too, as Ctrl-C does (status 143).
        Raises MissingError (nothing here can serve) and ServiceError (it did not start).
        """
        machine = await asyncio.to_thread(probe, environ)
        choices = decide(machine, purpose, environ, brokers=brokers)
        tell(choices.broker.why)
        tell(choices.database.why)
        durable = purpose == "run" if durable is None else durable
        wanted = _Wanted(machine, choices, brokers, durable, topics or {}, tell)
        async with AsyncExitStack() as stack:
            if purpose == "run":
                stack.enter_context(_leaving_on_sigterm())
            folder = await stack.enter_async_context(RunFolder.open())
            broker, database = await _start_both(stack, folder, wanted)
            yield cls(choices, folder, broker, database)


async def _start_both(stack: AsyncExitStack, folder: RunFolder, wanted: _Wanted) -> tuple[Broker, Database]:
    """At once: each takes seconds, mostly on its own. The first failure cancels the other."""
    try:
        async with asyncio.TaskGroup() as group:
            broker = group.create_task(stack.enter_async_context(_broker(folder, wanted)))
            database = group.create_task(stack.enter_async_context(_database(folder, wanted)))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return broker.result(), database.result()


@asynccontextmanager
async def _broker(folder: RunFolder, wanted: _Wanted) -> AsyncIterator[Broker]:
    async with _broker_source(folder, wanted) as broker:
        if wanted.choices.broker.source is not Source.EMBEDDED:  # the mock makes topics at its start alone
            await create_topics(broker.bootstrap_servers, wanted.topics)
        yield broker


def _broker_source(folder: RunFolder, wanted: _Wanted) -> AbstractAsyncContextManager[Broker]:
    match wanted.choices.broker.source:
        case Source.ENVIRONMENT:
            return _given_broker(wanted)
        case Source.DOCKER:
            return _docker_broker()
        case Source.PROGRAMS:
            return _kafka_broker(folder, wanted)
        case Source.EMBEDDED:
            return _embedded_broker(folder, wanted)


@asynccontextmanager
async def _given_broker(wanted: _Wanted) -> AsyncIterator[Broker]:
    addresses = wanted.machine.bootstrap_servers or ""
    if not await asyncio.to_thread(_any_answers, addresses):
        raise ServiceError(f"No broker answers at {addresses} (SYNC_KAFKA_BOOTSTRAP_SERVERS).")
    yield Broker(addresses)


@asynccontextmanager
async def _docker_broker() -> AsyncIterator[Broker]:
    from deploy.local.docker import kafka_container  # noqa: PLC0415 -- 0.2 s that only Docker needs

    async with kafka_container() as bootstrap_servers:
        yield Broker(bootstrap_servers)


@asynccontextmanager
async def _kafka_broker(folder: RunFolder, wanted: _Wanted) -> AsyncIterator[Broker]:
    machine = wanted.machine
    java = machine.java.program if machine.java else Path("java")
    jars = await kafka_jars.fetch(folder, machine.maven or Path("mvn"), tell=wanted.tell)
    async with KafkaCluster.start(folder, brokers=wanted.brokers, jars=jars, java=java) as cluster:
        yield Broker(cluster.bootstrap_servers, cluster)


@asynccontextmanager
async def _embedded_broker(folder: RunFolder, wanted: _Wanted) -> AsyncIterator[Broker]:
    async with embedded_broker(folder, wanted.topics) as bootstrap_servers:
        yield Broker(bootstrap_servers)


def _database(folder: RunFolder, wanted: _Wanted) -> AbstractAsyncContextManager[Database]:
    match wanted.choices.database.source:
        case Source.ENVIRONMENT:
            return _given_database(wanted)
        case Source.DOCKER:
            return _docker_database()
        case Source.PROGRAMS:
            return _new_database(folder, wanted.machine.postgresql, wanted)
        case Source.EMBEDDED:
            return _new_database(folder, wanted.machine.embedded_postgresql, wanted)


@asynccontextmanager
async def _given_database(wanted: _Wanted) -> AsyncIterator[Database]:
    url = wanted.machine.database_url or ""
    try:
        await (await asyncpg.connect(url, timeout=10)).close()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Only the kind of error: its text may quote the address, and with it the password.
        raise ServiceError(f"The database in SYNC_DATABASE_URL refuses: {type(error).__name__}.") from None
    yield Database(url)


@asynccontextmanager
async def _docker_database() -> AsyncIterator[Database]:
    from deploy.local.docker import postgres_container  # noqa: PLC0415 -- 0.2 s that only Docker needs

    async with postgres_container() as url:
        yield Database(url)


@asynccontextmanager
async def _new_database(
    folder: RunFolder, programs: PostgresPrograms | None, wanted: _Wanted
) -> AsyncIterator[Database]:
    if programs is None:
        raise AssertionError("decide() does not choose what is not there")
    async with PostgresCluster.start(folder, programs, durable=wanted.durable) as cluster:
        yield Database(cluster.dsn, cluster)


def _any_answers(addresses: str) -> bool:
    return any(_answers(*address.strip().rpartition(":")[::2]) for address in addresses.split(","))


def _answers(host: str, port: str) -> bool:
    return port.isdecimal() and accepts_connections(int(port), host.strip("[]"), timeout=5)


@contextmanager
def _leaving_on_sigterm() -> Iterator[None]:
    """Make SIGTERM cancel this task, as asyncio.run does with Ctrl-C, and end with status 143."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    told: list[bool] = []

    def leave() -> None:
        told.append(True)
        if task:
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, leave)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
