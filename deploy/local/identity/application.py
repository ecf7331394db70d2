"""An OpenID Connect provider that believes whatever name one chooses; strict in everything else.

Endpoints: `/.well-known/openid-configuration`, `/authorize`, `/token` (authorization code with PKCE, client credentials
with `person=…`), `/userinfo`, `/jwks`, `/end-session`.
"""

import hashlib
import hmac
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc.errors import JoseError
from pydantic import BaseModel, Field

from deploy.local.identity.page import choice_page, message_page
from deploy.local.identity.people import PEOPLE, Person
from deploy.local.identity.signing import ALGORITHM, SigningKey

SECONDS_OF_A_CODE = 60
SECONDS_OF_A_TOKEN = 3600


@dataclass(frozen=True, slots=True)
class Client:
    """The one program that people sign in to. `audience` is what its API is called in access tokens."""

    id: str
    secret: str
    audience: str
    redirect_uris: tuple[str, ...]
    signed_out_uris: tuple[str, ...]


class Behaviour(BaseModel):
    """What tests change: who is chosen without a page, and members that go over the usual ones (null: left out)."""

    away: bool = False
    person: str | None = None
    metadata: dict[str, object] = Field(default_factory=dict)
    id_token: dict[str, object] = Field(default_factory=dict)
    user_info: dict[str, object] = Field(default_factory=dict)
    answer: dict[str, str | None] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    person: Person
    redirect_uri: str
    challenge: str
    nonce: str | None
    ends_at: float


@dataclass
class State:
    """`visits` counts requests by path, those that were cut off included."""

    key: SigningKey = field(default_factory=SigningKey)
    behaviour: Behaviour = field(default_factory=Behaviour)
    grants: dict[str, Grant] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)


