"""Kafka records with header names that are not UTF-8, as a client in C can write them."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from tests.events import Message

ODD = b"\xff\xfename\xe6"
AS_READ = "??name?"
NO_CODEC, GZIP = 0, 1
LARGEST_BATCH = 1024 * 1024


class OddName(str):
    """A name that aiokafka's builder in Python writes as `ODD`."""

    def encode(self, *_: object) -> bytes:
        return ODD


def builder(codec: int = NO_CODEC) -> Any:
    """Of a batch. The one in C takes nothing but a plain `str` as a name."""
    return _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, LARGEST_BATCH)


async def send(producer: AIOKafkaProducer, topic: str, messages: Sequence[Message]) -> None:
    """In one batch."""
    batch = producer.create_batch()
    batch._builder = builder()
    for message in messages:
        assert batch.append(timestamp=None, key=message.key, value=message.value, headers=message.headers)
    batch.close()
    await (await producer.send_batch(batch, topic, partition=0))
