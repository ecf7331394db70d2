"""The outbox: published in order, at least once, forgotten only once the broker has it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from deploy.local.topics import create_topics
from schemas.cloudevent import decode
from schemas.outcome import OutcomeEvent, ReimbursementRejected
from tests.events import Message, approval
from tests.integration.worker.rows import take_in
from tests.scene import PATIENCE, Scene
from worker.kafka import make_producer
from worker.outbox import MOST_AT_ONCE, OutboxPublisher
from worker.store import outbox
from worker.store.database import Connection, acquire, transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")

Records = Sequence[ConsumerRecord[bytes, bytes]]


def _event(reimbursement_id: str = "R-1", attempt: int = 1) -> OutcomeEvent:
    return ReimbursementRejected(
        organization_id="hlf",
        reimbursement_id=reimbursement_id,
        connector="xledger",
        attempt=attempt,
        code="closed_period",
        message="2025 is closed.",
    )


async def _write(scene: Scene, *events: OutcomeEvent) -> None:
    async with transaction(scene.pool) as connection:
        for event in events:
            await outbox.write(connection, event)


def _publisher(scene: Scene) -> OutboxPublisher:
    return OutboxPublisher(
        scene.pool,
        partial(make_producer, scene.settings),
        outcomes_topic=scene.settings.outcomes_topic,
        dead_letter_topic=scene.settings.dead_letter_topic,
        poll=timedelta(seconds=1),
    )


@asynccontextmanager
async def _producing(scene: Scene) -> AsyncIterator[AIOKafkaProducer]:
    producer = make_producer(scene.settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _publish(scene: Scene) -> int:
    async with _producing(scene) as producer:
        return await _publisher(scene)._run_once(producer)


async def _read(scene: Scene, topic: str) -> Records:
    """Everything that stands on the topic now, partition by partition in its order."""
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(bootstrap_servers=scene.settings.kafka_bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(2)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord[bytes, bytes]] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        return found
    finally:
        await consumer.stop()


async def _left(scene: Scene) -> int:
    count: int = await scene.value("select count(*) from outbox")
    return count


async def test_events_are_published_in_their_order_and_then_forgotten(scene: Scene) -> None:
    await _write(scene, *[_event(f"R-{number % 3}", number) for number in range(30)])
    assert await _publish(scene) == 30
    assert await _left(scene) == 0
    attempts = [json.loads(record.value or b"")["attempt"] for record in await _read(scene, _outcomes(scene))]
    assert attempts == list(range(30))


def _outcomes(scene: Scene) -> str:
    return scene.settings.outcomes_topic


async def test_an_outcome_is_a_cloudevent_keyed_by_its_organisation(scene: Scene) -> None:
    await _write(scene, _event())
    event_id = str(await scene.value("select event_id from outbox"))
    await _publish(scene)
    record = (await _read(scene, _outcomes(scene)))[0]
    assert record.key == b"hlf"
    sdk = from_binary(KafkaMessage(dict(record.headers), record.key, record.value or b""), JSONFormat())
    assert (sdk.get_id(), sdk.get_type()) == (event_id, "reimbursement.rejected.v1")
    own = decode(record.value, record.headers)
    assert (own.id, own.source, own.type) == (event_id, "accounting-sync", "reimbursement.rejected.v1")
    _check(own.type, json.loads(own.data))


def _check(event_type: str, data: object) -> None:
    """Against the published JSON Schema. Raises `jsonschema.ValidationError`."""
    schema: dict[str, Any] = json.loads(files("schemas").joinpath(f"published/{event_type}.schema.json").read_text())
    jsonschema.validate(data, schema)


async def test_every_event_of_a_whole_story_suits_its_published_schema(scene: Scene) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.approve(approval("O-1"), approval("O-bad", claimant={"id": "nobody"}))
        await scene.counted("item", 2)
        await scene.switch(True)
        await scene.all_synced("O-1")
        await scene.all_in("rejected", "O-bad")
        await scene.until(partial(_run_is_over, scene))
        await scene.switch(False)
        await scene.until(partial(_is_empty, scene))
    events = [decode(record.value, record.headers) for record in await _read(scene, _outcomes(scene))]
    for event in events:
        _check(event.type, json.loads(event.data))
    assert {event.type for event in events} == {
        "connector.changed.v1", "reimbursement.synced.v1", "reimbursement.rejected.v1", "sync_run.finished.v1",
    }  # fmt: skip
    assert [json.loads(e.data)["phase"] for e in events if e.type == "connector.changed.v1"] == ["on", "off"]


async def _is_empty(scene: Scene) -> bool:
    return await _left(scene) == 0


async def _run_is_over(scene: Scene) -> bool:
    return bool(await scene.value("select bool_and(finished_at is not null) from sync_run"))


async def test_what_the_broker_has_not_acknowledged_is_kept_and_published_again_with_the_same_id(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write(scene, _event("R-1"), _event("R-2"))

    async def die(_connection: Connection, _ids: Sequence[int]) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "forget", die)
        with pytest.raises(RuntimeError):
            await _publish(scene)
    assert await _left(scene) == 2
    await _publish(scene)
    ids = [dict(record.headers)["ce_id"] for record in await _read(scene, _outcomes(scene))]
    assert ids[:2] == ids[2:]
    assert len(ids) == 4


async def test_a_broker_that_refuses_costs_nothing_and_nothing_is_forgotten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write(scene, _event())
    async with _producing(scene) as producer:

        async def refuse(*_: object, **__: object) -> None:
            raise KafkaConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(producer, "send", refuse)
            with pytest.raises(KafkaConnectionError):
                await _publisher(scene)._run_once(producer)
    assert await _left(scene) == 1


async def test_two_publishers_keep_the_order_and_publish_each_event_once(scene: Scene) -> None:
    count = MOST_AT_ONCE + 200
    await _write(scene, *[_event("R-1", number) for number in range(count)])
    async with _producing(scene) as one, _producing(scene) as other:
        await asyncio.gather(_drain(scene, one), _drain(scene, other))
    attempts = [json.loads(record.value or b"")["attempt"] for record in await _read(scene, _outcomes(scene))]
    assert attempts == list(range(count))


async def _drain(scene: Scene, producer: AIOKafkaProducer) -> None:
    while await _left(scene):
        await _publisher(scene)._run_once(producer)


async def test_an_event_of_a_transaction_that_is_rolled_back_is_never_published(scene: Scene) -> None:
    with pytest.raises(RuntimeError):
        await _write_and_fail(scene)
    await _write(scene, _event("R-done"))
    await _publish(scene)
    values = [json.loads(record.value or b"") for record in await _read(scene, _outcomes(scene))]
    assert [value["reimbursement_id"] for value in values] == ["R-done"]


async def _write_and_fail(scene: Scene) -> None:
    async with transaction(scene.pool) as connection:
        await outbox.write(connection, _event("R-undone"))
        raise RuntimeError


async def test_a_dead_letter_carries_the_original_record_and_why(scene: Scene) -> None:
    original = Message(b"hlf", b"\xff not json", [("content-type", b"application/json"), ("x", b"1"), ("x", b"2")])
    await take_in(scene.pool, original)
    await _publish(scene)
    record = (await _read(scene, scene.settings.dead_letter_topic))[0]
    row = (await scene.fetch("select * from dead_letter"))[0]
    assert (record.key, record.value) == (original.key, original.value)
    assert list(record.headers) == [
        *original.headers,
        ("dl_reason", row["reason"].encode()),
        ("dl_detail", row["detail"].encode()),
        ("dl_topic", b"approved"),
        ("dl_partition", b"0"),
        ("dl_offset", str(row["kafka_offset"]).encode()),
    ]
    assert await _left(scene) == 0


@pytest.mark.parametrize(("key", "value"), [(b"hlf", None), (None, b"")], ids=["with a key", "without a key"])
async def test_a_tombstone_is_a_dead_letter_and_holds_up_nothing(
    scene: Scene, key: bytes | None, value: bytes | None
) -> None:
    """aiokafka sends no record that has neither: there the value is empty."""
    await take_in(scene.pool, Message(key, None, approval("R-1").headers))
    await _publish(scene)
    record = (await _read(scene, scene.settings.dead_letter_topic))[0]
    assert (record.key, record.value) == (key, value)
    assert await _left(scene) == 0


@pytest.mark.parametrize("size", [1_040_000, 1_500_000, 3_200_000], ids=["with headers", "for the topic", "for us"])
async def test_a_record_too_large_for_the_dead_letter_topic_does_not_hold_up_the_outbox(
    scene: Scene, size: int
) -> None:
    """The topic takes 1 MiB as brokers do by default: the letter goes without its value, which the table keeps."""
    small = f"{scene.settings.dead_letter_topic}-small"
    await create_topics(scene.settings.kafka_bootstrap_servers, {small: 2}, {"max.message.bytes": "1048588"})
    headers = [("x", b"y" * 10_000)]
    await take_in(scene.pool, Message(b"hlf", b"x" * size, headers))
    await _write(scene, _event())
    settings = scene.settings.model_copy(update={"dead_letter_topic": small})
    async with _producing(scene) as producer:
        changed = Scene(settings, scene.pool, scene.producer, scene.erps)
        assert await _publisher(changed)._run_once(producer) == 2
    assert await _left(scene) == 0
    letter = (await _read(scene, small))[0]
    assert letter.value is None
    assert dict(letter.headers)["dl_value_omitted"] == b"true"
    assert len(await _read(scene, _outcomes(scene))) == 1
    async with acquire(scene.pool) as connection:
        assert await connection.fetchval("select octet_length(value) from dead_letter") == size


async def test_heavy_dead_letters_are_read_a_few_at_a_time_and_in_their_order(scene: Scene) -> None:
    """However many wait; the one with which it is enough is among them, so that there is always one."""
    heavy = [Message(b"hlf", b"{" + b" " * 1000, approval(f"R-{number}").headers) for number in range(5)]
    await take_in(scene.pool, *heavy)
    await _write(scene, _event())
    async with transaction(scene.pool) as connection:
        told = [
            [one.outbox_id for one in await outbox.next_events(connection, MOST_AT_ONCE, enough)]
            for enough in (1, 1500, 1_000_000)
        ]
        few = await outbox.next_events(connection, 3, 1_000_000)
    assert [len(ids) for ids in told] == [1, 2, 6]
    assert all(ids == told[-1][: len(ids)] for ids in told)
    assert [one.outbox_id for one in few] == told[-1][:3]
