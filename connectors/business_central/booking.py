"""On which day a posting is booked, and what becomes of it where that day is closed."""

from dataclasses import replace

from connectors.business_central.answers import CLOSED_PERIOD
from connectors.business_central.api import CompanyApi
from connectors.business_central.delivery import Delivery
from connectors.business_central.documents import moved_to
from connectors.business_central.open_days import OpenDays, OpenDaysReader
from connectors.contract import NotSent, Permit, Posting, PostOutcome, Rejected


class Booking:
    def __init__(self, api: CompanyApi, open_days: OpenDaysReader) -> None:
        self._api = api
        self._open_days = open_days

    async def book(self, posting: Posting, permit: Permit, currency: str) -> PostOutcome:
        """`currency` is the company's own."""
        chosen = await self._on_open_day(posting)
        if isinstance(chosen, NotSent):
            return chosen
        outcome = await Delivery(self._api, chosen, permit, currency).run()
        if _is_closed(outcome) and posting.moves_to_open_period:
            outcome = await self._move_on(posting, chosen, permit, currency, outcome)
        return await self._explained(outcome)

    async def _move_on(
        self, posting: Posting, refused: Posting, permit: Permit, currency: str, outcome: PostOutcome
    ) -> PostOutcome:
        """Nothing is booked and the draft is gone. Where somebody closed the period since we asked, once more."""
        self._open_days.forget()
        fresh = await self._on_open_day(posting)
        if not isinstance(fresh, Posting) or fresh.posting_date == refused.posting_date:
            return outcome
        # As a later attempt, so that a draft that could not be deleted is looked for first.
        again = replace(fresh, attempt=max(2, posting.attempt))
        return await Delivery(self._api, again, permit, currency).run()

    async def _on_open_day(self, posting: Posting) -> Posting | NotSent:
        if not posting.moves_to_open_period:
            return posting
        open_days = await self._open_days.open_days()
        if isinstance(open_days, NotSent):
            return open_days
        return moved_to(posting, open_days.first_from(posting.posting_date))

    async def _explained(self, outcome: PostOutcome) -> PostOutcome:
        """A refusal for a closed period says which days are open."""
        if not isinstance(outcome, Rejected) or not _is_closed(outcome):
            return outcome
        open_days = await self._open_days.open_days()
        told = f" The company books {open_days}." if isinstance(open_days, OpenDays) else ""
        return replace(outcome, message=f"{outcome.message}{told} {_ADVICE}")


_ADVICE = "Open the period, or let the mapping book in the first open one (posting_date), then retry."


def _is_closed(outcome: PostOutcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.code == CLOSED_PERIOD
