"""Which periods are open at Xledger, and on which day a posting is booked.

`periodStatusItems` tells (fields: grasp-labs/ds-provider-xledger-py-lib). None of its fields is a status, so we read a
row as "this period is open": our reading, which nobody has published.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from connectors.activity import is_heard_of
from connectors.contract import NotSent, Posting, Rejected, Unavailable
from connectors.pacing import LONGEST_WAIT
from connectors.xledger.answered import Row, day_of, part_of, rows_of
from connectors.xledger.api import XledgerApi
from connectors.xledger.queries import READ_PERIODS

RECENT = 300.0
"""Seconds for which what was read is believed: requests are paid for, and periods are opened and closed by people."""

FRESH = 10.0
"""For news that somebody acts on: whoever opens a period and retries at once must not be told that it is closed."""


@dataclass(frozen=True, slots=True)
class Period:
    """`first` and `last` belong to it. `owner` is the code of the company, where Xledger says one."""

    first: date
    last: date
    owner: str


@dataclass(frozen=True, slots=True)
class OpenPeriods:
    """In no order."""

    periods: Sequence[Period]

    @property
    def owners(self) -> list[str]:
        return sorted({period.owner for period in self.periods if period.owner})

    def is_open(self, day: date) -> bool:
        return any(period.first <= day <= period.last for period in self.periods)

    def first_day_from(self, day: date) -> date | None:
        """`day` itself where it is open, else the first day of the first period after it."""
        if self.is_open(day):
            return day
        return min((period.first for period in self.periods if period.first > day), default=None)


class Calendar:
    """The open periods of one company, read when they are needed, by one request however many wait. `clock` gives
    monotonic seconds."""

    def __init__(self, api: XledgerApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._reading = asyncio.Lock()
        self._periods: OpenPeriods | None = None
        self._read_at = 0.0

    async def open_periods(self, *, within: float) -> OpenPeriods | NotSent | Unavailable:
        """As they were at most so many seconds ago."""
        is_heard_of(within=LONGEST_WAIT)
        async with self._reading:
            if self._periods is not None and self._clock() - self._read_at <= within:
                return self._periods
            return await self._read()

    async def booking_day(self, posting: Posting) -> date | NotSent | Rejected | Unavailable:
        """The day itself; where it may move, the first open one from it."""
        if not posting.moves_to_open_period:
            return posting.posting_date
        for seconds in (RECENT, FRESH):
            periods = await self.open_periods(within=seconds)
            if not isinstance(periods, OpenPeriods):
                return periods
            day = periods.first_day_from(posting.posting_date)
            if day is not None:
                return day
        return Rejected(
            "no_open_period",
            f"No period from {posting.posting_date:%Y-%m} on is open in Xledger. Open one, then retry.",
        )

    async def _read(self) -> OpenPeriods | NotSent | Unavailable:
        asked_at = self._clock()
        data = await self._api.query(READ_PERIODS, {})
        if isinstance(data, NotSent | Unavailable):
            return data
        periods = open_periods_in(data)
        if periods is None:
            return NotSent("Xledger's open periods were not readable.")
        self._periods, self._read_at = periods, asked_at
        return periods


def open_periods_in(data: Mapping[str, object]) -> OpenPeriods | None:
    """From the answer to `READ_PERIODS`; None where it has another form."""
    periods = [_period(row) for row in rows_of(data.get("periodStatusItems"))]
    if "periodStatusItems" not in data or None in periods:
        return None
    return OpenPeriods([period for period in periods if period is not None])


def closed_sentence(day: date, *, moves: bool) -> str:
    """`moves`: another try is booked in the first open period."""
    remedy = "Retry: it is then booked in the first open one." if moves else _OPEN_OR_MOVE
    return f"The period {day:%Y-%m} is closed in Xledger. {remedy}"


_OPEN_OR_MOVE = "Open it, or set posting_date to first_open_date, then retry."


def _period(row: Row) -> Period | None:
    period = row.get("period")
    first, last = day_of(part_of(period, "fromDate")), day_of(part_of(period, "toDate"))
    if first is None or last is None:
        return None
    return Period(first, last, str(part_of(row.get("owner"), "code") or ""))
