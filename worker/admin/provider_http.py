"""How this service speaks with its identity provider: to the address given, shortly, and without believing much."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import httpx2

LARGEST_ANSWER = 256 * 1024
SECONDS_TO_CONNECT = 3.0
SECONDS_ALTOGETHER = 5.0


class ProviderAwayError(Exception):
    """It can't be reached, or answers what it should not. The text says what, without values, for the log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is a JSON object."""

    status: int
    body: Mapping[str, object]


class ProviderHttp:
    """No redirect is followed, no proxy of the environment used, and every answer is bounded in size and time."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(
            # The system's certificates: an organisation's own authority counts where the machine trusts it.
            verify=ssl.create_default_context(),
            timeout=httpx2.Timeout(SECONDS_ALTOGETHER, connect=SECONDS_TO_CONNECT),
            limits=httpx2.Limits(max_connections=10, keepalive_expiry=30),
            # Nothing is unpacked, so that a small answer can't become a large one.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, bearer: str | None = None) -> Mapping[str, object]:
        """Raises ProviderAwayError."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with _translated():
            request = self._client.build_request("GET", url, headers=headers)
            answer = await self._send(request)
        if answer.status != HTTPStatus.OK:
            raise ProviderAwayError(f"it answered {answer.status}")
        return answer.body

    async def post(self, url: str, form: Mapping[str, str], authorization: httpx2.BasicAuth | None) -> Answer:
        """Answers also what the provider refused (4xx). Raises ProviderAwayError."""
        async with _translated():
            request = self._client.build_request("POST", url, data=dict(form))
            answer = await self._send(request, authorization)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ProviderAwayError(f"it answered {answer.status}")
        return answer

    async def _send(self, request: httpx2.Request, authorization: httpx2.BasicAuth | None = None) -> Answer:
        async with asyncio.timeout(SECONDS_ALTOGETHER):
            response = await self._client.send(request, auth=authorization, stream=True)
            try:
                body = await _bounded(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, _object(body))


async def _bounded(response: httpx2.Response) -> bytes:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise ProviderAwayError("its answer is too large")
    return body


def _object(body: bytes) -> Mapping[str, object]:
    """What is no JSON object, such as a proxy's page, is as good as no answer."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderAwayError("its answer is not JSON") from None
    if not isinstance(read, dict):
        raise ProviderAwayError("its answer is not a JSON object")
    return read


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
        raise ProviderAwayError(type(error).__name__) from error
