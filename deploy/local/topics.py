"""Topics of any broker that speaks Kafka's admin protocol."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from deploy.local.processes import ServiceError

COPIES = 3  # of every partition, as far as there are brokers; aiokafka refuses to leave it to the broker


async def create_topics(
    bootstrap_servers: str, topics: Mapping[str, int], configs: Mapping[str, str] | None = None
) -> None:
    """Make those of `{name: partitions}` that are missing, replicated as far as there are brokers.

    Raises ServiceError with the topic and the broker's reason.
    """
    async with admin(bootstrap_servers) as client:
        there = set(await client.list_topics())
        copies = min(COPIES, len((await client.describe_cluster())["brokers"]))
        missing = [
            NewTopic(name, partitions, copies, topic_configs=dict(configs or {}))
            for name, partitions in topics.items()
            if name not in there
        ]
        for name, code, *_ in (await client.create_topics(missing)).topic_errors if missing else ():
            _accept(name, code)


def _accept(topic: str, code: int) -> None:
    error = for_code(code)
    if code and error is not TopicAlreadyExistsError:
        raise ServiceError(f"The broker did not make topic {topic}: {error.__name__}.")


@asynccontextmanager
async def admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await client.start()
        yield client
    finally:
        await client.close()
