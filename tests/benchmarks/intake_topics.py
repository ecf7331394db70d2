"""The topics of the intake benchmark: filled once, read by every subject with a group of its own."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import Producer

from deploy.local.topics import create_topics
from tests.benchmarks.ground import Ground

PARTITIONS = 6
ORGANIZATIONS = 500
APPROVED = "reimbursement.approved.v1"
BAD_ONE_IN = 10
VALUE = (
    '{"organization_id":"%s","reimbursement_id":"R-2026-%07d","approved_at":"2026-11-20T09:12:44Z",'
    '"approved_by":"user-17","claimant":{"id":"peer-4711","number":"10023"},"currency":"NOK","total":"%s",'
    '"description":"Peer meeting in Lillehammer, with a visit to two of our chapters","lines":[{"line_id":"1",'
    '"expense_type":"travel","expense_date":"2026-11-03","amount":"250.00","description":"Train",'
    '"dimensions":{"department":"10"}}]}'
)
FLUSH_SECONDS = 120
POLLS_EVERY = 10_000


class Message(NamedTuple):
    key: str
    value: str
    event_type: str | None = APPROVED
    """None: no CloudEvent at all."""


def approvals(records: int) -> Iterator[Message]:
    """Events of 440 bytes, the organisations in turn."""
    for number in range(records):
        yield _approval(number)


def approvals_with_bad_ones(records: int) -> Iterator[Message]:
    """Every tenth is bad, each in another way than the bad one before."""
    for number in range(records):
        spoil = _SPOILERS[number // BAD_ONE_IN % len(_SPOILERS)] if number % BAD_ONE_IN == BAD_ONE_IN - 1 else None
        yield spoil(number) if spoil else _approval(number)


def flat_approvals(records: int) -> Iterator[Message]:
    """The same content in the shape that a JDBC sink can store: columns, and the event's own text in one of them."""
    for number in range(records):
        message = _approval(number)
        event = json.loads(message.value)
        columns = {name: event[name] for name in ("organization_id", "reimbursement_id", "approved_at", "currency")}
        flat = {**columns, "total_minor": 25_000, "content": message.value}
        yield message._replace(value=json.dumps(flat, separators=(",", ":")))


async def fill(ground: Ground, topic: str, messages: Iterator[Message]) -> str:
    """A new topic of six partitions with the messages in it; answers its name."""
    await create_topics(ground.services.bootstrap_servers, {topic: PARTITIONS})
    await asyncio.to_thread(_produce, ground.services.bootstrap_servers, topic, messages)
    return topic


def _produce(servers: str, topic: str, messages: Iterator[Message]) -> None:
    """Raises AssertionError where the broker does not take them all."""
    producer = Producer(
        {"bootstrap.servers": servers, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    for number, message in enumerate(messages):
        producer.produce(topic, message.value, message.key, headers=_headers(number, message.event_type))
        if number % POLLS_EVERY == 0:
            while len(producer) > 10 * POLLS_EVERY:
                producer.poll(0.1)
    assert producer.flush(FLUSH_SECONDS) == 0, f"The broker has not taken all messages of {topic}."


def _headers(number: int, event_type: str | None) -> list[tuple[str, str | bytes | None]]:
    if event_type is None:
        return [("content-type", "application/json")]
    return [
        ("ce_specversion", "1.0"),
        ("ce_id", f"event-{number}"),
        ("ce_source", "/expenses"),
        ("ce_type", event_type),
        ("content-type", "application/json"),
    ]


def _approval(number: int, total: str = "250.00") -> Message:
    organization = f"org-{number % ORGANIZATIONS:03}"
    return Message(organization, VALUE % (organization, number, total))


def _cut_short(number: int) -> Message:
    message = _approval(number)
    return message._replace(value=message.value[:-40])


def _not_an_event(number: int) -> Message:
    return _approval(number)._replace(event_type=None)


def _of_unknown_type(number: int) -> Message:
    return _approval(number)._replace(event_type="reimbursement.approved.v9")


def _not_adding_up(number: int) -> Message:
    return _approval(number, "251.00")


def _with_a_foreign_key(number: int) -> Message:
    return _approval(number)._replace(key="org-of-nobody")


def _conflicting(number: int) -> Message:
    """Another amount under the id of the record before, which lies in the same partition of the same organisation."""
    before = _approval(number - 1)
    return before._replace(value=before.value.replace('"250.00"', '"199.00"'))


_SPOILERS: tuple[Callable[[int], Message], ...] = (
    _cut_short,
    _not_an_event,
    _of_unknown_type,
    _not_adding_up,
    _with_a_foreign_key,
    _conflicting,
)
