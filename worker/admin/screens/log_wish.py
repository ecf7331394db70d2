"""Which entries of the sync log a reader wants, as their form says it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from worker.admin.screens import words
from worker.admin.screens.reader import ZONE
from worker.admin.screens.reasons import plain
from worker.domain.sentences import Sentence, say
from worker.store.sync_log import LogFilter

LONGEST_FIELD = 200
FIRST_YEAR, LAST_YEAR = 2000, 9000


class LogWish(BaseModel):
    """Both days are in Norway, and both are included. Empty: any. `before` is the cursor of a further page."""

    model_config = ConfigDict(populate_by_name=True)

    change: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""
    actor: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""
    first: Annotated[str, Field(alias="from", max_length=LONGEST_FIELD)] = ""
    last: Annotated[str, Field(alias="to", max_length=LONGEST_FIELD)] = ""
    before: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """What is asked for, for the address of another page and for the form of the export."""
        everything = {"change": self.change, "actor": self.actor, "from": self.first, "to": self.last}
        return {name: text.strip() for name, text in everything.items() if text.strip()}

    @property
    def query(self) -> str:
        return urlencode(self.fields)

    @property
    def mistakes(self) -> Mapping[str, Sentence]:
        """Field → what to do about it."""
        found = {}
        if self.change and self.change not in words.CHANGES:
            found["change"] = say("Choose one of the changes in the list.")
        if self.first.strip() and _day(self.first) is None:
            found["from"] = say("Enter the first day as a date, such as 2026-11-01.")
        if self.last.strip() and _day(self.last) is None:
            found["to"] = say("Enter the last day as a date, such as 2026-11-30.")
        if not found and self._is_backwards():
            found["to"] = say("The last day is before the first. Exchange them.")
        return found

    @property
    def where(self) -> LogFilter:
        """Only where there are no mistakes."""
        last = _day(self.last)
        return LogFilter(
            changes=frozenset({self.change}) if self.change else None,
            actor=plain(self.actor) or None,
            since=_midnight(_day(self.first)),
            until=_midnight(last + timedelta(days=1) if last else None),
        )

    def _is_backwards(self) -> bool:
        first, last = _day(self.first), _day(self.last)
        return first is not None and last is not None and last < first


def _day(text: str) -> date | None:
    """None where it is no day on which anything could be on record."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), ZONE).astimezone(UTC) if day else None
