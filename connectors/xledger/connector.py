"""One organisation's link to one company in Xledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from connectors.account_mapping import AccountMapping
from connectors.contract import (
    Absent,
    Accepted,
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
from connectors.http import HttpClient, Request, Timeouts, Uncertain, json_body
from connectors.mapped_names import mapped_accounts, mapped_claimants
from connectors.pacing import Pace
from connectors.xledger.answers import Reply, read_reply, refused_query
from connectors.xledger.courier import Courier, Inputs
from connectors.xledger.documents import Books, dimension_slots, voucher
from connectors.xledger.queries import ADD_VOUCHERS, FIND_ERRORS, FIND_VOUCHERS, READ_NAMES
from connectors.xledger.settings import XledgerSettings
from connectors.xledger.vouchers import (
    Holdings,
    conflict_of,
    findings,
    holdings_in,
    known_codes,
    messages_in,
)

_REFERENCES_A_QUERY = 200

Clock = Callable[[ZoneInfo], datetime]


class XledgerConnector:
    """`pace` may be shared with other organisations. `now` gives the time in a zone; it dates postings whose mapping
    asks for the first open date."""

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
        self._token = SecretStr(token)
        self._mapping = mapping
        self._now = now
        self._books = Books(settings.transaction_source, settings.company_currency, dimension_slots(mapping))
        timeouts = Timeouts(read=settings.read_timeout_seconds, total=settings.read_timeout_seconds * 2)
        self._http = HttpClient(hosts, timeouts, connections=settings.concurrency)
        self._pace = pace
        self._courier = Courier(pace, self._send_vouchers, self._taken, self._local_now, settings.concurrency)

    @property
    def limits(self) -> Limits:
        """Xledger takes a second voucher under the same reference. Many travel in one request."""
        return Limits(
            self._settings.concurrency * self._settings.vouchers_per_request,
            timedelta(seconds=self._settings.quarantine_seconds),
            longest_import=timedelta(seconds=self._settings.import_limit_seconds),
        )

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        nodes = voucher(posting, posting.posting_date or self._local_now().date(), self._books)
        if isinstance(nodes, Rejected):
            return nodes
        if posting.attempt > 1:
            settled = await self._settle_earlier(posting)
            if settled is not None:
                return settled
        return await self._courier.add(posting, nodes, permit)

    async def look_up(self, references: Sequence[str]) -> Mapping[str, Finding] | NotSent | Unavailable:
        found: dict[str, Finding] = {}
        for start in range(0, len(references), _REFERENCES_A_QUERY):
            batch = list(references[start : start + _REFERENCES_A_QUERY])
            holdings = await self._holdings(batch)
            if isinstance(holdings, NotSent | Unavailable):
                return holdings
            if holdings.is_cut and len(batch) > 1:
                return await self._look_up_halves(references)
            found |= findings(batch, holdings)
        return found

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        accounts, suppliers = mapped_accounts(self._mapping), mapped_claimants(self._mapping)
        data = await self._query(READ_NAMES, {"accounts": accounts, "suppliers": suppliers})
        if isinstance(data, NotSent | Unavailable):
            return data
        return [
            *_problems("account", accounts, known_codes(data, "accounts")),
            *_problems("supplier", suppliers, known_codes(data, "suppliers")),
            *_counter_account_problems(self._mapping),
        ]

    async def close(self) -> None:
        await self._courier.close()
        await self._http.close()

    async def _look_up_halves(self, references: Sequence[str]) -> Mapping[str, Finding] | NotSent | Unavailable:
        middle = len(references) // 2
        first = await self.look_up(references[:middle])
        if isinstance(first, NotSent | Unavailable):
            return first
        second = await self.look_up(references[middle:])
        return second if isinstance(second, NotSent | Unavailable) else {**first, **second}

    async def _holdings(self, references: Sequence[str]) -> Holdings | NotSent | Unavailable:
        data = await self._query(FIND_VOUCHERS, {"references": references})
        if isinstance(data, NotSent | Unavailable):
            return data
        holdings = holdings_in(data)
        if holdings is None:
            return NotSent("Xledger's answer to a look-up was not readable.")
        rows = holdings.rows_in_question()
        if not rows:
            return holdings
        errors = await self._query(FIND_ERRORS, {"rows": rows})
        if isinstance(errors, NotSent | Unavailable):
            return errors
        return replace(holdings, messages=messages_in(errors))

    async def _settle_earlier(self, posting: Posting) -> PostOutcome | None:
        """Xledger takes a second voucher under the same reference, so an earlier try is looked for. None:
        the way is free."""
        seen = await self.look_up([posting.reference])
        if isinstance(seen, NotSent | Unavailable):
            return seen
        match seen[posting.reference]:
            case Found(document=document, total=total, currency=currency):
                if (total, currency) == (posting.total, posting.currency):
                    return Posted(document)
                return Unknown(conflict_of(document, total, currency, posting), conflict=document)
            case Staged(document=document):
                return self._accepted(document)
            case Absent() | ImportRefused():
                return None

    async def _query(self, text: str, variables: Mapping[str, object]) -> Mapping[str, object] | NotSent | Unavailable:
        reply = await self._ask(text, variables, None)
        if isinstance(reply, Uncertain):
            return NotSent(f"Xledger could not be read: {reply.evidence}.")
        if not isinstance(reply, Reply):
            return reply
        return refused_query(reply, self._local_now()) or reply.data

    async def _ask(
        self, text: str, variables: Mapping[str, object], permit: Permit | None
    ) -> Reply | NotSent | Unavailable | Uncertain:
        async with self._pace:
            return await self._exchange(text, variables, permit)

    async def _send_vouchers(self, inputs: Inputs, permit: Permit) -> Reply | NotSent | Unavailable | Uncertain:
        """The courier keeps to the pace by itself."""
        return await self._exchange(ADD_VOUCHERS, {"inputs": inputs}, permit)

    async def _exchange(
        self, text: str, variables: Mapping[str, object], permit: Permit | None
    ) -> Reply | NotSent | Unavailable | Uncertain:
        # "Bearer" is refused: Xledger's scheme is called "token".
        headers = {
            "Authorization": f"token {self._token.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        body = json_body({"query": text, "variables": variables})
        return read_reply(await self._http.send(Request("POST", self._settings.base_url, headers, body), permit))

    def _taken(self, posting: Posting, ids: Sequence[str]) -> Accepted:
        return self._accepted(Document(number=posting.reference, erp_id=",".join(ids)))

    def _accepted(self, document: Document) -> Accepted:
        return Accepted(document, timedelta(seconds=self._settings.check_after_seconds))

    def _local_now(self) -> datetime:
        return self._now(ZoneInfo(self._settings.time_zone))


def _problems(noun: str, codes: Sequence[str], known: frozenset[str]) -> list[Problem]:
    return [Problem(f"{noun} {code}", f"Xledger has no {noun} {code}.") for code in codes if code not in known]


def _counter_account_problems(mapping: AccountMapping) -> list[Problem]:
    if mapping.counter_account is not None:
        return []
    return [Problem("counter_account", "The mapping needs counter_account: what is owed to the claimant.")]
