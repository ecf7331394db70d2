"""Bearer tokens of the API: JSON Web Tokens that the identity provider signed for us (RFC 9068, RFC 8725)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from worker.admin.caller import Caller, Door
from worker.admin.claims import actor_of
from worker.admin.problems import ProblemError

ALGORITHMS = ["RS256", "PS256", "ES256"]
"""Signatures with a key pair alone: `none`, and a shared secret that might be the public key, are out."""
LONGEST_TOKEN = 8 * 1024
SECONDS_OF_LEEWAY = 30
SCHEME = "bearer "


class SigningKeys(Protocol):
    """The provider's public keys."""

    async def keys(self, key_id: str | None) -> KeySet:
        """Those known, read anew where `key_id` is not among them. Raises ProblemError 503 where none are known."""


class BearerTokens:
    """Identifies the caller by the header `Authorization: Bearer …`."""

    def __init__(self, keys: SigningKeys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._registry = jwt.JWTClaimsRegistry(
            leeway=SECONDS_OF_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def __call__(self, request: Request) -> Caller | None:
        header = request.headers.get("authorization", "")
        if not header:
            return None
        if not header.lower().startswith(SCHEME):
            raise _refused()
        claims = await self._verified(header[len(SCHEME) :].strip())
        actor = actor_of(claims)
        if actor is None:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "no-role-here", "You have no role in this service. Ask a global administrator."
            )
        return Caller(actor, str(claims.get("name") or actor.id), Door.BEARER)

    async def _verified(self, token: str) -> Mapping[str, object]:
        if len(token) > LONGEST_TOKEN:
            raise _refused()
        try:
            token.encode("ascii")
            keys = await self._keys.keys(None)
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError):
            raise _refused() from None
        return decoded.claims


def _refused() -> ProblemError:
    """Why is not told: whoever forges tokens would learn from it."""
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "token-refused",
        "The bearer token is not valid here. Get a new one from the identity provider and try again.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
