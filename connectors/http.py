"""The one HTTP policy: where requests may go, how long and how much they may take, and what may be said about failures.

What comes back is a value. The distinction that matters is `NotDelivered` (certainly not processed) against
`Uncertain`; it rests on whether any of the request was handed to the connection, never on the class of an
exception: a reset looks the same before and after the server ran the request, and so does a kept-alive
connection that the server had closed.
"""

import asyncio
import io
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Final, Literal, NoReturn

import aiohttp
from yarl import URL

from connectors.activity import is_heard_of
from connectors.contract import Permit
from connectors.hosts import AllowedHosts

LARGEST_BODY: Final = 4 * 1024 * 1024
"""Bytes. The largest answer we ask for, a look-up of some hundred references, stays below 1 MiB."""

PERMIT_ENDED: Final = "the permit to send ended before the request left"
TOO_LARGE: Final = "the answer was too large"

_WRITTEN_AT_ONCE: Final = 1024 * 1024
"""Bytes. A larger body is handed over in pieces, with a turn for others in between."""


@dataclass(frozen=True, slots=True)
class Request:
    """`url` is absolute and encoded. What it carries stays out of its repr."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """The server certainly did not process the request. `evidence` quotes no content."""

    evidence: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The request may have left, and no whole answer came back. `evidence` quotes no content."""

    evidence: str


Failure = NotDelivered | Uncertain


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` is the longest silence of a connection; `total` bounds the request whatever trickles in."""

    connect: float = 10
    read: float = 60
    total: float = 120


class _PermitEndedError(Exception):
    """Carries the refusal through aiohttp, which has no other way to give up at the last moment."""


class _TooLargeError(Exception):
    """The answer is larger than it may be, by its own word or in fact."""


@dataclass(slots=True)
class _Flight:
    """`may_have_left`: something was handed to the connection. `is_refused`: the permit ended before that."""

    permit: Permit | None
    has_body: bool
    may_have_left: bool = False
    is_refused: bool = False

    def leave(self) -> None:
        """Raises _PermitEndedError. What has begun to leave goes on: the rest of a body can't be kept back."""
        if self.permit is not None and not self.may_have_left and not self.permit.is_valid():
            self.is_refused = True
            raise _PermitEndedError
        self.may_have_left = True


class HttpClient:
    """Kept-alive connections of one connector. The session is opened by the first request."""

    def __init__(
        self, hosts: AllowedHosts, timeouts: Timeouts, connections: int, largest_body: int = LARGEST_BODY
    ) -> None:
        self._hosts = hosts
        self._timeouts = timeouts
        self._connections = connections
        self._largest_body = largest_body
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, permit: Permit | None = None) -> Answer | Failure:
        """Sends one request, once. `permit` comes with every request that carries a reimbursement."""
        refusal = self._hosts.refusal(request.url)
        if refusal is not None:
            return NotDelivered(f"the address {refusal}")
        if permit is not None and not permit.is_valid():
            return NotDelivered(PERMIT_ENDED)
        is_heard_of(within=self._timeouts.total)
        try:
            return await self._exchange(request, _Flight(permit, has_body=bool(request.body)))
        finally:
            is_heard_of()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, request: Request, flight: _Flight) -> Answer | Failure:
        try:
            async with self._open_session().request(
                request.method,
                _as_encoded(request.url),
                headers=request.headers,
                data=_in_pieces(request.body),
                allow_redirects=False,
                trace_request_ctx=flight,
            ) as response:
                return Answer(response.status, _lower(response.headers), await _read(response, self._largest_body))
        except (_PermitEndedError, aiohttp.ClientError, OSError, TimeoutError, _TooLargeError) as error:
            evidence = PERMIT_ENDED if flight.is_refused else _evidence(error)
        return Uncertain(evidence) if flight.may_have_left else NotDelivered(evidence)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(
                    total=self._timeouts.total,
                    connect=self._timeouts.connect,
                    sock_read=self._timeouts.read,
                ),
                # Compressed answers could unfold past the size limit, so none is asked for nor unfolded.
                headers={"Accept-Encoding": "identity", "User-Agent": "accounting-sync"},
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_last_moment()],
            )
        return self._session


def json_of(answer: Answer) -> object | None:
    """The answer's JSON with exact decimals; None where it is not JSON, or JSON's own null.

    A text that was cut amid a character of two UTF-16 units ends in half of one, which JSON lets pass and nothing else
    takes: no database, and no event. It becomes a question mark.
    """
    try:
        parsed: object = json.loads(answer.body, parse_float=Decimal, parse_constant=_refuse_constant)
        return _without_halves(parsed) if _MAY_HOLD_HALVES.search(answer.body) else parsed
    except (ValueError, RecursionError):
        return None


_MAY_HOLD_HALVES: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def _without_halves(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_without_halves(one) for one in value]
        case dict():
            return {_without_halves(key): _without_halves(one) for key, one in value.items()}
        case _:
            return value


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def json_body(content: object) -> bytes:
    return _ENCODER.encode(content).encode()


def retry_after_from(answer: Answer) -> timedelta | None:
    """The server's wish, between a second and an hour; a date or nonsense counts as no wish."""
    wish = answer.headers.get("retry-after", "")
    if not re.fullmatch(r"[0-9]{1,9}", wish):
        return None
    return timedelta(seconds=min(max(int(wish), 1), 3600))


def _last_moment() -> aiohttp.TraceConfig:
    """Where a request can still turn back. Its head is kept until its first bytes of body are written with it, so for a
    body the very last moment is the one before those: nothing is awaited between the permit's answer and the write."""

    async def before_head(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        flight: _Flight = context.trace_request_ctx
        if not flight.has_body:
            flight.leave()

    async def before_body(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        flight: _Flight = context.trace_request_ctx
        flight.leave()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(before_head)
    config.on_request_chunk_sent.append(before_body)
    return config


def _in_pieces(body: bytes | None) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if body is not None and len(body) > _WRITTEN_AT_ONCE else body


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    if (response.content_length or 0) > largest:
        raise _TooLargeError
    if response.content_length is not None:  # no more than that is read
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > largest:
            raise _TooLargeError
    return bytes(body)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _as_encoded(url: str) -> URL:
    # Without `encoded`, yarl would decode and re-encode a filter, and a doubled quote or a plus sign could change.
    return URL(url, encoded=True)


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _evidence(error: Exception) -> str:
    # Never str(error): it may quote addresses, headers or parts of a body.
    for kinds, words in _EVIDENCE:
        if isinstance(error, kinds):
            return words
    return "the connection failed"


_EVIDENCE: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    (_TooLargeError, TOO_LARGE),
    (aiohttp.ClientConnectorDNSError, "the host's name could not be resolved"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "no secure connection could be made"),
    (aiohttp.ConnectionTimeoutError, "connecting timed out"),
    ((asyncio.TimeoutError, aiohttp.ServerTimeoutError), "the answer timed out"),
    (aiohttp.ClientConnectorError, "the connection was refused"),
    (aiohttp.ServerDisconnectedError, "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "the answer was cut off"),
    (aiohttp.ClientResponseError, "the answer was not HTTP"),
    (aiohttp.InvalidURL, "the address is not valid"),
    ((aiohttp.ClientOSError, OSError), "the connection was cut"),
)
