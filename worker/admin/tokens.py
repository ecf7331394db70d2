"""Bearer tokens of the API: access tokens that the identity provider signed for us (RFC 9068, RFC 8725).

An ID token is no access token: it tells a client who signed in, and any client of the provider may hold one. They are
told apart by the audience, where SYNC_OIDC_AUDIENCE is not the client's ID, and in any case by what providers put into
them: `typ` of the header (RFC 9068) and of the claims (Keycloak), `token_use` (Amazon Cognito), and the claims that
only ID tokens have. `azp` is not looked at: which program carries a token does not change what its subject may do.
"""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import Request

from worker.admin.caller import Caller, Door
from worker.admin.claims import actor_of, display_name
from worker.admin.problems import ProblemError
from worker.admin.provider_http import ProviderAwayError
from worker.admin.signatures import Signed, SigningKeys, UntrustedError, expected_claims, read_signed

log = structlog.get_logger(__name__)

LONGEST_HEADER = 8 * 1024
SCHEME = "bearer "
KINDS = frozenset({"", "jwt", "at+jwt"})
OF_ID_TOKENS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
OF_OTHERS = frozenset({"events", "cnf"})
"""Of logout tokens, and of tokens that only the holder of a key may use, which a bearer has not shown to be."""


class BearerTokens:
    """Identifies the caller by the header `Authorization: Bearer …`."""

    def __init__(self, keys: SigningKeys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._expected = expected_claims(issuer, audience)

    async def __call__(self, request: Request) -> Caller | None:
        headers = request.headers.getlist("authorization")
        if not headers:
            return None
        claims = await self._claims(_token_of(headers))
        actor = actor_of(claims)
        if actor is None:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "no-role-here", "You have no role in this service. Ask a global administrator."
            )
        return Caller(actor, display_name(claims), Door.BEARER)

    async def _claims(self, token: str) -> Mapping[str, object]:
        try:
            signed = await read_signed(token, self._keys, self._expected)
        except UntrustedError as error:
            log.info("token_refused", why=str(error))
            raise _refused() from None
        except ProviderAwayError as error:
            log.warning("provider_away", why=str(error))
            raise _can_not_tell() from None
        if not is_access_token(signed):
            log.info("token_refused", why="not an access token")
            raise _refused()
        return signed.claims


def is_access_token(signed: Signed) -> bool:
    claims = signed.claims
    says_so = signed.kind == "at+jwt" or claims.get("typ") == "Bearer" or claims.get("token_use") == "access"
    says_otherwise = claims.get("typ", "Bearer") != "Bearer" or claims.get("token_use", "access") != "access"
    if signed.kind not in KINDS or says_otherwise or claims.keys() & OF_OTHERS:
        return False
    return says_so or not claims.keys() & OF_ID_TOKENS


def _token_of(headers: list[str]) -> str:
    header = headers[0]
    if len(headers) > 1 or len(header) > LONGEST_HEADER or not header.lower().startswith(SCHEME):
        raise _refused()
    return header[len(SCHEME) :].strip(" ")


def _refused() -> ProblemError:
    """Why is not told: whoever forges tokens would learn from it."""
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "token-refused",
        "The bearer token is not valid here. Get a new one from the identity provider and try again.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _can_not_tell() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "identity-provider-away",
        "The identity provider can't be reached, so nobody can be told who you are. Try again in a moment.",
        headers={"Retry-After": "10"},
    )
