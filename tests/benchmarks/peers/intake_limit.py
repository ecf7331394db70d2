"""The limits: aiokafka's getmany, one bulk insert, the offsets after it.

python intake_limit.py raw|typed BOOTSTRAP_SERVERS TOPIC GROUP DATABASE_URL

`raw` (limit A) stores bytes that nobody has looked at, in a table without a key. `typed` (limit B) validates each
event and stores typed columns under a key. Neither keeps bad records, tells conflicts, or says whom it concerns.
"""

import gc
import sys
from collections.abc import Sequence

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer
from intake_event import BATCH, INSERT_MANY, Approval, columns, row_of

INSERT_RAW = "insert into record (value) select unnest($1::bytea[])"
read = Approval.__pydantic_validator__.validate_json


async def write_raw(connection: asyncpg.Connection, values: Sequence[bytes]) -> None:
    await connection.execute(INSERT_RAW, values)


async def write_typed(connection: asyncpg.Connection, values: Sequence[bytes]) -> None:
    await connection.execute(INSERT_MANY, *columns([row_of(read(value), value) for value in values]))


WRITERS = {"raw": write_raw, "typed": write_typed}


async def run(what: str, servers: str, topic: str, group: str, url: str) -> None:
    write = WRITERS[what]
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    connection = await asyncpg.connect(url)
    async with consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=500, max_records=BATCH)
            if values := [record.value for records in fetched.values() for record in records]:
                await write(connection, values)
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in fetched.items()})


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000)
    uvloop.run(run(*sys.argv[1:]))
