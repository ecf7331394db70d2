"""What a global administrator sees of all organisations: flags read anew, and counts that take a while."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from worker.domain.switching import Phase, phase_of
from worker.store.database import Connection
from worker.store.queries import load
from worker.store.reading import Doubt, WaitingRow, doubts, waiting_everywhere
from worker.store.sync_log import clock

_SQL = load("overview")
A_SLICE = 500
_NEVER = datetime.min.replace(tzinfo=UTC)


class Flag(NamedTuple):
    """How a connector stands. A tuple, since thousands are made and compared for every page."""

    organization_id: str
    kind: str
    enabled: bool
    is_suspended: bool
    is_quiesced: bool
    changed_at: datetime | None

    @property
    def phase(self) -> Phase:
        quiesced_at = _NEVER if self.is_quiesced else None
        return phase_of(enabled=self.enabled, suspended=self.is_suspended, quiesced_at=quiesced_at)

    @property
    def use(self) -> tuple[bool, datetime]:
        """The greater, the more likely it is the one in use."""
        return self.enabled, self.changed_at or _NEVER


@dataclass(frozen=True, slots=True)
class Words:
    """What people are told of a connector beside how it stands."""

    title: str
    suspended_reason: str | None
    changed_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of one organisation."""

    waiting: tuple[WaitingRow, ...] = ()
    rejected: int = 0
    for_a_person: int = 0
    overdue: int = 0
    last_synced_at: datetime | None = None

    @property
    def waits(self) -> int:
        return sum(row.count for row in self.waiting)

    @property
    def oldest(self) -> datetime | None:
        return min((row.oldest for row in self.waiting), default=None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything counted, at one time by PostgreSQL's clock."""

    as_of: datetime
    by_organization: Mapping[str, Counts]


async def names(connection: Connection) -> dict[str, str]:
    """By organisation, in the order of their ids."""
    return {row["organization_id"]: row["name"] for row in await connection.fetch(_SQL["names"])}


async def names_of(connection: Connection, organization_ids: Sequence[str]) -> dict[str, str]:
    """Of those that there are."""
    rows = await connection.fetch(_SQL["names_of"], list(organization_ids))
    return {row["organization_id"]: row["name"] for row in rows}


async def flags_of(connection: Connection, organization_ids: Sequence[str]) -> dict[str, Flag]:
    """As `flags`."""
    return _in_use(Flag(*row) for row in await connection.fetch(_SQL["flags_of"], list(organization_ids)))


async def flags(connection: Connection) -> dict[str, Flag]:
    """By organisation, of the connector that is or was last in use."""
    return _in_use(Flag(*row) for row in await connection.fetch(_SQL["flags"]))


def _in_use(flags: Iterable[Flag]) -> dict[str, Flag]:
    found: dict[str, Flag] = {}
    for flag in flags:
        other = found.setdefault(flag.organization_id, flag)
        if other is not flag and (flag.use, other.kind) > (other.use, flag.kind):
            found[flag.organization_id] = flag
    return found


async def in_words(connection: Connection, flags: Iterable[Flag]) -> dict[str, Words]:
    """By organisation."""
    wanted = list(flags)
    rows = await connection.fetch(
        _SQL["in_words"], [flag.organization_id for flag in wanted], [flag.kind for flag in wanted]
    )
    return {
        row["organization_id"]: Words(row["title"], row["suspended_reason"], row["changed_by"], row["reason"])
        for row in rows
    }


async def be_modest(connection: Connection) -> None:
    """What is counted in this transaction leaves the other processors to those who wait for an answer."""
    await connection.fetchval(_SQL["be_modest"])


async def count(connection: Connection) -> Snapshot:
    """Takes time with what is pending, not with what was ever synced. Put together in slices, so that whatever else
    this process does goes on in between."""
    as_of = await clock(connection)
    waiting = await waiting_everywhere(connection)
    for_a_person, overdue = _by_organization(await doubts(connection))
    rows = await connection.fetch(_SQL["rejected_and_last_synced"])
    found: dict[str, Counts] = {}
    for start in range(0, len(rows), A_SLICE):
        part = rows[start : start + A_SLICE]
        for row in part:
            name = row["organization_id"]
            found[name] = Counts(
                waiting=tuple(waiting.get(name, ())),
                rejected=row["rejected"],
                for_a_person=for_a_person[name],
                overdue=overdue[name],
                last_synced_at=row["last_synced_at"],
            )
        await asyncio.sleep(0)
    return Snapshot(as_of, found)


def _by_organization(doubted: Iterable[Doubt]) -> tuple[Counter[str], Counter[str]]:
    """How many wait for a person, and how many are in doubt for too long."""
    for_a_person, overdue = Counter[str](), Counter[str]()
    for one in doubted:
        (for_a_person if one.is_for_a_person else overdue)[one.organization_id] += one.count
    return for_a_person, overdue
