"""The key that tokens are signed with, made at the start; a new one on request."""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import KeySet, RSAKey

ALGORITHM = "RS256"
BITS = 2048


class SigningKey:
    def __init__(self) -> None:
        self._key = _new()

    def rotate(self) -> None:
        """What was signed before can't be verified any more."""
        self._key = _new()

    def published(self) -> Mapping[str, object]:
        return {**KeySet([self._key]).as_dict(private=False)}

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
        """`header` goes over the usual one; a member that is None is left out."""
        return self.sign_text(json.dumps(claims), header)

    def sign_text(self, payload: str, header: Mapping[str, object] | None = None) -> str:
        """Whatever the payload is."""
        usual: dict[str, Any] = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}
        whole = {name: value for name, value in (usual | dict(header or {})).items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
        return jws.serialize_compact(whole, payload.encode(), self._key, registry=registry)

    def claims_of(self, token: str) -> dict[str, Any]:
        """Raises joserfc's JoseError for what was not signed here, ValueError for what is no token."""
        return jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims


def _new() -> RSAKey:
    return RSAKey.generate_key(BITS, {"use": "sig", "alg": ALGORITHM}, private=True, auto_kid=True)
