"""What an administrator filled in to switch a connector, and what is missing from it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from worker.admin.screens import reasons
from worker.admin.screens.reader import ZONE, Reader
from worker.domain.switching import NEVER
from worker.insights import LAST
from worker.releasing import Release, ReleaseChoice, Told

LONGEST_FIELD = 64
FIRST_YEAR = 2000


class Choice(StrEnum):
    """What becomes of what waits when the connector is switched on."""

    ALL = "all"
    FROM_DATE = "from_date"
    HANDLED_ELSEWHERE = "handled_elsewhere"
    REVIEW = "review"


class Wish(BaseModel):
    """The form as it came. `seen` is when the connector was last switched, as the page showed it. `confirmed`: how many
    will be marked as handled elsewhere, as the page said, and `through` the last of them."""

    seen: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""
    reason: Annotated[str, Field(max_length=reasons.LONGEST_FIELD)] = ""
    choice: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""
    from_date: Annotated[str, Field(max_length=LONGEST_FIELD)] = ""
    unchecked: bool = False
    confirmed: int | None = None
    through: Annotated[int | None, Field(ge=0, le=LAST)] = None

    @property
    def plain_reason(self) -> str:
        return reasons.plain(self.reason)

    @property
    def first_day(self) -> date | None:
        """None where it is no date that anything could be approved on."""
        try:
            day = date.fromisoformat(self.from_date.strip())
        except ValueError:
            return None
        return day if day.year >= FIRST_YEAR else None

    @property
    def from_moment(self) -> datetime | None:
        """When the first day begins in Norway; None where no day is chosen."""
        if self.choice != Choice.FROM_DATE or self.first_day is None:
            return None
        return datetime.combine(self.first_day, time(), ZONE).astimezone(UTC)

    @property
    def release(self) -> Release | None:
        """What is chosen, once there are no mistakes, if anything waits. None where something is to be marked and was
        not confirmed."""
        choice = ReleaseChoice(self.choice) if self.choice else ReleaseChoice.ALL
        if choice is ReleaseChoice.ALL:
            return Release(choice)
        if self.confirmed is None or self.through is None:
            return None
        return Release(choice, self.from_moment, Told(self.confirmed, self.through))

    @property
    def seen_change(self) -> datetime | None:
        """None where it is no moment that a page gave: then whoever switched last is not asked for."""
        try:
            return datetime.fromisoformat(self.seen)
        except ValueError:
            return None

    def mistakes_off(self, reader: Reader) -> Mapping[str, str]:
        """Field → what to do."""
        return self._mistakes_in_reason(reader)

    def mistakes_on(self, reader: Reader, *, something_waits: bool) -> Mapping[str, str]:
        """Field → what to do, in the order of the form. Whoever only reviews needs no reason."""
        found = {}
        if self.choice not in set(Choice) and (something_waits or self.choice):
            found["choice"] = reader.translate("Choose what becomes of what waits.")
        if self.choice == Choice.FROM_DATE and self.first_day is None:
            found["from_date"] = reader.translate("Enter the first day that is posted, such as 2026-11-01.")
        return found if self.choice == Choice.REVIEW else {**found, **self._mistakes_in_reason(reader)}

    def _mistakes_in_reason(self, reader: Reader) -> Mapping[str, str]:
        mistake = reasons.mistake_in(self.reason)
        return {"reason": reader.said(mistake)} if mistake else {}


def seen_of(changed_at: datetime | None) -> str:
    """When a connector was last switched, for the hidden field of its form."""
    return (changed_at or NEVER).isoformat()