class Provider:
    def __init__(self, issuer: str, client: Client, state: State) -> None:
        self._issuer = issuer
        self._client = client
        self._state = state

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._at_the_door])
        app.router.add_get("/.well-known/openid-configuration", self._metadata)
        app.router.add_get("/jwks", self._keys)
        app.router.add_get("/authorize", self._ask)
        app.router.add_post("/authorize", self._chosen)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._user_info)
        app.router.add_get("/end-session", self._end_session)
        return app

    @web.middleware
    async def _at_the_door(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Away: the connection is cut."""
        self._state.visits[request.path] += 1
        if self._state.behaviour.away and request.transport:
            request.transport.abort()
        return await handler(request)

    async def _metadata(self, _request: web.Request) -> web.Response:
        told: dict[str, object] = {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "userinfo_endpoint": f"{self._issuer}/userinfo",
            "jwks_uri": f"{self._issuer}/jwks",
            "end_session_endpoint": f"{self._issuer}/end-session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response(_over(told, self._state.behaviour.metadata))

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self._state.key.published())

    async def _ask(self, request: web.Request) -> web.Response:
        self._check_authorization_request(request)
        chosen = self._state.behaviour.person
        if chosen is not None:
            self._send_back(request, chosen)
        return _html(choice_page(PEOPLE.values(), str(request.rel_url)))

    async def _chosen(self, request: web.Request) -> web.Response:
        self._check_authorization_request(request)
        self._send_back(request, str((await request.post()).get("person", "")))

    def _check_authorization_request(self, request: web.Request) -> None:
        """Nobody is sent to an address that is not registered. Raises HTTPBadRequest."""
        query = request.query
        wrong = [
            name
            for name, is_right in {
                "client_id": query.get("client_id") == self._client.id,
                "redirect_uri": query.get("redirect_uri") in self._client.redirect_uris,
                "response_type": query.get("response_type") == "code",
                "scope": "openid" in query.get("scope", "").split(),
                "code_challenge": len(query.get("code_challenge", "")) == 43,  # noqa: PLR2004 -- a SHA-256 in base64
                "code_challenge_method": query.get("code_challenge_method") == "S256",
            }.items()
            if not is_right
        ]
        if wrong:
            text = message_page("This request can't be answered", f"Not as it should be: {', '.join(wrong)}.")
            raise web.HTTPBadRequest(text=text, content_type="text/html")

    def _send_back(self, request: web.Request, person_id: str) -> NoReturn:
        person = PEOPLE.get(person_id)
        answer: Mapping[str, object]
        answer = {"code": self._grant(request, person)} if person else {"error": "access_denied"}
        answer = {**answer, "state": request.query.get("state", ""), "iss": self._issuer}
        query = urlencode(_over(answer, self._state.behaviour.answer))
        raise web.HTTPSeeOther(f"{request.query['redirect_uri']}?{query}")

    def _grant(self, request: web.Request, person: Person) -> str:
        code = secrets.token_urlsafe(24)
        query = request.query
        self._state.grants[code] = Grant(
            person, query["redirect_uri"], query["code_challenge"], query.get("nonce"), time.time() + SECONDS_OF_A_CODE
        )
        return code

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_the_client(request, form):
            return _refused("invalid_client", 401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "client_credentials":
                person = PEOPLE.get(form.get("person", ""))
                return web.json_response(self._access(person)) if person else _refused("invalid_request")
            case _:
                return _refused("unsupported_grant_type")

    def _is_the_client(self, request: web.Request, form: Mapping[str, str]) -> bool:
        given = _basic(request.headers.get("Authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        return given[0] == self._client.id and hmac.compare_digest(given[1].encode(), self._client.secret.encode())

    def _redeem(self, form: Mapping[str, str]) -> web.Response:
        """A code is good once, whatever comes of it."""
        grant = self._state.grants.pop(form.get("code", ""), None)
        if (
            grant is None
            or grant.ends_at < time.time()
            or grant.redirect_uri != form.get("redirect_uri")
            or grant.challenge != _challenge(form.get("code_verifier", ""))
        ):
            return _refused("invalid_grant")
        access = self._access(grant.person)
        nonce = {"nonce": grant.nonce} if grant.nonce else {}
        told = _over({**self._claims(grant.person, self._client.id), **nonce}, self._state.behaviour.id_token)
        return web.json_response({**access, "id_token": self._state.key.sign(told)})

    def _access(self, person: Person) -> dict[str, object]:
        claims = {**self._claims(person, self._client.audience), "client_id": self._client.id}
        token = self._state.key.sign(claims, {"typ": "at+jwt"})
        return {"access_token": token, "token_type": "Bearer", "expires_in": SECONDS_OF_A_TOKEN}

    def _claims(self, person: Person, audience: str) -> dict[str, object]:
        now = int(time.time())
        times = {"iat": now, "exp": now + SECONDS_OF_A_TOKEN}
        return {"iss": self._issuer, "aud": audience, **times, "jti": secrets.token_hex(8), **person.claims()}

    async def _user_info(self, request: web.Request) -> web.Response:
        try:
            claims = self._state.key.claims_of(request.headers.get("Authorization", "").removeprefix("Bearer "))
        except (JoseError, ValueError):
            return _refused("invalid_token", 401)
        return web.json_response(_over(PEOPLE[claims["sub"]].claims(), self._state.behaviour.user_info))

    async def _end_session(self, request: web.Request) -> web.Response:
        """No session is kept here: each sign-in asks anew."""
        return_to = request.query.get("post_logout_redirect_uri")
        if return_to in self._client.signed_out_uris:
            raise web.HTTPSeeOther(str(return_to))
        return _html(message_page("Signed out", "You may close this page."))


def _over(usual: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def _basic(header: str) -> tuple[str, str] | None:
    if not header.startswith("Basic "):
        return None
    name, _, secret = b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return unquote(name), unquote(secret)


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refused(error: str, status: int = 400) -> web.Response:
    return web.json_response({"error": error}, status=status)


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")
