"""Sign-in with the identity provider: the authorization code flow with PKCE, state and nonce.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, RFC 7636 (PKCE), RFC 9207 (`iss` of the answer),
RFC 9700 (what to heed). Between leaving and coming back nothing is kept here: the browser holds it, sealed, for ten
minutes, in a cookie that no other browser has. A code that was used is refused by the provider.
"""

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote

import httpx2
import structlog
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from pydantic import TypeAdapter, ValidationError

from worker.admin.provider import Metadata, Provider
from worker.admin.provider_http import ProviderAwayError
from worker.admin.signatures import SECONDS_OF_LEEWAY, Signed, UntrustedError, expected_claims, read_signed
from worker.vault import Vault, VaultError

log = structlog.get_logger(__name__)

SCOPE = "openid profile"
SECONDS_TO_COME_BACK = 600
LONGEST_CODE = 4096
LONGEST_HINT = 4096
"""Of an ID token in an address; the provider asks the person where it is left out."""
SEALED_AS = "sign-in"


class WhyNot(StrEnum):
    """Why somebody is not signed in."""

    STALE = "stale"
    DENIED = "denied"
    REFUSED = "refused"
    NO_ROLE = "no_role"
    AWAY = "away"
    NOT_CONFIGURED = "not_configured"


class SignInError(Exception):
    """`detail` is for the log: a fixed word, never what was sent."""

    def __init__(self, why: WhyNot, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Client:
    """What this service is at the provider. Without a secret it is a public client, and PKCE alone guards the code."""

    id: str
    secret: str | None
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Way:
    """What has to be known again when the browser comes back. `at`: seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    next_path: str
    at: int


@dataclass(frozen=True, slots=True)
class Departure:
    """`cookie` is for this browser alone."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """`claims` as the provider vouches for them."""

    claims: Mapping[str, object]
    id_token: str
    next_path: str


@dataclass(frozen=True, slots=True)
class _Tokens:
    id_token: str
    access_token: str


_WAY = TypeAdapter(Way)
_TOKENS = TypeAdapter(_Tokens)


class CodeFlow:
    def __init__(self, provider: Provider, client: Client, vault: Vault) -> None:
        self._provider = provider
        self._client = client
        self._vault = vault
        self._expected = expected_claims(provider.issuer, client.id)

    async def depart(self, next_path: str, *, as_another: bool) -> Departure:
        """`as_another`: whoever is signed in at the provider is not who wants to come in. Raises SignInError."""
        metadata = await self._metadata()
        way = Way(_random(), _random(), _random(), next_path, int(time.time()))
        url = prepare_grant_uri(
            metadata.authorization_endpoint,
            self._client.id,
            "code",
            self._client.redirect_uri,
            SCOPE,
            way.state,
            nonce=way.nonce,
            code_challenge=create_s256_code_challenge(way.verifier),  # type: ignore[no-untyped-call]  # its stub has none
            code_challenge_method="S256",
            prompt="login" if as_another else None,
        )
        sealed = self._vault.seal(SEALED_AS, json.dumps(asdict(way)))
        return Departure(url, urlsafe_b64encode(sealed).rstrip(b"=").decode())

    async def arrive(self, query: Sequence[tuple[str, str]], cookie: str | None) -> Arrival:
        """Raises SignInError."""
        way = self._way_of(cookie)
        metadata = await self._metadata()
        tokens = await self._redeem(metadata, _code_of(query, way, metadata), way)
        claims = await self._claims(metadata, tokens, way)
        return Arrival(claims, tokens.id_token, way.next_path)

    async def departure_for_good(self, id_token: str | None, return_to: str) -> str | None:
        """Where the provider ends its own session too; None where it does not offer that, or is away.

        https://openid.net/specs/openid-connect-rpinitiated-1_0.html
        """
        try:
            endpoint = (await self._provider.metadata()).end_session_endpoint
        except ProviderAwayError:
            return None
        query = {"client_id": self._client.id, "post_logout_redirect_uri": return_to}
        hint = {"id_token_hint": id_token} if id_token and len(id_token) <= LONGEST_HINT else {}
        return str(add_params_to_uri(endpoint, query | hint)) if endpoint else None

    def _way_of(self, cookie: str | None) -> Way:
        try:
            sealed = urlsafe_b64decode((cookie or "") + "==")
            way = _WAY.validate_json(self._vault.unseal(SEALED_AS, sealed))
        except (VaultError, ValidationError, ValueError):
            raise SignInError(WhyNot.STALE, "no_cookie") from None
        if not 0 <= time.time() - way.at < SECONDS_TO_COME_BACK:
            raise SignInError(WhyNot.STALE, "too_late")
        return way

    async def _metadata(self) -> Metadata:
        try:
            return await self._provider.metadata()
        except ProviderAwayError as error:
            raise SignInError(WhyNot.AWAY, str(error)) from None

    async def _redeem(self, metadata: Metadata, code: str, way: Way) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": way.verifier,
        }
        own, authorization = _credentials(self._client, metadata)
        try:
            answer = await self._provider.http.post(metadata.token_endpoint, {**form, **own}, authorization)
        except ProviderAwayError as error:
            raise SignInError(WhyNot.AWAY, str(error)) from None
        if answer.status != HTTPStatus.OK:
            raise SignInError(WhyNot.REFUSED, f"code_refused_{answer.status}")
        try:
            return _TOKENS.validate_python(answer.body)
        except ValidationError:
            raise SignInError(WhyNot.REFUSED, "no_tokens") from None

    async def _claims(self, metadata: Metadata, tokens: _Tokens, way: Way) -> Mapping[str, object]:
        """Those of the ID token; roles and organisations that it does not tell are asked for."""
        try:
            signed = await read_signed(tokens.id_token, self._provider, self._expected)
            _check_id_token(signed, self._client.id, way.nonce, tokens.access_token)
            more = await self._user_info(metadata, tokens.access_token, signed.claims)
        except UntrustedError as error:
            raise SignInError(WhyNot.REFUSED, str(error)) from None
        except ProviderAwayError as error:
            raise SignInError(WhyNot.AWAY, str(error)) from None
        return {**more, **signed.claims}

    async def _user_info(
        self, metadata: Metadata, access_token: str, claims: Mapping[str, object]
    ) -> Mapping[str, object]:
        if metadata.userinfo_endpoint is None or {"roles", "organizations"} <= claims.keys():
            return {}
        told = await self._provider.http.get(metadata.userinfo_endpoint, bearer=access_token)
        if told.get("sub") != claims["sub"]:
            raise UntrustedError("user info of somebody else")
        return told


def _code_of(query: Sequence[tuple[str, str]], way: Way, metadata: Metadata) -> str:
    """The code of an answer that is meant for this browser, and comes from the provider that it was sent to."""
    answer = dict(query)
    if len(answer) != len(query):
        raise SignInError(WhyNot.REFUSED, "given_twice")
    if not hmac.compare_digest(answer.get("state", "").encode(), way.state.encode()):
        raise SignInError(WhyNot.STALE, "other_state")
    issuer = answer.get("iss")
    if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
        raise SignInError(WhyNot.REFUSED, "other_issuer")
    if "error" in answer:
        denied = answer["error"] == "access_denied"
        raise SignInError(WhyNot.DENIED if denied else WhyNot.REFUSED, "denied" if denied else "provider_error")
    code = answer.get("code", "")
    if not code or len(code) > LONGEST_CODE:
        raise SignInError(WhyNot.REFUSED, "no_code")
    return code


def _check_id_token(signed: Signed, client_id: str, nonce: str, access_token: str) -> None:
    """https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, beyond signature, issuer and audience.
    Raises UntrustedError."""
    asked = {"client_id": client_id, "nonce": nonce, "access_token": access_token}
    token = CodeIDToken(signed.claims, {"alg": signed.algorithm}, params=asked)
    try:
        token.validate(leeway=SECONDS_OF_LEEWAY)
    except (JoseError, ValueError, TypeError) as error:
        raise UntrustedError(f"ID token: {type(error).__name__}") from None


def _credentials(client: Client, metadata: Metadata) -> tuple[Mapping[str, str], httpx2.BasicAuth | None]:
    """Fields of the form and the header (RFC 6749, 2.3.1: both parts are encoded before they are joined)."""
    methods = metadata.token_endpoint_auth_methods_supported
    if client.secret is None:
        return {"client_id": client.id}, None
    if "client_secret_basic" in methods or "client_secret_post" not in methods:
        return {}, httpx2.BasicAuth(quote(client.id, safe=""), quote(client.secret, safe=""))
    return {"client_id": client.id, "client_secret": client.secret}, None


def _random() -> str:
    return secrets.token_urlsafe(32)
