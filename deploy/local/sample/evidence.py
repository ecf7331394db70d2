"""What is there after the sample, read at its four places: PostgreSQL, both ERPs' ledger files, the two topics out."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from deploy.local.processes import ServiceError
from deploy.local.sample.stack import Stack
from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.sandboxes.ledger import LedgerLine
from schemas.currency import amount_text

TOPIC_SECONDS = 60

Item = tuple[str, str]
"""Organisation and reimbursement."""

ITEMS = """
select organization_id, reimbursement_id, state, total_minor, currency, approved_at, received_at, connector, reference,
       document_number
from item order by organization_id, seq
"""
STEPS = """
select organization_id, reimbursement_id, outcome as what, code, recorded_at as at from attempt_entry
union all
select organization_id, detail->>'reimbursement_id', change, null, at from sync_log where change = 'item_retried'
order by at
"""
LOG = """
select at, actor, organization_id, connector, change, new_state, reason, detail
from sync_log order by at, organization_id, entry_no
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an item: an attempt's outcome, or a person's retry."""

    what: str
    code: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredItem:
    """As PostgreSQL has it."""

    key: Item
    state: str
    total: Decimal
    currency: str
    approved_at: datetime
    received_at: datetime
    connector: str | None
    reference: str | None
    document: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """An entry of an organisation's sync log."""

    at: datetime
    actor: str
    organization: str
    connector: str | None
    change: str
    new_state: str | None
    reason: str | None

    @property
    def short(self) -> str:
        words = (f"{self.actor}:", self.change, self.connector, self.new_state)
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the outcomes topic tells, each event once: the documents of what was synced, and how many of a type."""

    documents: Mapping[Item, str]
    types: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. Times of ledger lines are by PostgreSQL's clock, so that they compare with the sync log's."""

    items: Sequence[StoredItem]
    ledgers: Mapping[Erp, Sequence[LedgerLine]]
    log: Sequence[LogLine]
    duplicates: int
    dead_letters: Mapping[str, int]
    told_dead_letters: Mapping[str, int]
    outcomes: Outcomes


async def collect(stack: Stack, database: asyncpg.Connection) -> Evidence:
    servers, topics = stack.services.bootstrap_servers, stack.topics
    ahead = await _clock_ahead(database)
    outcomes = await _read_topic(servers, topics.outcomes)
    dead = await _read_topic(servers, topics.dead_letters)
    return Evidence(
        items=await _items(database),
        ledgers={erp: _ledger(process, ahead) for erp, process in stack.erps.items()},
        log=[_log_line(row) for row in await database.fetch(LOG)],
        duplicates=await database.fetchval("select coalesce(sum(duplicates), 0)::int from intake_position"),
        dead_letters=Counter([row["reason"] for row in await database.fetch("select reason from dead_letter")]),
        told_dead_letters=Counter([_header(record, "dl_reason") for record in dead]),
        outcomes=_outcomes(outcomes),
    )


async def _clock_ahead(database: asyncpg.Connection) -> timedelta:
    """How far PostgreSQL's clock, which dates the sync log, is ahead of ours: it may run on another machine."""
    before = datetime.now(UTC)
    theirs: datetime = await database.fetchval("select clock_timestamp()")
    return theirs - (before + (datetime.now(UTC) - before) / 2)


def _ledger(process: SandboxProcess, ahead: timedelta) -> list[LedgerLine]:
    return [line.model_copy(update={"at": line.at + ahead}) for line in process.ledger_on_disk()]


async def _items(database: asyncpg.Connection) -> list[StoredItem]:
    steps: dict[Item, list[Step]] = {}
    for row in await database.fetch(STEPS):
        key = (row["organization_id"], row["reimbursement_id"])
        steps.setdefault(key, []).append(Step(row["what"], row["code"], row["at"]))
    return [_item(row, steps) for row in await database.fetch(ITEMS)]


def _item(row: asyncpg.Record, steps: Mapping[Item, Sequence[Step]]) -> StoredItem:
    key = (row["organization_id"], row["reimbursement_id"])
    return StoredItem(
        key=key,
        state=row["state"],
        total=Decimal(amount_text(row["total_minor"], row["currency"])),
        currency=row["currency"],
        approved_at=row["approved_at"],
        received_at=row["received_at"],
        connector=row["connector"],
        reference=row["reference"],
        document=row["document_number"],
        steps=tuple(steps.get(key, ())),
    )


def _log_line(row: asyncpg.Record) -> LogLine:
    answer = json.loads(row["detail"]).get("answer")
    return LogLine(
        at=row["at"],
        actor=row["actor"],
        organization=row["organization_id"],
        connector=row["connector"],
        change=row["change"],
        new_state=row["new_state"],
        reason=f"{row['reason']} → {answer}" if answer else row["reason"],
    )


def _outcomes(records: Sequence[ConsumerRecord]) -> Outcomes:
    """Told at least once, so an event may be there twice; its id tells."""
    events = {UUID(_header(record, "ce_id")): record for record in records}
    documents: dict[Item, str] = {}
    for record in events.values():
        if _header(record, "ce_type") == "reimbursement.synced.v1":
            data = json.loads(record.value)
            documents[data["organization_id"], data["reimbursement_id"]] = data["document"]["number"]
    return Outcomes(documents, Counter([_header(record, "ce_type") for record in events.values()]))


def _header(record: ConsumerRecord, name: str) -> str:
    return next((value.decode() for header, value in record.headers if header == name), "")


async def _read_topic(bootstrap_servers: str, topic: str) -> list[ConsumerRecord]:
    """Everything that is in the topic now. Raises ServiceError where that takes too long."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(TOPIC_SECONDS):
            await consumer.start()
            return await _to_the_end(consumer)
    except TimeoutError:
        raise ServiceError(f"The topic {topic} could not be read within {TOPIC_SECONDS} s.") from None
    finally:
        await consumer.stop()


async def _to_the_end(consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
    found: list[ConsumerRecord] = []
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=200)
        found += [record for records in fetched.values() for record in records]
    return found
