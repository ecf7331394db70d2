"""A connector for the plainest ERP there can be: one POST for each item, answered with the document's number.

The worker learns of it as of any adapter: from the entry-point group `accounting_sync.connectors` (`dispatch_worker`
puts one on the path of the process under measurement). `GATE` holds back what goes beyond 32 requests at once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from connectors.account_mapping import AccountMapping
from connectors.contract import (
    AccountingConnector,
    Attempted,
    ConnectorFactory,
    ConnectorKind,
    Document,
    Environment,
    Finding,
    Limits,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Problem,
    Unavailable,
    Unknown,
)
from connectors.hosts import AllowedHosts
from connectors.http import Answer, HttpClient, NotDelivered, Request, Timeouts, json_body, json_of

KIND: Final = "plain"
IN_FLIGHT: Final = 32
CONCURRENCY: Final = 4
"""Of one organisation, as Business Central's adapter has it by default."""

GATE = asyncio.Semaphore(IN_FLIGHT)
"""Of the whole process, as the peers' one HTTP session has it."""

CREATED = 201


class PlainConnector:
    """`base_url` ends with the organisation."""

    def __init__(self, base_url: str, token: str, hosts: AllowedHosts) -> None:
        self._url = base_url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._http = HttpClient(hosts, Timeouts(), connections=CONCURRENCY)

    @property
    def limits(self) -> Limits:
        return Limits(CONCURRENCY, timedelta(minutes=5))

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        request = Request("POST", self._url, self._headers, json_body(_content(posting)))
        async with GATE:
            answer = await self._http.send(request, permit)
        if isinstance(answer, Answer):
            return _posted(answer)
        if isinstance(answer, NotDelivered):
            return NotSent(answer.evidence)
        return Unknown(answer.evidence)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        raise NotImplementedError("Nothing is to be looked up where every request is answered.")

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        return ()

    async def close(self) -> None:
        await self._http.close()


class _Factory:
    kind = ConnectorKind(KIND)
    title = "Plain ERP"
    secret_fields = frozenset({"token"})
    ledger_fields = frozenset({"base_url"})

    def validate(self, settings: Mapping[str, object], environment: Environment) -> None:
        """It is configured by the benchmark alone."""

    def connect(
        self,
        settings: Mapping[str, object],
        credentials: Mapping[str, str],
        mapping: AccountMapping,  # noqa: ARG002  # the contract's; nothing is checked here
        environment: Environment,
    ) -> AccountingConnector:
        hosts = AllowedHosts(frozenset(), environment.extra_allowed_hosts)
        return PlainConnector(str(settings["base_url"]), credentials["token"], hosts)


factory: ConnectorFactory = _Factory()


def _content(posting: Posting) -> dict[str, object]:
    return {
        "reference": posting.reference,
        "vendor": posting.claimant,
        "currency": posting.currency,
        "total": str(posting.total),
        "document_date": posting.document_date.isoformat(),
        "posting_date": posting.posting_date.isoformat(),
        "text": posting.text,
        "counter_account": posting.counter_account,
        "lines": [
            {"account": line.account, "amount": str(line.amount), "text": line.text, "tax_code": line.tax_code}
            for line in posting.lines
        ],
    }


def _posted(answer: Answer) -> PostOutcome:
    content = json_of(answer)
    if answer.status != CREATED or not isinstance(content, dict):
        return Unknown(f"The ERP answered {answer.status}.")
    number = str(content["number"])
    return Posted(Document(number, number))
