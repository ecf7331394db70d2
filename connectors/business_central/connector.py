"""One organisation's link to one company in Business Central."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from connectors.account_mapping import AccountMapping
from connectors.business_central.api import CompanyApi
from connectors.business_central.attachments import ReceiptUpload
from connectors.business_central.booking import Booking
from connectors.business_central.documents import Invoice, same_reference
from connectors.business_central.open_days import OpenDaysReader
from connectors.business_central.readiness import problems
from connectors.business_central.settings import SCOPE, BusinessCentralSettings
from connectors.contract import (
    Absent,
    AttachOutcome,
    Attempted,
    Document,
    Finding,
    Found,
    Limits,
    NotSent,
    Permit,
    Posting,
    PostOutcome,
    Problem,
    ReceiptFile,
    Unavailable,
)
from connectors.hosts import AllowedHosts
from connectors.http import HttpClient, Timeouts
from connectors.oauth2 import ClientCredentials, TokenSource
from connectors.pacing import Pace
from connectors.shared_answer import SharedAnswer

_TOKEN_CONNECTIONS = 1

Clock = Callable[[ZoneInfo], datetime]


class BusinessCentralConnector:
    """`pace` may be shared with other organisations. `now` gives the time in a zone."""

    def __init__(
        self,
        settings: BusinessCentralSettings,
        credentials: Mapping[str, str],
        mapping: AccountMapping,
        hosts: AllowedHosts,
        pace: Pace,
        now: Clock = datetime.now,
    ) -> None:
        self._settings = settings
        self._mapping = mapping
        self._now = now
        self._pace = pace
        self._http = _http_client(settings, hosts)
        self._api = _company_api(settings, credentials, self._http, pace)
        self._open_days = OpenDaysReader(self._api)
        self._booking = Booking(self._api, self._open_days)
        self._currency: str | None = None
        self._asked: SharedAnswer[str | NotSent | Unavailable] = SharedAnswer()

    @property
    def limits(self) -> Limits:
        """A second posted invoice of a vendor with the same number is refused (`vendorInvoiceNumber`; page 30042)."""
        life = timedelta(seconds=self._settings.quarantine_seconds)
        return Limits(self._settings.concurrency, life, refuses_duplicates=True)

    @property
    def attaches_receipts(self) -> bool:
        return self._settings.attach_receipts

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        currency = await self._company_currency()
        if not isinstance(currency, str):
            return currency
        return await self._booking.book(posting, permit, currency)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        """A draft counts as absent: it moves no money, nothing will post it, and the next attempt removes it."""
        currency = await self._company_currency()
        if not isinstance(currency, str):
            return currency
        references = [one.reference for one in attempts]
        invoices = await self._api.invoices(references)
        if isinstance(invoices, NotSent | Unavailable):
            return invoices
        posted = [invoice for invoice in invoices if invoice.is_posted]
        return {reference: _finding(reference, posted, currency) for reference in references}

    async def attach(self, document_id: str, receipt: ReceiptFile, permit: Permit) -> AttachOutcome:
        return await ReceiptUpload(self._api, UUID(document_id), receipt, permit).run()

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        today = self._now(ZoneInfo(self._settings.time_zone)).date()
        return await problems(self._api, self._mapping, today)

    async def close(self) -> None:
        self._pace.retire()
        await self._http.close()

    async def _company_currency(self) -> str | NotSent | Unavailable:
        """Read once, however many ask at once: a company's own currency cannot be changed after its first entry."""
        return self._currency if self._currency is not None else await self._asked.of(self._read_currency)

    async def _read_currency(self) -> str | NotSent | Unavailable:
        if self._currency is None:
            rows = await self._api.rows("companyInformation")
            if isinstance(rows, NotSent | Unavailable):
                return rows
            currency = rows[0].get("currencyCode") if rows and isinstance(rows[0], Mapping) else None
            if not isinstance(currency, str) or not currency:
                return NotSent("Business Central did not state the company's currency.")
            self._currency = currency
        return self._currency


def _finding(reference: str, posted: Sequence[Invoice], company_currency: str) -> Finding:
    for invoice in posted:
        if same_reference(invoice.reference, reference):
            document = Document(number=invoice.number, erp_id=invoice.erp_id)
            return Found(document, invoice.total, invoice.currency or company_currency)
    return Absent()


def _http_client(settings: BusinessCentralSettings, hosts: AllowedHosts) -> HttpClient:
    timeouts = Timeouts(read=settings.read_timeout_seconds, total=settings.read_timeout_seconds * 2)
    return HttpClient(hosts, timeouts, connections=settings.concurrency + _TOKEN_CONNECTIONS)


def _company_api(
    settings: BusinessCentralSettings, credentials: Mapping[str, str], http: HttpClient, pace: Pace
) -> CompanyApi:
    signing = ClientCredentials(settings.sign_in_url, credentials["client_id"], credentials["client_secret"], SCOPE)
    return CompanyApi(http, TokenSource(http, signing), pace, settings.company_url)
