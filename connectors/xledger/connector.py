"""One organisation's link to one company in Xledger."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from connectors.account_mapping import AccountMapping
from connectors.contract import (
    Absent,
    Accepted,
    Attempted,
    Document,
    Finding,
    Found,
    ImportRefused,
    Limits,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Problem,
    Rejected,
    Staged,
    Unavailable,
    Unknown,
)
from connectors.hosts import AllowedHosts
from connectors.pacing import Pace
from connectors.xledger.api import Clock, XledgerApi
from connectors.xledger.courier import Courier
from connectors.xledger.documents import Books, dimension_slots, voucher
from connectors.xledger.enquiries import Enquiries
from connectors.xledger.periods import Calendar
from connectors.xledger.readiness import Readiness
from connectors.xledger.registrations import Registrations
from connectors.xledger.settings import XledgerSettings
from connectors.xledger.vouchers import conflict_of


class XledgerConnector:
    """`pace` may be shared with other organisations. `now` gives the time in a zone."""

    def __init__(
        self,
        settings: XledgerSettings,
        token: str,
        mapping: AccountMapping,
        hosts: AllowedHosts,
        pace: Pace,
        now: Clock = datetime.now,
    ) -> None:
        self._settings = settings
        self._pace = pace
        self._books = Books(settings.transaction_source, settings.company_currency, dimension_slots(mapping))
        self._registrations = Registrations()
        self._api = XledgerApi(settings, token, hosts, pace, now)
        self._calendar = Calendar(self._api)
        moves = mapping.posting_date == "first_open_date"
        self._enquiries = Enquiries(self._api, self._calendar, moves=moves)
        self._readiness = Readiness(self._api, self._calendar, mapping, settings.company_currency)
        self._courier = Courier(
            pace,
            self._api.add_vouchers,
            self._taken,
            self._api.now,
            settings.concurrency,
            settings.vouchers_per_request,
        )

    @property
    def limits(self) -> Limits:
        """Xledger takes a second voucher under the same reference. Many travel in one request."""
        return Limits(
            self._settings.concurrency * self._settings.vouchers_per_request,
            timedelta(seconds=self._settings.quarantine_seconds),
            longest_import=timedelta(seconds=self._settings.import_limit_seconds),
        )

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        """What an earlier try left comes first: it may have been booked on another day than this one would be."""
        settled = await self._settle_earlier(posting) if posting.attempt > 1 else None
        if settled is not None:
            return settled
        day = await self._calendar.booking_day(posting)
        if not isinstance(day, date):
            return day
        nodes = voucher(posting, day, self._books, self._registrations.number_of(posting))
        return nodes if isinstance(nodes, Rejected) else await self._courier.add(posting, nodes, permit)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        return await self._enquiries.look_up(attempts)

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        return await self._readiness.problems()

    async def close(self) -> None:
        self._pace.retire()
        await self._courier.close()
        await self._enquiries.close()
        await self._api.close()

    async def _settle_earlier(self, posting: Posting) -> PostOutcome | None:
        """Xledger takes a second voucher under the same reference, so an earlier try is looked for. None:
        the way is free."""
        seen = await self._enquiries.of(posting)
        match seen:
            case NotSent() | Unavailable():
                return seen
            case Found(document=document, total=total, currency=currency):
                if (total, currency) == (posting.total, posting.currency):
                    return Posted(document)
                return Unknown(conflict_of(document, total, currency, posting), conflict=document)
            case Staged(document=document):
                return self._accepted(document)
            case Absent() | ImportRefused():
                return None

    def _taken(self, posting: Posting, ids: Sequence[str]) -> Accepted:
        return self._accepted(Document(number=posting.reference, erp_id=",".join(ids)))

    def _accepted(self, document: Document) -> Accepted:
        return Accepted(document, timedelta(seconds=self._settings.check_after_seconds))
