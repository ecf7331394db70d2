"""All organisations at a glance, problems first: what is switched is read anew, what is counted is counted in between.

Counting a million pending items takes half a second, which nobody who opens a page should wait for.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from worker import presenting
from worker.clock import passing
from worker.domain.attention import NO_TROUBLE, RANKS, Standing, sentence_of, trouble_of
from worker.domain.switching import NEVER, Phase
from worker.paging import BACK, NO_CURSOR, BadCursorError, turned
from worker.progress import LONGEST_REST, Beat, unwatched
from worker.rounds import pause
from worker.store import overview
from worker.store.database import Connection, DatabaseAwayError, Pool, transaction
from worker.store.overview import Counts, Flag, Words
from worker.store.reading import WaitingRow
from worker.views import OverviewPage, OverviewRow, OverviewRows

log = structlog.get_logger(__name__)

LEAST_REST = 2.0
RESTS = 5
"""Counting takes a sixth of the time of one connection at most."""
A_PAGE = 50
A_SLICE = 200


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """What is wanted. `search`: in the name or the ID, whatever its case. `only_without`: those without a connector.
    `after`: a cursor that a page gave. `own`: only these organisations; None: all."""

    search: str = ""
    kind: str | None = None
    phase: Phase | None = None
    only_without: bool = False
    only_problems: bool = False
    after: str | None = None
    limit: int = A_PAGE
    own: frozenset[str] | None = None


Place = tuple[int, str]
"""Where an organisation comes in the order: its rank, and of that rank its ID. The cursor is the last row's."""
BEFORE_ALL: Place = (-1, "")
NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class _Ranking:
    """What was counted, and each organisation's rank while its flag is as it was then."""

    as_of: datetime | None = None
    counts: Mapping[str, Counts] = field(default_factory=dict)
    ranks: Mapping[str, tuple[Flag | None, int]] = field(default_factory=dict)

    def rank(self, organization_id: str, flag: Flag | None) -> int:
        known = self.ranks.get(organization_id)
        return known[1] if known and known[0] == flag else self.rank_anew(organization_id, flag)

    def rank_anew(self, organization_id: str, flag: Flag | None) -> int:
        trouble = trouble_of(_standing(flag, None, self.of(organization_id)), self.as_of or NEVER)
        return NO_TROUBLE if trouble is None else RANKS[trouble]

    def of(self, organization_id: str) -> Counts:
        return self.counts.get(organization_id, NOTHING)


