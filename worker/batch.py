"""One batch of Kafka records: each sorted by what it turns out to be, all stored in one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, Protocol

import asyncpg
import structlog

from schemas.dead_letter import DeadLetterReason, NotAcceptedError
from schemas.record import ToggleRecord, read_record
from worker.domain.switching import Actor, Role, Toggle
from worker.store import dead_letters, intake
from worker.store.database import Connection, Pool, transaction
from worker.store.dead_letters import DeadRecord
from worker.store.intake import ItemKey, NewItem, Partition, Tally
from worker.toggles import apply_toggle

log = structlog.get_logger(__name__)

Channel = Literal["approvals", "toggles"]

A_TURN = 50
"""Records that are read before others have their turn: about a millisecond."""

UNSTORABLE = (asyncpg.DataError, asyncpg.InterfaceError, asyncpg.IntegrityConstraintViolationError)
"""What says that a value is at fault: a wrong argument, a value out of range, a constraint."""


class Record(Protocol):
    """A Kafka record as aiokafka gives it, nothing decoded."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Batch:
    """The records of one fetch, sorted by what they turned out to be.

    `expects_copies`: what stands already is asked for before anything is stored, which is cheaper where most does.
    """

    approvals: list[tuple[Record, NewItem]] = field(default_factory=list)
    toggles: list[tuple[Record, ToggleRecord]] = field(default_factory=list)
    dead: list[tuple[Record, DeadRecord]] = field(default_factory=list)
    duplicates: list[Record] = field(default_factory=list)
    expects_copies: bool = False

    @property
    def was_mostly_copies(self) -> bool:
        """Known once it is stored."""
        return 2 * len(self.duplicates) > len(self.approvals)

    def bury(self, record: Record, reason: DeadLetterReason, detail: str, organization_id: str | None = None) -> None:
        self.dead.append((record, _dead(record, reason, detail, organization_id)))

    def add(self, later: "Batch") -> None:
        self.approvals += later.approvals
        self.toggles += later.toggles
        self.dead += later.dead
        self.duplicates += later.duplicates


async def sort_in_turns(records: Sequence[Record], channels: Mapping[str, Channel]) -> Batch:
    """As `sort_records`, with a pause after every few: whoever else waits for this process, most of all the batch
    before, which PostgreSQL has an answer for, is not kept waiting until the last record is read."""
    batch = Batch()
    for start in range(0, len(records), A_TURN):
        batch.add(sort_records(records[start : start + A_TURN], channels))
        await asyncio.sleep(0)
    return batch


async def store_batch(
    pool: Pool, records: Sequence[Record], channels: Mapping[str, Channel], batch: Batch | None = None
) -> dict[Partition, Tally]:
    """Everything the records say, in one transaction. Safe to repeat: each record's effect has a key.

    `batch`: the records, where they are sorted already. A record whose content PostgreSQL refuses must not cost its
    neighbours theirs, nor keep its partition waiting.
    """
    try:
        return await _store_sorted(pool, records, batch or sort_records(records, channels))
    except UNSTORABLE:
        return _sum([await _store_alone(pool, record, channels) for record in records])


async def _store_alone(pool: Pool, record: Record, channels: Mapping[str, Channel]) -> dict[Partition, Tally]:
    try:
        return await _store_sorted(pool, [record], sort_records([record], channels))
    except UNSTORABLE as error:
        batch = Batch()
        batch.bury(record, DeadLetterReason.INVALID_DATA, f"PostgreSQL can't hold it ({type(error).__name__})")
        return await _store_sorted(pool, [record], batch)


async def _store_sorted(pool: Pool, records: Sequence[Record], batch: Batch) -> dict[Partition, Tally]:
    async with transaction(pool) as connection:
        read_through = await intake.lock_positions(connection, _first_offsets(records))
        await _store_approvals(connection, batch)
        await _apply_toggles(connection, batch)
        if batch.dead:
            await dead_letters.bury(connection, [dead for _, dead in batch.dead])
        tallies = _tally(records, batch, read_through)
        await intake.advance_positions(connection, tallies)
    return tallies


def sort_records(records: Sequence[Record], channels: Mapping[str, Channel]) -> Batch:
    """Reads each record by itself: one that can't be read costs its neighbours nothing."""
    batch = Batch()
    for record in records:
        try:
            content = read_record(channels[record.topic], record.key, record.value, record.headers)
        except NotAcceptedError as refusal:
            batch.bury(record, refusal.reason, refusal.detail)
        else:
            if isinstance(content, ToggleRecord):
                batch.toggles.append((record, content))
            else:
                batch.approvals.append((record, NewItem(*content)))
    return batch


