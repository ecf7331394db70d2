"""FastStream, as its documentation shows it: a handler with a typed argument, by batch or by message.

python intake_faststream.py batch|message BOOTSTRAP_SERVERS TOPIC GROUP DATABASE_URL

It validates by the argument's type and acknowledges after the handler; a key absorbs duplicates. A bad record fails
its whole batch.
"""

import logging
import sys

import asyncpg
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from intake_event import BATCH, INSERT_MANY, INSERT_ONE, Approval, columns, row_of


async def run(what: str, servers: str, topic: str, group: str, url: str) -> None:
    broker = KafkaBroker(servers, log_level=logging.WARNING)
    pool = await asyncpg.create_pool(url)
    subscribe = {"group_id": group, "auto_offset_reset": "earliest", "ack_policy": AckPolicy.ACK}

    async def store_batch(approvals: list[Approval], message: KafkaMessage) -> None:
        pairs = zip(approvals, message.raw_message, strict=True)
        await pool.execute(INSERT_MANY, *columns([row_of(approval, record.value) for approval, record in pairs]))

    async def store(approval: Approval, message: KafkaMessage) -> None:
        await pool.execute(INSERT_ONE, *row_of(approval, message.raw_message.value))

    if what == "batch":
        broker.subscriber(topic, batch=True, max_records=BATCH, **subscribe)(store_batch)
    else:
        broker.subscriber(topic, **subscribe)(store)
    await FastStream(broker).run()


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))
