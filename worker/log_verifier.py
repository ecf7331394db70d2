"""Whether a sync log is whole, asked at every look at it: what was verified before is not verified again."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from worker.clock import passing
from worker.domain.log_chain import BEGINNING, ChainEnd, follow, wrong_end
from worker.domain.sentences import Sentence, say
from worker.store import sync_log
from worker.store.database import Connection
from worker.views import LogVerification

AT_ONCE = 20_000
"""Entries that one question may cost; a longer log is verified by several."""
A_SLICE = 500
REMEMBERED = 10_000
A_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class _Verified:
    """How far a log is whole, verified from its beginning since `began`, by the clock that passes."""

    place: ChainEnd
    began: float


class LogVerifier:
    """Held by the process that serves the screens. Remembers how far each log was whole, of those that were asked about
    last, and for a day: what is tampered with before that place is found on the next one."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Verified] = OrderedDict()

    async def verified(self, connection: Connection, organization_id: str) -> LogVerification:
        end = await sync_log.chain_end(connection, organization_id)
        if end is None:
            return _broken(say("There is no log of this organisation."), BEGINNING, BEGINNING)
        known = await self._known_of(connection, organization_id)
        reached = await _follow(connection, organization_id, known.place, end)
        problem = reached if isinstance(reached, Sentence) else _wrong(reached, known.place, end)
        if problem or isinstance(reached, Sentence):
            self._known.pop(organization_id, None)
            return _broken(problem, known.place, end)
        self._remember(organization_id, replace(known, place=reached))
        return LogVerification(
            state="whole" if reached == end else "checking",
            verified_through=reached.entry_no,
            entries=end.entry_no,
            problem=None,
        )

    async def _known_of(self, connection: Connection, organization_id: str) -> _Verified:
        """From the beginning where nothing is remembered, or what is remembered is not there any more."""
        known = self._known.get(organization_id)
        if known is None or passing() - known.began > A_DAY:
            return _Verified(BEGINNING, passing())
        is_there = await sync_log.link(connection, organization_id, known.place.entry_no) == known.place.hash
        return known if is_there else _Verified(BEGINNING, passing())

    def _remember(self, organization_id: str, verified: _Verified) -> None:
        self._known[organization_id] = verified
        self._known.move_to_end(organization_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


async def _follow(connection: Connection, organization_id: str, place: ChainEnd, end: ChainEnd) -> ChainEnd | Sentence:
    """In slices, and no further than one question may cost. What is appended meanwhile is left to the next one."""
    furthest = min(end.entry_no, place.entry_no + AT_ONCE)
    while place.entry_no < furthest:
        entries = await sync_log.chain_part(connection, organization_id, place.entry_no, furthest, A_SLICE)
        reached = follow(entries, place)
        if isinstance(reached, Sentence) or reached == place:
            return reached
        place = reached
    return place


def _wrong(reached: ChainEnd, started: ChainEnd, end: ChainEnd) -> Sentence | None:
    """It may end before its end only where it was not asked to go further."""
    return None if reached.entry_no == started.entry_no + AT_ONCE < end.entry_no else wrong_end(reached, end)


def _broken(problem: Sentence | None, reached: ChainEnd, end: ChainEnd) -> LogVerification:
    return LogVerification(state="broken", verified_through=reached.entry_no, entries=end.entry_no, problem=problem)
