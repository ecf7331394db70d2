"""What Xledger holds under references: many in one request, and what is wanted at once shares one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.activity import is_heard_of
from connectors.contract import Attempted, Finding, ImportRefused, NotSent, Unavailable
from connectors.erp_text import one_line
from connectors.pacing import LONGEST_WAIT
from connectors.xledger.api import XledgerApi
from connectors.xledger.periods import FRESH, Calendar, OpenPeriods, closed_sentence
from connectors.xledger.queries import FIND_ERRORS, FIND_VOUCHERS
from connectors.xledger.vouchers import LONGEST_MESSAGE, Holdings, findings, holdings_in, messages_in, refused_days

_REFERENCES_A_QUERY = 200

Answer = Finding | NotSent | Unavailable
Answers = Mapping[str, Finding] | NotSent | Unavailable
Wanted = tuple[Attempted, asyncio.Future[Answer]]


class Enquiries:
    """`moves`: another try of what a closed period refused is booked in the first open one."""

    def __init__(self, api: XledgerApi, calendar: Calendar, *, moves: bool) -> None:
        self._api = api
        self._calendar = calendar
        self._moves = moves
        self._wanted: list[Wanted] = []
        self._asking: asyncio.Task[None] | None = None

    async def look_up(self, attempts: Sequence[Attempted]) -> Answers:
        found: dict[str, Finding] = {}
        for start in range(0, len(attempts), _REFERENCES_A_QUERY):
            answers = await self._ask_about(attempts[start : start + _REFERENCES_A_QUERY])
            if isinstance(answers, NotSent | Unavailable):
                return answers
            found |= answers
        return found

    async def of(self, attempted: Attempted) -> Answer:
        """As `look_up` for one. What comes while a request is under way goes together with the next."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._wanted.append((attempted, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._go_on_asking())
        is_heard_of(within=LONGEST_WAIT)
        return await answer

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _go_on_asking(self) -> None:
        """Whatever ends it, a bug or the closing, ends where each answer is waited for: none waits for ever."""
        batch: Sequence[Wanted] = ()
        try:
            while self._wanted:
                batch, self._wanted = self._wanted[:_REFERENCES_A_QUERY], self._wanted[_REFERENCES_A_QUERY:]
                _give(batch, await self.look_up([attempted for attempted, _ in batch]))
        except Exception as error:  # noqa: BLE001  # see above
            for _, answer in (*batch, *self._wanted):
                if not answer.done():
                    answer.set_exception(error)
        finally:
            self._asking = None
            _give((*batch, *self._wanted), NotSent("The connector was closed."))
            self._wanted = []

    async def _ask_about(self, attempts: Sequence[Attempted]) -> Answers:
        holdings = await self._holdings([one.reference for one in attempts])
        if not isinstance(holdings, Holdings):
            return holdings
        if holdings.is_cut and len(attempts) > 1:
            return await self._ask_in_halves(attempts)
        found = findings(attempts, holdings)
        return {**found, **await self._closed(found, holdings)}

    async def _ask_in_halves(self, attempts: Sequence[Attempted]) -> Answers:
        middle = len(attempts) // 2
        first = await self._ask_about(attempts[:middle])
        if isinstance(first, NotSent | Unavailable):
            return first
        second = await self._ask_about(attempts[middle:])
        return second if isinstance(second, NotSent | Unavailable) else {**first, **second}

    async def _holdings(self, references: Sequence[str]) -> Holdings | NotSent | Unavailable:
        data = await self._api.query(FIND_VOUCHERS, {"references": references})
        if isinstance(data, NotSent | Unavailable):
            return data
        holdings = holdings_in(data)
        if holdings is None:
            return NotSent("Xledger's answer to a look-up was not readable.")
        return await self._with_messages(holdings)

    async def _with_messages(self, holdings: Holdings) -> Holdings | NotSent | Unavailable:
        """Without the import's errors a refused voucher passes for one that waits, and people are told that it takes
        too long. So where Xledger does not like the question, what was booked is still confirmed."""
        rows = holdings.rows_in_question()
        errors = await self._api.query(FIND_ERRORS, {"rows": rows}) if rows else {}
        if isinstance(errors, Unavailable) or (isinstance(errors, NotSent) and errors.retry_after is not None):
            return errors
        return holdings if isinstance(errors, NotSent) else replace(holdings, messages=messages_in(errors))

    async def _closed(self, found: Mapping[str, Finding], holdings: Holdings) -> Mapping[str, Finding]:
        """Refusals of vouchers whose period is closed, with the period named. Xledger's own sentence about it is not
        published, and follows the language of the user."""
        days = refused_days(found, holdings)
        periods = await self._calendar.open_periods(within=FRESH) if days else None
        if not isinstance(periods, OpenPeriods):
            return {}
        closed = {reference: day for reference, day in days.items() if not periods.is_open(day)}
        return {
            reference: _in_closed_period(found[reference], closed_sentence(day, moves=self._moves))
            for reference, day in closed.items()
        }


def _give(batch: Sequence[Wanted], answers: Answers) -> None:
    for attempted, answer in batch:
        if not answer.done():
            answer.set_result(answers if isinstance(answers, NotSent | Unavailable) else answers[attempted.reference])


def _in_closed_period(refused: Finding, sentence: str) -> Finding:
    if not isinstance(refused, ImportRefused):
        return refused
    told = one_line(f"{sentence} Xledger says: {refused.message}", LONGEST_MESSAGE)
    return replace(refused, code="closed_period", message=told)
