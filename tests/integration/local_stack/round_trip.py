"""A producer and a consumer as the worker uses them: keys, headers, empty values, manual commits."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

SECONDS = 60


async def produce(bootstrap_servers: str, topic: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    async with asyncio.timeout(SECONDS), producer:
        for key, value in records:
            await producer.send_and_wait(topic, key=key, value=value, headers=[("ce_id", key)])


async def consume(
    bootstrap_servers: str, topic: str, count: int, *, session_timeout_ms: int = 10_000
) -> list[ConsumerRecord]:
    """The next `count` records of the group, committed one past the last of each partition."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        group_id="group",
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=500,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: list[ConsumerRecord] = []
    async with asyncio.timeout(SECONDS), consumer:
        while len(found) < count:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                found += records
                await consumer.commit({partition: records[-1].offset + 1})
    return found
