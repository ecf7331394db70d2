"""aiokafka by message, as its documentation shows a manual commit: one insert and one commit for each record.

python intake_aiokafka.py message BOOTSTRAP_SERVERS TOPIC GROUP DATABASE_URL

It validates, and a key absorbs duplicates; a bad record ends it.
"""

import sys

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from intake_event import INSERT_ONE, Approval, row_of


async def run(servers: str, topic: str, group: str, url: str) -> None:
    connection = await asyncpg.connect(url)
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        async for record in consumer:
            row = row_of(Approval.model_validate_json(record.value), record.value)
            await connection.execute(INSERT_ONE, *row)
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[2:]))
