"""The same two services as containers, where a Docker engine answers.

Imported as `deploy.local.docker`; never put this folder on sys.path, or it hides the `docker` package.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from deploy.local.database import DATABASE, OWNER
from deploy.local.kafka_jars import KAFKA_VERSION
from deploy.local.processes import ServiceError, free_port

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
POSTGRES_IMAGE = "postgres:17"
START_SECONDS = 180
KAFKA_PORT = 9092

Container = TypeVar("Container", bound=DockerContainer)
Result = TypeVar("Result")


@asynccontextmanager
async def kafka_container() -> AsyncIterator[str]:
    """Its bootstrap address. Raises ServiceError."""
    port = free_port()
    async with _running(lambda: _kafka(port)):
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def postgres_container() -> AsyncIterator[str]:
    """The DSN of its owner, who is its superuser. Raises ServiceError."""
    async with _running(_postgres) as container:
        yield container.get_connection_url(driver=None)


def _kafka(port: int) -> DockerContainer:
    # testcontainers' own KafkaContainer starts Confluent's image only: its script is not in Apache's.
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(KAFKA_PORT, port)
    for name, value in _kafka_settings(port).items():
        container.with_env(f"KAFKA_{name}", value)
    ready = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_SECONDS)
    return container.waiting_for(ready)


def _kafka_settings(port: int) -> dict[str, str]:
    """The image takes none of its defaults once one setting is given."""
    return {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENERS": f"PLAINTEXT://:{KAFKA_PORT},CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "MESSAGE_MAX_BYTES": str(3 * 1024 * 1024),
    }


def _postgres() -> PostgresContainer:
    container = PostgresContainer(POSTGRES_IMAGE, username=OWNER, password=secrets.token_urlsafe(24), dbname=DATABASE)
    return container.with_command("-c max_connections=200 -c timezone=UTC")


@asynccontextmanager
async def _running(make: Callable[[], Container]) -> AsyncIterator[Container]:
    """Cancelled in a pull, the thread goes on; what it then starts falls to testcontainers' own reaper."""
    container = _translated("be asked for a container", make)
    try:
        await asyncio.to_thread(_translated, f"start {container.image}", container.start)
        yield container
    finally:
        await asyncio.to_thread(container.stop)


def _translated(purpose: str, work: Callable[[], Result]) -> Result:
    try:
        return work()
    except Exception as error:  # the client, urllib3 and the engine each raise their own
        raise ServiceError(f"Docker could not {purpose}: {error}") from error
