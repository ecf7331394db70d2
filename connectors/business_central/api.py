"""Calls to one company of Business Central: signed in, paced, and asked for English messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urlencode

from connectors.business_central.answers import refused_read
from connectors.business_central.documents import Invoice, invoices_in, reference_filter
from connectors.contract import NotSent, Permit, Unavailable
from connectors.http import Answer, HttpClient, NotDelivered, Request, Uncertain, json_body, json_of
from connectors.oauth2 import AccessToken, TokenSource
from connectors.pacing import Pace

Reply = Answer | Uncertain | NotSent | Unavailable
"""`Answer` never has status 401: that has become `Unavailable` after one new token."""

_REFERENCES_A_REQUEST = 20
"""Keeps the filter below 2,000 characters, which every proxy passes."""

_MOST_CALLS = 100
"""In one `$batch`; Microsoft Learn, "Operational limits"."""

_MOST_PAGES = 20

DRAFT_GONE = NotSent("The draft was gone before it could be posted.")
_NEXT = "@odata.nextLink"


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One call inside a `$batch`; `path` is inside the company."""

    method: Literal["POST", "PATCH"]
    path: str
    content: Mapping[str, object]
    etag: str | None = None

    def wire(self, number: int, company: str) -> dict[str, object]:
        headers = {"Content-Type": "application/json", **({"If-Match": self.etag} if self.etag is not None else {})}
        return {
            "id": str(number),
            "method": self.method,
            "url": f"{company}/{self.path}",
            "headers": headers,
            "body": self.content,
        }


