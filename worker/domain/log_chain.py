"""The hash chain of the sync log: each entry's hash covers its content and the hash before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.domain.sentences import Sentence, say

START = bytes(32)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What is on record: who changed what, and what it is now. `at` is aware, to the microsecond."""

    organization_id: str
    entry_no: int
    at: datetime
    actor: str
    actor_role: str
    source: str
    connector: str | None
    change: str
    new_state: str | None
    reason: str | None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry as it is stored, with its link."""

    entry: LogEntry
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where an organisation's chain ends by its head row, or as far as it was followed."""

    entry_no: int
    hash: bytes


BEGINNING = ChainEnd(0, START)


def entry_hash(entry: LogEntry, previous: bytes) -> bytes:
    content = [
        entry.organization_id,
        entry.entry_no,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor,
        entry.actor_role,
        entry.source,
        entry.connector,
        entry.change,
        entry.new_state,
        entry.reason,
        entry.detail,
    ]
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


def follow(entries: Iterable[LinkedEntry], start: ChainEnd = BEGINNING) -> ChainEnd | Sentence:
    """Where the chain leads from `start` on, or what is wrong with it. `entries` come in the order of their numbers."""
    number, last = start.entry_no, start.hash
    for linked in entries:
        number += 1
        if linked.entry.entry_no != number:
            return say("Entry {number} is missing.", number=number)
        if linked.previous_hash != last:
            return say("Entry {number} does not follow from the entry before it.", number=number)
        if linked.hash != entry_hash(linked.entry, last):
            return say("Entry {number} was changed after it was written.", number=number)
        last = linked.hash
    return ChainEnd(number, last)


def wrong_end(reached: ChainEnd, end: ChainEnd) -> Sentence | None:
    """What is wrong where a chain that is whole by itself does not end where its head says."""
    if reached == end:
        return None
    return say(
        "The log ends at entry {number}, but {written} entries were written.",
        number=reached.entry_no,
        written=end.entry_no,
    )


def first_break(entries: Iterable[LinkedEntry], end: ChainEnd) -> Sentence | None:
    """What is wrong with the chain, in one sentence, or None. `entries` come in the order of their numbers."""
    reached = follow(entries)
    return reached if isinstance(reached, Sentence) else wrong_end(reached, end)
