"""Sync runs: a bounded push of what is pending, with its counts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from worker.domain.release import Marks
from worker.store.database import Connection, fetch_one
from worker.store.queries import load

_SQL = load("runs")


class RunKind(StrEnum):
    CONNECTOR_ENABLED = "connector_enabled"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class RunResult(StrEnum):
    FINISHED = "finished"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Run:
    """`mark` bounds it: it takes what arrived up to that sequence number. `remaining` is None while it is under way."""

    organization_id: str
    run_id: UUID
    kind: RunKind
    connector: str
    requested_by: str
    mark: int
    started_at: datetime
    finished_at: datetime | None
    result: RunResult | None
    synced: int
    rejected: int
    unknown: int
    remaining: int | None

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Run":
        fields = dict(row)
        fields["kind"] = RunKind(row["kind"])
        fields["result"] = row["result"] and RunResult(row["result"])
        return cls(**fields)


async def open_run(connection: Connection, organization_id: str) -> Run | None:
    row = await connection.fetchrow(_SQL["open_run"], organization_id)
    return Run.from_row(row) if row else None


async def start(
    connection: Connection,
    *,
    organization_id: str,
    kind: RunKind,
    connector: str,
    requested_by: str,
    mark: int,
) -> Run:
    """Opens a run. At most one is open for an organisation."""
    return Run.from_row(
        await fetch_one(connection, _SQL["start_run"], organization_id, kind, connector, requested_by, mark)
    )


async def widen(connection: Connection, organization_id: str, mark: int) -> Run | None:
    """The run under way, which takes from now on also what has arrived since it began; None where none is."""
    row = await connection.fetchrow(_SQL["widen_run"], organization_id, mark)
    return Run.from_row(row) if row else None


async def release(connection: Connection, run: Run, marks: Marks) -> None:
    """What the run takes may be claimed."""
    await connection.execute(_SQL["release"], run.organization_id, run.connector, marks.released_through)


async def remaining(connection: Connection, run: Run) -> int:
    count: int = await connection.fetchval(_SQL["remaining"], run.organization_id, run.run_id)
    return count


async def is_done(connection: Connection, run: Run) -> bool:
    done: bool = await connection.fetchval(_SQL["is_done"], run.organization_id, run.run_id, run.mark)
    return done


async def finish(connection: Connection, run: Run, result: RunResult, left: int) -> Run | None:
    """The run with its result, or None where it had ended before, or was widened since it was read."""
    row = await connection.fetchrow(_SQL["finish_run"], run.organization_id, run.run_id, result, left, run.mark)
    return Run.from_row(row) if row else None


async def newest(connection: Connection, organization_id: str, before: tuple[datetime, UUID], limit: int) -> list[Run]:
    """Newest first; `before`: a start, and of that time an id."""
    return [Run.from_row(row) for row in await connection.fetch(_SQL["newest_runs"], organization_id, *before, limit)]


async def oldest(connection: Connection, organization_id: str, after: tuple[datetime, UUID], limit: int) -> list[Run]:
    """As `newest`, the other way round."""
    return [Run.from_row(row) for row in await connection.fetch(_SQL["oldest_runs"], organization_id, *after, limit)]


async def show(connection: Connection, run_id: UUID) -> Run | None:
    row = await connection.fetchrow(_SQL["show_run"], run_id)
    return Run.from_row(row) if row else None
