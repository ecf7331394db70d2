"""The days on which Business Central lets an app book.

Source: page 30087 "APIV2 - G/L Setup" (microsoft/ALAppExtensions; Microsoft Learn, "generalLedgerSetup resource type"):
`allowPostingFrom` and `allowPostingTo`, where a blank date travels as 0001-01-01. The User Setup of the app's own user
may say something else and has no page in API v2.0 ("Specify posting periods", MicrosoftDocs/dynamics365smb-docs): the
post itself has the last word. `accountingPeriods` (page 30086) are the fiscal ones, which refuse no posting.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from connectors.business_central.api import CompanyApi
from connectors.contract import NotSent, Unavailable
from connectors.shared_answer import SharedAnswer

SETUP = "generalLedgerSetup"

_BLANK = date.min
_SECONDS_KEPT = 300.0


@dataclass(frozen=True, slots=True)
class OpenDays:
    """Both inclusive; None has no end on that side."""

    first: date | None
    last: date | None

    def hold(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def first_from(self, day: date) -> date:
        """The first open day that is not before `day`; `day` itself where there is none."""
        later = max(day, self.first or day)
        return later if self.hold(later) else day

    def __str__(self) -> str:
        sides = (("from", self.first), ("to", self.last))
        return " ".join(f"{word} {day.isoformat()}" for word, day in sides if day is not None) or "on every day"


UNLIMITED = OpenDays(None, None)


class OpenDaysReader:
    """Keeps what it read for five minutes. `clock` gives monotonic seconds."""

    def __init__(self, api: CompanyApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._kept: OpenDays | None = None
        self._read_at = 0.0
        self._asked: SharedAnswer[OpenDays | NotSent] = SharedAnswer()

    async def open_days(self) -> OpenDays | NotSent:
        """One request, however many ask at once."""
        if self._kept is not None and self._clock() - self._read_at < _SECONDS_KEPT:
            return self._kept
        return await self._asked.of(self._refresh)

    def forget(self) -> None:
        """After a refusal: somebody has closed a period in the meantime."""
        self._kept = None

    async def _refresh(self) -> OpenDays | NotSent:
        read = await self._read()
        if isinstance(read, OpenDays):
            self._kept, self._read_at = read, self._clock()
        return read

    async def _read(self) -> OpenDays | NotSent:
        rows = await self._api.rows(SETUP)
        if isinstance(rows, NotSent):
            return rows
        # An app that may not read the set-up can still book; what ails the sign-in shows in the next request.
        return UNLIMITED if isinstance(rows, Unavailable) or not rows else open_days_in(rows[0])


def open_days_in(row: object) -> OpenDays:
    fields = row if isinstance(row, Mapping) else {}
    return OpenDays(_day(fields.get("allowPostingFrom")), _day(fields.get("allowPostingTo")))


def _day(value: object) -> date | None:
    """None for a blank date, and for what is no date."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        return None
    return None if day == _BLANK else day
