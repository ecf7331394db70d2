"""The hash chain of the sync log: each entry's hash covers its content and the hash before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    """Where an organisation's chain ends by its head row."""

    entry_no: int
    hash: bytes


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


def first_break(entries: Iterable[LinkedEntry], end: ChainEnd) -> str | None:
    """What is wrong with the chain, in one sentence, or None. `entries` come in the order of their numbers."""
    number, last = 0, START
    for linked in entries:
        number += 1
        if linked.entry.entry_no != number:
            return f"Entry {number} is missing."
        if linked.previous_hash != last:
            return f"Entry {number} does not follow from the entry before it."
        if linked.hash != entry_hash(linked.entry, last):
            return f"Entry {number} was changed after it was written."
        last = linked.hash
    if (number, last) != (end.entry_no, end.hash):
        return f"The log ends at entry {number}, but {end.entry_no} entries were written."
    return None