class CompanyApi:
    """`url` is the company's address, without a slash at its end."""

    def __init__(self, http: HttpClient, tokens: TokenSource, pace: Pace, url: str) -> None:
        self._http = http
        self._tokens = tokens
        self._pace = pace
        self._url = url

    async def write(
        self,
        method: Literal["POST", "DELETE"],
        path: str,
        *,
        content: object | None = None,
        etag: str | None = None,
        permit: Permit | None = None,
    ) -> Reply:
        headers = {"If-Match": etag} if etag is not None else {}
        body = json_body(content) if content is not None else None
        return await self._signed(method, f"{self._url}/{path}", headers, body, permit)

    async def upload(self, path: str, content: bytes, media_type: str, permit: Permit) -> Reply:
        """Replaces a stream as a whole, whichever version of it is there."""
        headers = {"If-Match": "*", "Content-Type": media_type}
        return await self._signed("PATCH", f"{self._url}/{path}", headers, content, permit)

    async def batch(
        self, calls: Sequence[BatchCall], permit: Permit
    ) -> list[Answer] | Uncertain | NotSent | Unavailable:
        """One answer for each call that was reached, in their order; a refusal is the last. A hundred calls a
        request, each hundred whole or not at all (`Isolation: snapshot`). For drafts: doubt is `NotSent`."""
        answers: list[Answer] = []
        for start in range(0, len(calls), _MOST_CALLS):
            part = await self._batch(calls[start : start + _MOST_CALLS], permit)
            if not isinstance(part, list):
                return part
            answers += part
            if not all(_is_success(answer) for answer in part):
                break
        return answers

    async def _batch(
        self, calls: Sequence[BatchCall], permit: Permit
    ) -> list[Answer] | Uncertain | NotSent | Unavailable:
        root, _, company = self._url.rpartition("/")
        body = json_body({"requests": [call.wire(number, company) for number, call in enumerate(calls, start=1)]})
        reply = await self._signed("POST", f"{root}/$batch", {"Isolation": "snapshot"}, body, permit)
        if not isinstance(reply, Answer):
            return reply
        if reply.status != HTTPStatus.OK:
            return refused_read(reply)
        answers = _answers_in(json_of(reply))
        if not answers or (len(answers) < len(calls) and _is_success(answers[-1])):
            return NotSent("Business Central's answer to a batch was not readable.")
        return answers

    async def read(self, path: str, **query: str) -> object | NotSent | Unavailable:
        """The JSON of one GET. `query` is without its `$`: `filter`, `select`."""
        return await self._read(path, query)

    async def draft(self, erp_id: str, **query: str) -> object | NotSent | Unavailable:
        """The JSON of one draft. Somebody may have deleted it: what a missing one is answered with no page says, and
        whether the company is still there the next request will tell."""
        return await self._read(f"purchaseInvoices({erp_id})", query, missing=DRAFT_GONE)

    async def rows(self, path: str, **query: str) -> Sequence[object] | NotSent | Unavailable:
        """All rows of a collection, page after page."""
        content = await self.read(path, **query)
        rows: list[object] = []
        for _ in range(_MOST_PAGES):
            if not isinstance(content, dict):
                return _unreadable(content)
            rows += content.get("value") or ()
            following = content.get(_NEXT)
            if not isinstance(following, str):
                return rows
            content = await self._get(following)
        return NotSent("Business Central's answer had too many pages.")

    async def invoices(self, references: Sequence[str]) -> list[Invoice] | NotSent | Unavailable:
        """Drafts and posted invoices under these references, in requests of twenty references."""
        found: list[Invoice] = []
        for start in range(0, len(references), _REFERENCES_A_REQUEST):
            batch = references[start : start + _REFERENCES_A_REQUEST]
            rows = await self.rows("purchaseInvoices", filter=reference_filter(batch))
            if isinstance(rows, NotSent | Unavailable):
                return rows
            invoices = invoices_in({"value": rows})
            if invoices is None:
                return NotSent("Business Central's list of invoices was not readable.")
            found += invoices
        return found

    async def _read(
        self, path: str, query: Mapping[str, str], missing: NotSent | None = None
    ) -> object | NotSent | Unavailable:
        named = {f"${name}": value for name, value in query.items()}
        return await self._get(f"{self._url}/{path}{'?' if named else ''}{urlencode(named, quote_via=quote)}", missing)

    async def _get(self, url: str, missing: NotSent | None = None) -> object | NotSent | Unavailable:
        """`missing` is what a 404 means, where it is not about the company."""
        reply = await self._signed("GET", url, {}, None, None)
        if isinstance(reply, Uncertain):
            return NotSent(f"Business Central could not be read: {reply.evidence}.")
        if not isinstance(reply, Answer):
            return reply
        if reply.status == HTTPStatus.NOT_FOUND and missing is not None:
            return missing
        return json_of(reply) if reply.status == HTTPStatus.OK else refused_read(reply)

    async def _signed(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE"],
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        permit: Permit | None,
    ) -> Reply:
        reply: Reply = Unavailable("Business Central was not asked.")
        for _ in range(2):
            token = await self._tokens.token()
            if not isinstance(token, AccessToken):
                return token
            reply = await self._send(Request(method, url, _headers(token, headers, body), body), permit)
            if not (isinstance(reply, Answer) and reply.status == HTTPStatus.UNAUTHORIZED):
                return reply
            self._tokens.forget(token)
        return refused_read(reply) if isinstance(reply, Answer) else reply

    async def _send(self, request: Request, permit: Permit | None) -> Reply:
        async with self._pace:
            reply = await self._http.send(request, permit)
        if isinstance(reply, NotDelivered):
            return NotSent(f"Business Central was not reached: {reply.evidence}.")
        return reply


def _headers(token: AccessToken, extra: dict[str, str], body: bytes | None) -> dict[str, str]:
    # English, because one refusal ("already exists for this vendor") has no code of its own.
    common = {
        "Authorization": f"Bearer {token.value}",
        "Accept": "application/json",
        "Accept-Language": "en-US",
    }
    return common | ({"Content-Type": "application/json"} if body is not None else {}) | extra


def _is_success(answer: Answer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def _answers_in(content: object) -> list[Answer]:
    """What stands inside the 200 of a `$batch`; empty where it has another form."""
    responses = content.get("responses") if isinstance(content, Mapping) else None
    if not isinstance(responses, list) or not all(isinstance(each, Mapping) for each in responses):
        return []
    if not all(isinstance(each.get("status"), int) for each in responses):
        return []
    return [Answer(each["status"], {}, _encoded(each.get("body"))) for each in responses]


def _encoded(body: object) -> bytes:
    return json.dumps(body, default=str).encode() if body is not None else b""


def _unreadable(content: object) -> NotSent | Unavailable:
    if isinstance(content, NotSent | Unavailable):
        return content
    return NotSent("Business Central's answer was not readable.")
