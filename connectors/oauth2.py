"""OAuth 2.0 client credentials: one cached token of one organisation, renewed before it ends, one renewal at a time.

Facts: RFC 6749 sections 4.4 (the grant), 5.1 (`expires_in`) and 5.2 (errors). Entra's tokens last 60 to 90 minutes,
and 24 hours at the most (Microsoft Learn, "Configurable token lifetimes").
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from connectors.contract import NotSent, Unavailable
from connectors.http import (
    Answer,
    HttpClient,
    NotDelivered,
    Request,
    Uncertain,
    json_of,
    retry_after_from,
)
from connectors.shared_answer import SharedAnswer

_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_RENEW_BEFORE_SECONDS = 300
_SHORTEST_LIFE_SECONDS = 30
_USUAL_LIFE_SECONDS = 3600
_LONGEST_LIFE_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class AccessToken:
    """`renew_at` is on the monotonic clock: a step of the wall clock must not revive a dead token."""

    value: str = field(repr=False)
    renew_at: float


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What the organisation's app registration signs in with."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str


class TokenSource:
    """Hands out the current token. `clock` gives monotonic seconds."""

    def __init__(
        self, http: HttpClient, credentials: ClientCredentials, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._token: AccessToken | None = None
        self._asked: SharedAnswer[AccessToken | NotSent | Unavailable] = SharedAnswer()

    async def token(self) -> AccessToken | NotSent | Unavailable:
        return self._usable() or await self._asked.of(self._renew)

    def forget(self, refused: AccessToken) -> None:
        """After a 401. A token that someone else has renewed in the meantime stays."""
        if self._token == refused:
            self._token = None

    def _usable(self) -> AccessToken | None:
        token = self._token
        return token if token is not None and self._clock() < token.renew_at else None

    async def _renew(self) -> AccessToken | NotSent | Unavailable:
        asked_at = self._clock()
        answer = await self._http.send(_token_request(self._credentials))
        token = _token_from(answer, asked_at, self._credentials.client_id)
        self._token = token if isinstance(token, AccessToken) else None
        return token


def _token_request(credentials: ClientCredentials) -> Request:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "scope": credentials.scope,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request("POST", credentials.token_url, headers, urlencode(form).encode())


def _token_from(
    answer: Answer | NotDelivered | Uncertain, asked_at: float, client_id: str
) -> AccessToken | NotSent | Unavailable:
    """Signing in carries no reimbursement, so whatever goes wrong on the way is `NotSent`."""
    if isinstance(answer, NotDelivered | Uncertain):
        return NotSent(f"Signing in failed: {answer.evidence}.")
    content = json_of(answer)
    fields: Mapping[str, object] = content if isinstance(content, dict) else {}
    if answer.status == HTTPStatus.OK:
        return _read_token(fields, asked_at) or NotSent("Signing in failed: the answer held no token.")
    if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _refused(fields, client_id)
    return NotSent(f"Signing in failed with HTTP {answer.status}.", retry_after_from(answer))


def _read_token(fields: Mapping[str, object], asked_at: float) -> AccessToken | None:
    value = fields.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,16384}", value):
        return None
    seconds = _life(fields.get("expires_in"))
    margin = min(_RENEW_BEFORE_SECONDS, seconds / 2)
    return AccessToken(value, asked_at + max(seconds - margin, min(seconds, _SHORTEST_LIFE_SECONDS)))


def _life(stated: object) -> float:
    """Seconds. What is no number counts as the usual life; a life longer than the longest is not believed."""
    if not re.fullmatch(r"[0-9]{1,12}", str(stated)):
        return _USUAL_LIFE_SECONDS
    return min(float(str(stated)), _LONGEST_LIFE_SECONDS)


def _refused(fields: Mapping[str, object], client_id: str) -> Unavailable:
    # error_description quotes identifiers of the directory; the code alone says enough.
    code = fields.get("error")
    named = f" ({code})" if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""
    # An application id is a GUID; whatever else was typed there may be the secret.
    app = f" {client_id}" if re.fullmatch(_GUID, client_id) else ""
    return Unavailable(
        f"The sign-in service refused the client id or secret{named}. Renew the client secret of the app "
        f"registration{app} and configure the connector again."
    )
