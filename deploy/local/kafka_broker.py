"""Apache Kafka in KRaft mode from its own jars: one broker, or several for fault tests.

Each node is broker and controller. Quorum voters are static, so that every node can be formatted alone.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiokafka.errors import KafkaError

from deploy.local.processes import Process, Program, ServiceError, free_port, lost_port_race
from deploy.local.run_folder import RunFolder
from deploy.local.topics import admin

START_SECONDS = 60
STOP_SECONDS = 15
TRIES = 3
CLUSTER_ID = "AccountingSyncLocalAAA"  # 22 characters of URL-safe base64, as Kafka wants it
LOG4J = Path(__file__).with_name("kafka") / "log4j2.properties"
# C1 alone and the serial collector: ready in 3.4 s instead of 3.6 to 4.6 (measured, two cores).
JVM_FLAGS = ("-Xms64m", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@dataclass(frozen=True, slots=True)
class Detour:
    """A second way to a broker: who comes by `port` is told that the broker lives at `advertised`, a proxy's port."""

    port: int
    advertised: int


@dataclass(frozen=True, slots=True)
class Node:
    """One broker's place: its ports stay the same over restarts."""

    id: int
    port: int
    controller_port: int
    folder: Path
    detour: Detour | None = None

    @property
    def name(self) -> str:
        return f"kafka-{self.id}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def listeners(self) -> str:
        detour = f",DETOUR://127.0.0.1:{self.detour.port}" if self.detour else ""
        return f"PLAINTEXT://{self.address}{detour}"

    @property
    def advertised_listeners(self) -> str:
        detour = f",DETOUR://127.0.0.1:{self.detour.advertised}" if self.detour else ""
        return f"PLAINTEXT://{self.address}{detour}"

    @property
    def voter(self) -> str:
        return f"{self.id}@127.0.0.1:{self.controller_port}"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"


class KafkaCluster:
    """Brokers are numbered from 0, in the order of `bootstrap_servers`."""

    def __init__(self, folder: RunFolder, java: Path, jars: Path, nodes: list[Node]) -> None:
        self._folder = folder
        self._java = java
        self._jars = jars
        self._nodes = nodes
        self._processes: list[Process] = []

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(node.address for node in self._nodes)

    @property
    def brokers(self) -> int:
        return len(self._nodes)

    @property
    def detours(self) -> list[Detour]:
        """Of each broker, where they were asked for."""
        return [node.detour for node in self._nodes if node.detour]

    @classmethod
    @asynccontextmanager
    async def start(
        cls, folder: RunFolder, *, brokers: int = 1, jars: Path, java: Path = Path("java"), with_detours: bool = False
    ) -> AsyncIterator[Self]:
        """A usable cluster: every broker in the metadata, groups can be made. Raises ServiceError.

        `with_detours`: each broker can also be reached through a proxy that the caller runs.
        """
        cluster = await cls._first_start(folder, brokers, jars, java, with_detours)
        try:
            yield cluster
        finally:
            await cluster._kill_all()

    @classmethod
    async def _first_start(cls, folder: RunFolder, brokers: int, jars: Path, java: Path, with_detours: bool) -> Self:
        for attempt in range(TRIES):
            cluster = cls(folder, java, jars, _nodes(folder, brokers, attempt, with_detours))
            try:
                await cluster._bring_up()
            except ServiceError as error:
                await cluster._kill_all()
                if attempt + 1 == TRIES or not lost_port_race(error):
                    raise
            except BaseException:
                await cluster._kill_all()
                raise
            else:
                return cluster
        raise AssertionError("the last try returns or raises")

    async def kill(self, broker: int) -> None:
        """SIGKILL: what it had not yet written to its files is lost."""
        await self._processes[broker].kill()

    async def stop(self, broker: int) -> None:
        """An orderly stop: leadership moves away first."""
        await self._processes[broker].stop(signal.SIGTERM, grace=STOP_SECONDS)

    async def restart(self, broker: int) -> None:
        """Start it again, same ports, same data; returns when it is usable. A majority must be up."""
        await self.stop(broker)
        self._processes[broker] = self._run(self._nodes[broker])
        await self._started(self._processes[broker])
        await self._usable()

    async def pause(self, broker: int) -> None:
        """SIGSTOP: connections stay open and nothing answers, as when a machine hangs."""
        self._processes[broker].send(signal.SIGSTOP)

    async def resume(self, broker: int) -> None:
        self._processes[broker].send(signal.SIGCONT)

    async def _bring_up(self) -> None:
        for node in self._nodes:
            node.properties.write_text(_properties(node, self._nodes))
        await asyncio.gather(*map(self._format, self._nodes))
        self._processes = [self._run(node) for node in self._nodes]
        await asyncio.gather(*map(self._started, self._processes))
        await self._usable()

    async def _format(self, node: Node) -> None:
        arguments = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", node.properties)
        program = self._program(f"{node.name}-format", *arguments)
        await self._folder.start(program).finished(timeout=START_SECONDS)

    def _run(self, node: Node) -> Process:
        return self._folder.start(self._program(node.name, "kafka.Kafka", node.properties))

    def _program(self, name: str, *arguments: str | Path) -> Program:
        flags = (*JVM_FLAGS, f"-Dlog4j2.configurationFile={LOG4J}", "-cp", f"{self._jars}/*")
        return Program(name=name, arguments=[self._java, *flags, *arguments], working_directory=self._folder.path)

    async def _started(self, process: Process) -> None:
        await process.line("Kafka Server started", timeout=START_SECONDS)

    async def _usable(self) -> None:
        """`started` is said before all is known everywhere, and the first group makes an internal topic."""
        deadline = time.monotonic() + START_SECONDS
        running = sum(process.running for process in self._processes)
        while not await _serves_groups(self.bootstrap_servers, running):
            if time.monotonic() > deadline:
                raise ServiceError(f"Kafka started but was not usable within {START_SECONDS} s.")
            await asyncio.sleep(0.1)

    async def _kill_all(self) -> None:
        # Not SIGTERM: nothing is kept, and the last nodes of a quorum would wait for a majority that is gone.
        for process in self._processes:
            await process.kill()


def _nodes(folder: RunFolder, brokers: int, attempt: int, with_detours: bool) -> list[Node]:
    return [
        Node(
            number,
            free_port(),
            free_port(),
            folder.make(f"kafka-{number}-{attempt}"),
            Detour(free_port(), free_port()) if with_detours else None,
        )
        for number in range(1, brokers + 1)
    ]


async def _serves_groups(bootstrap_servers: str, brokers: int) -> bool:
    try:
        async with asyncio.timeout(5), admin(bootstrap_servers) as client:
            cluster = await client.describe_cluster()
            await client.find_coordinator("ready")
    except (KafkaError, TimeoutError, OSError):
        return False
    return len(cluster["brokers"]) >= brokers


def _properties(node: Node, nodes: list[Node]) -> str:
    replicas = min(3, len(nodes))
    in_sync = 2 if replicas == 3 else 1  # noqa: PLR2004 -- the usual pair: three copies, two must have it
    settings = {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": ",".join(each.voter for each in nodes),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DETOUR:PLAINTEXT",
        "listeners": f"{node.listeners},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": node.advertised_listeners,
        "log.dirs": node.folder / "data",
        "auto.create.topics.enable": "false",
        "message.max.bytes": 3 * 1024 * 1024,
        "replica.fetch.max.bytes": 3 * 1024 * 1024,
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,  # for tests that kill consumers; the default allows 6 s and more
        # A dead broker is noticed in 4 s, not 9.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4000,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,  # 128 MiB by default, a third of our heap
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
