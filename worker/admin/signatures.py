"""Whether the identity provider signed a JSON Web Token, and what it says then (RFC 7515, RFC 8725)."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet
from joserfc.jws import JWSRegistry

ALGORITHMS = ["RS256", "PS256", "ES256"]
"""Signatures with a key pair alone: `none`, and a shared secret that might be the public key, are out."""
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
LONGEST_TOKEN = 16 * 1024
LONGEST_HEADER = 512
SECONDS_OF_LEEWAY = 30

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_BRINGS_ITS_OWN_KEY = frozenset({"jwk", "jku", "x5u", "x5c"})
_NOT_UNDERSTOOD = frozenset({"crit", "b64", "zip", "enc"})


class UntrustedError(Exception):
    """Not to be believed. Why is for the log alone: whoever forges tokens would learn from it."""


class SigningKeys(Protocol):
    """The provider's public keys."""

    async def keys(self, key_id: str | None) -> KeySet:
        """Those known, read anew where `key_id` is not among them. Raises ProviderAwayError where none are known."""


@dataclass(frozen=True, slots=True)
class Signed:
    """`kind` is the header's `typ` in small letters, without `application/`; empty where there is none."""

    kind: str
    algorithm: str
    claims: Mapping[str, object]


async def read_signed(token: str, keys: SigningKeys, claims: jwt.JWTClaimsRegistry) -> Signed:
    """Raises UntrustedError, and what `keys` raises."""
    header = _header_of(token)
    key = _key_for(header, (await keys.keys(_key_id(header))).keys)
    try:
        decoded = jwt.decode(token, key, registry=_REGISTRY, decoder_cls=_EachNameOnce)
        claims.validate(decoded.claims)
    except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UntrustedError(type(error).__name__) from None
    return Signed(_kind(header), str(header["alg"]), decoded.claims)


def expected_claims(issuer: str, audience: str) -> jwt.JWTClaimsRegistry:
    """What every token must hold: issued, by whom and for whom, about whom and how long."""
    return jwt.JWTClaimsRegistry(
        leeway=SECONDS_OF_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


class _EachNameOnce(json.JSONDecoder):
    """Of two members with one name, two readers may see different ones."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is given twice")
    return members


_REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


def _header_of(token: str) -> Mapping[str, object]:
    """Read before anything is verified, so nothing in it is believed but which key is claimed."""
    encoded = token.partition(".")[0]
    if len(token) > LONGEST_TOKEN or len(encoded) > LONGEST_HEADER or not _FORM.fullmatch(token):
        raise UntrustedError("not the form of a token")
    try:
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), cls=_EachNameOnce)
    except (ValueError, RecursionError):
        raise UntrustedError("header unreadable") from None
    if not isinstance(header, dict) or header.get("alg") not in ALGORITHMS:
        raise UntrustedError("algorithm")
    if header.keys() & (_BRINGS_ITS_OWN_KEY | _NOT_UNDERSTOOD):
        raise UntrustedError("header parameter")
    return header


def _key_id(header: Mapping[str, object]) -> str | None:
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise UntrustedError("kid")
    return key_id


def _key_for(header: Mapping[str, object], keys: Sequence[Key]) -> Key:
    """The one key that may have signed this: by its id, or, without one, the only key of its kind."""
    algorithm = str(header["alg"])
    suitable = [
        key
        for key in keys
        if key.key_type == KEY_TYPES[algorithm]
        and key.get("alg") in (None, algorithm)
        and header.get("kid") in (None, key.kid)
    ]
    if len(suitable) != 1:
        raise UntrustedError("no key")
    return suitable[0]


def _kind(header: Mapping[str, object]) -> str:
    return str(header.get("typ", "")).lower().removeprefix("application/")