async def _store_approvals(connection: Connection, batch: Batch) -> None:
    if not batch.approvals:
        return
    firsts: dict[ItemKey, NewItem] = {}
    for _, item in batch.approvals:
        firsts.setdefault(item.key, item)
    stood = await intake.standing_items(connection, firsts) if batch.expects_copies else {}
    unseen = [item for key, item in firsts.items() if key not in stood]
    if unseen and await intake.accept(connection, unseen) < len(unseen):
        stood |= await intake.standing_items(connection, [item.key for item in unseen])
    if stood or len(firsts) < len(batch.approvals):
        _tell_copies_apart(batch, firsts, stood)
    if len(stood) < len(firsts):
        await intake.wake_lanes(connection, {key[0] for key in firsts if key not in stood})


def _tell_copies_apart(batch: Batch, firsts: Mapping[ItemKey, NewItem], stood: Mapping[ItemKey, bytes]) -> None:
    """A copy of what stands is a duplicate; other content under the same id is a dead letter, and the first stands.

    `stood`: the content hash of what stood before this batch; under any other key stands the batch's own first.
    """
    for record, item in batch.approvals:
        first, standing = firsts[item.key], stood.get(item.key)
        if standing is None and first is item:
            continue
        if (standing or first.content_hash) == item.content_hash:
            batch.duplicates.append(record)
        else:
            detail = f"reimbursement {item.reimbursement_id} was approved before with other content; the first stands"
            batch.bury(record, DeadLetterReason.CONFLICTING_CONTENT, detail, item.organization_id)


async def _apply_toggles(connection: Connection, batch: Batch) -> None:
    """In the order of each partition. Sorted by organisation, so that two workers lock connectors in one order."""
    for record, seen in sorted(batch.toggles, key=lambda pair: pair[1].toggle.organization_id):
        wish = seen.toggle
        content_hash = wish.content_hash()
        known = await intake.remember_toggle(
            connection, wish.organization_id, seen.event_source, seen.event_id, content_hash
        )
        if known is None:
            toggled = await apply_toggle(connection, _toggle(seen), "kafka")
            log.info(
                "toggle_read",
                organization_id=wish.organization_id,
                connector=wish.connector,
                verdict=toggled.decision.verdict,
                phase=toggled.phase,
            )
        elif known == content_hash:
            batch.duplicates.append(record)
        else:
            detail = "this event id was used before with other content; the first stands"
            batch.bury(record, DeadLetterReason.CONFLICTING_CONTENT, detail, wish.organization_id)


def _toggle(seen: ToggleRecord) -> Toggle:
    wish = seen.toggle
    own = frozenset({wish.actor.organization_id}) if wish.actor.organization_id else frozenset()
    return Toggle(
        organization_id=wish.organization_id,
        connector=wish.connector,
        enabled=wish.enabled,
        reason=wish.reason,
        actor=Actor(wish.actor.id, Role(wish.actor.role), own),
        revision=wish.revision,
    )


def _dead(record: Record, reason: DeadLetterReason, detail: str, organization_id: str | None) -> DeadRecord:
    return DeadRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        organization_id=organization_id,
        reason=reason,
        detail=detail,
    )


def _first_offsets(records: Sequence[Record]) -> dict[Partition, int]:
    first: dict[Partition, int] = {}
    for record in records:
        first.setdefault(_partition(record), record.offset)
    return first


def _tally(records: Sequence[Record], batch: Batch, read_through: Mapping[Partition, int]) -> dict[Partition, Tally]:
    """Counts what is read for the first time; a record below its partition's position was counted then."""
    fates = {id(r): "toggles" for r, _ in batch.toggles}
    fates |= {id(r): "dead_letters" for r, _ in batch.dead} | {id(r): "duplicates" for r in batch.duplicates}
    tallies: dict[Partition, Tally] = {}
    for partition, group in groupby(records, key=_partition):
        tally = tallies.setdefault(partition, Tally(next_offset=0))
        known_through = read_through[partition]
        for record in group:
            tally.next_offset = record.offset + 1
            if record.offset < known_through:
                continue
            fate = fates.get(id(record)) if fates else None
            if fate is None:
                tally.approvals += 1
            else:
                setattr(tally, fate, getattr(tally, fate) + 1)
    return tallies


def _partition(record: Record) -> Partition:
    return record.topic, record.partition


def _sum(parts: Sequence[Mapping[Partition, Tally]]) -> dict[Partition, Tally]:
    whole: dict[Partition, Tally] = {}
    for part in parts:
        for partition, tally in part.items():
            total = whole.setdefault(partition, Tally(next_offset=0))
            total.next_offset = max(total.next_offset, tally.next_offset)
            total.approvals += tally.approvals
            total.toggles += tally.toggles
            total.duplicates += tally.duplicates
            total.dead_letters += tally.dead_letters
    return whole