class Overview:
    """Held by the process that serves the screens; counts in the background."""

    def __init__(self, pool: Pool, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._beat = beat
        self._ranking = _Ranking()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            began = passing()
            try:
                await self._run_once()
            except DatabaseAwayError as error:
                log.warning("overview_waits_for_database", error=str(error))
            rest = _rest(passing() - began)
            self._beat(rests=rest)
            await pause(stop, rest)

    async def _run_once(self) -> None:
        async with transaction(self._pool) as connection:
            await overview.be_modest(connection)
            counted = await overview.count(connection)
            flags = await overview.flags(connection)
        self._ranking = await _ranked(_Ranking(counted.as_of, counted.by_organization), flags)

    async def page(self, connection: Connection, query: OverviewQuery) -> OverviewPage:
        """Before the first count all is there but what is counted, and `as_of` is None. Raises BadCursorError."""
        ranking = self._ranking
        names, flags = await overview.names(connection), await overview.flags(connection)
        wanted = _wanted(names, flags, query)
        places = sorted((ranking.rank(one, flags.get(one)), one) for one in wanted)
        problems = bisect_left(places, (NO_TROUBLE, ""))
        if query.only_problems:
            places = places[:problems]
        start = _start(places, query)
        shown = [one for _, one in places[start : start + query.limit]]
        return OverviewPage(
            organizations=await _rows(connection, shown, names, flags, ranking),
            first=start + 1,
            next=_cursor(places[start + query.limit - 1]) if start + query.limit < len(places) else None,
            previous=BACK + _cursor(places[start]) if 0 < start < len(places) else None,
            total=len(places),
            problems=problems,
            as_of=ranking.as_of,
        )

    async def rows(self, connection: Connection, organization_ids: Sequence[str]) -> OverviewRows:
        """These organisations in this order, those left out that are not there any more. It costs the same however many
        organisations there are, so that everybody who looks at a page may ask every second."""
        ranking = self._ranking
        names = await overview.names_of(connection, organization_ids)
        flags = await overview.flags_of(connection, organization_ids)
        shown = [one for one in organization_ids if one in names]
        return OverviewRows(organizations=await _rows(connection, shown, names, flags, ranking), as_of=ranking.as_of)

    def waiting_of(self, organization_id: str) -> tuple[Sequence[WaitingRow], datetime] | None:
        """What waits, and when that was counted; None: nothing was counted yet."""
        ranking = self._ranking
        return (ranking.of(organization_id).waiting, ranking.as_of) if ranking.as_of else None


async def _ranked(counted: _Ranking, flags: Mapping[str, Flag]) -> _Ranking:
    """In slices, so that whoever opens a page meanwhile does not wait for it."""
    ranks: dict[str, tuple[Flag | None, int]] = {}
    for number, organization_id in enumerate(counted.counts):
        flag = flags.get(organization_id)
        ranks[organization_id] = flag, counted.rank_anew(organization_id, flag)
        if number % A_SLICE == 0:
            await asyncio.sleep(0)
    return _Ranking(counted.as_of, counted.counts, ranks)


def _rest(took: float) -> float:
    return min(max(LEAST_REST, RESTS * took), LONGEST_REST)


def _wanted(names: Mapping[str, str], flags: Mapping[str, Flag], query: OverviewQuery) -> Sequence[str]:
    found, searched = list(names), query.search.strip().casefold()
    if query.own is not None:
        found = [one for one in found if one in query.own]
    if searched:
        found = [one for one in found if searched in names[one].casefold() or searched in one.casefold()]
    if query.kind is not None:
        found = [one for one in found if one in flags and flags[one].kind == query.kind]
    if query.phase is not None:
        found = [one for one in found if one in flags and flags[one].phase is query.phase]
    if query.only_without:
        found = [one for one in found if one not in flags]
    return found


def _start(places: Sequence[Place], query: OverviewQuery) -> int:
    """Which of all places is the page's first. Going back ends with a whole first page. Raises BadCursorError."""
    before, after = turned(query.after)
    if before:
        return max(bisect_left(places, _place_of(before)) - query.limit, 0)
    return bisect_right(places, _place_of(after))


def _cursor(place: Place) -> str:
    return f"{place[0]}:{place[1]}"


def _place_of(cursor: str | None) -> Place:
    if not cursor:
        return BEFORE_ALL
    rank, _, organization_id = cursor.partition(":")
    if not organization_id or rank not in {str(number) for number in range(NO_TROUBLE + 1)}:
        raise BadCursorError(NO_CURSOR)
    return int(rank), organization_id


def _standing(flag: Flag | None, words: Words | None, counts: Counts) -> Standing:
    return Standing(
        title=words.title if words else None,
        phase=flag.phase if flag else None,
        suspended_reason=words.suspended_reason if words else None,
        changed_at=flag.changed_at if flag else None,
        waiting=counts.waits,
        oldest=counts.oldest,
        rejected=counts.rejected,
        for_a_person=counts.for_a_person,
        overdue=counts.overdue,
    )


async def _rows(
    connection: Connection,
    shown: Sequence[str],
    names: Mapping[str, str],
    flags: Mapping[str, Flag],
    ranking: _Ranking,
) -> list[OverviewRow]:
    words = await overview.in_words(connection, [flags[one] for one in shown if one in flags])
    return [_row(one, names[one], flags.get(one), words.get(one), ranking) for one in shown]


def _row(organization_id: str, name: str, flag: Flag | None, words: Words | None, ranking: _Ranking) -> OverviewRow:
    counts = ranking.of(organization_id)
    standing = _standing(flag, words, counts)
    trouble = trouble_of(standing, ranking.as_of or NEVER)
    return OverviewRow(
        organization_id=organization_id,
        name=name,
        connector=flag.kind if flag else None,
        title=standing.title,
        enabled=flag.enabled if flag else False,
        phase=standing.phase,
        changed_at=standing.changed_at,
        changed_by=words.changed_by if words else None,
        reason=words.reason if words else None,
        waiting=presenting.waiting_views(counts.waiting),
        waiting_count=counts.waits,
        oldest=counts.oldest,
        rejected=counts.rejected,
        for_a_person=counts.for_a_person,
        overdue=counts.overdue,
        last_synced_at=counts.last_synced_at,
        trouble=trouble,
        problem=sentence_of(trouble, standing) if trouble else None,
    )
