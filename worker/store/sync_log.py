"""The sync log in PostgreSQL: append under the head's lock, read back as entries."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from worker.domain.log_chain import ChainEnd, LinkedEntry, LogEntry, entry_hash, first_break
from worker.domain.sentences import Sentence, say
from worker.store.database import Connection, fetch_one
from worker.store.queries import load

_SQL = load("sync_log")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be recorded; number, time and link are given when it is appended."""

    actor: str
    actor_role: str
    source: str
    change: str
    connector: str | None = None
    new_state: str | None = None
    reason: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries; None: whatever it is. `since` is in it, `until` is not."""

    changes: frozenset[str] | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def conditions(self) -> tuple[list[str] | None, str | None, datetime | None, datetime | None]:
        """As the statements take them."""
        return None if self.changes is None else sorted(self.changes), self.actor, self.since, self.until


EVERYTHING = LogFilter()


async def append(connection: Connection, organization_id: str, change: Change) -> LogEntry:
    """Adds an entry; must run inside the transaction of the change itself."""
    await connection.execute(_SQL["open_chain"], organization_id)
    head = await fetch_one(connection, _SQL["lock_head"], organization_id)
    at = max(await clock(connection), head["at"])
    entry = LogEntry(
        organization_id=organization_id,
        entry_no=head["entry_no"] + 1,
        at=at,
        actor=change.actor,
        actor_role=change.actor_role,
        source=change.source,
        connector=change.connector,
        change=change.change,
        new_state=change.new_state,
        reason=change.reason,
        detail=change.detail,
    )
    await _write(connection, LinkedEntry(entry, head["hash"], entry_hash(entry, head["hash"])))
    return entry


async def clock(connection: Connection) -> datetime:
    """PostgreSQL's time, the only one that is recorded."""
    now: datetime = await connection.fetchval(_SQL["clock"])
    return now


async def verify(connection: Connection, organization_id: str) -> Sentence | None:
    """What is wrong with the organisation's chain, in one sentence, or None. Entries and end are of one moment."""
    rows = await connection.fetch(_SQL["chain"], organization_id)
    end_no, end_hash = rows[0]["end_no"], rows[0]["end_hash"]
    entries = [_linked(row) for row in rows if row["entry_no"] is not None]
    if end_no is None:
        return say("The log has no end on record.") if entries else say("There is no log of this organisation.")
    return first_break(entries, ChainEnd(end_no, end_hash))


async def logged_organizations(connection: Connection) -> list[str]:
    return [row["organization_id"] for row in await connection.fetch(_SQL["logged_organizations"])]


async def newest(
    connection: Connection, organization_id: str, below: int, limit: int, where: LogFilter = EVERYTHING
) -> list[LogEntry]:
    """Newest first, with numbers below `below`."""
    rows = await connection.fetch(_SQL["newest_entries"], organization_id, below, *where.conditions, limit)
    return [_entry(row) for row in rows]


async def oldest(
    connection: Connection, organization_id: str, above: int, limit: int, where: LogFilter = EVERYTHING
) -> list[LogEntry]:
    """As `newest`, the other way round, with numbers above `above`."""
    rows = await connection.fetch(_SQL["oldest_entries"], organization_id, above, *where.conditions, limit)
    return [_entry(row) for row in rows]


async def counted(connection: Connection, organization_id: str, where: LogFilter) -> tuple[int, int]:
    """How many entries are like that, and the number after the newest of them."""
    row = await fetch_one(connection, _SQL["count_entries"], organization_id, *where.conditions)
    return row["count"], row["below"]


async def chain_end(connection: Connection, organization_id: str) -> ChainEnd | None:
    """Where the chain should end; None where there is no log."""
    row = await connection.fetchrow(_SQL["chain_end"], organization_id)
    return ChainEnd(row["entry_no"], row["hash"]) if row else None


async def chain_part(
    connection: Connection, organization_id: str, after: int, through: int, limit: int
) -> list[LinkedEntry]:
    """In their order."""
    rows = await connection.fetch(_SQL["chain_part"], organization_id, after, through, limit)
    return list(map(_linked, rows))


async def link(connection: Connection, organization_id: str, entry_no: int) -> bytes | None:
    """The hash of an entry; None where there is none."""
    found: bytes | None = await connection.fetchval(_SQL["link"], organization_id, entry_no)
    return found


async def newest_of(
    connection: Connection, organization_id: str, connector: str, changes: Collection[str]
) -> LogEntry | None:
    row = await connection.fetchrow(_SQL["newest_of"], organization_id, connector, list(changes))
    return _entry(row) if row else None


async def _write(connection: Connection, linked: LinkedEntry) -> None:
    entry = linked.entry
    await connection.execute(
        _SQL["append"],
        entry.organization_id,
        entry.entry_no,
        entry.at,
        entry.actor,
        entry.actor_role,
        entry.source,
        entry.connector,
        entry.change,
        entry.new_state,
        entry.reason,
        json.dumps(entry.detail),
        linked.previous_hash,
        linked.hash,
    )
    await connection.execute(_SQL["move_head"], entry.organization_id, entry.entry_no, entry.at, linked.hash)


def _linked(row: asyncpg.Record) -> LinkedEntry:
    return LinkedEntry(_entry(row), row["previous_hash"], row["hash"])


def _entry(row: asyncpg.Record) -> LogEntry:
    return LogEntry(
        organization_id=row["organization_id"],
        entry_no=row["entry_no"],
        at=row["at"],
        actor=row["actor"],
        actor_role=row["actor_role"],
        source=row["source"],
        connector=row["connector"],
        change=row["change"],
        new_state=row["new_state"],
        reason=row["reason"],
        detail=json.loads(row["detail"]),
    )
