"""The identity provider: what it says of itself (OpenID Connect Discovery) and the keys it signs with."""

import warnings
from collections.abc import Callable, Mapping
from typing import Annotated

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from worker.admin.kept import Kept, Pace
from worker.admin.provider_http import ProviderAwayError, ProviderHttp
from worker.clock import passing
from worker.settings import is_safe_address

log = structlog.get_logger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
SMALLEST_RSA_BITS = 2048
MOST_KEYS = 50


def _safe(url: str) -> str:
    if not is_safe_address(url):
        raise ValueError("is neither https nor on this machine")
    return url


SafeAddress = Annotated[str, AfterValidator(_safe)]


class Metadata(BaseModel):
    """https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata, as far as it is used here."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: SafeAddress
    token_endpoint: SafeAddress
    jwks_uri: SafeAddress
    userinfo_endpoint: SafeAddress | None = None
    end_session_endpoint: SafeAddress | None = None
    token_endpoint_auth_methods_supported: list[str] = Field(default_factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """Asked when it is needed and not before, so that a provider that is away stops nothing but sign-in."""

    def __init__(
        self, issuer: str, http: ProviderHttp, pace: Pace | None = None, clock: Callable[[], float] = passing
    ) -> None:
        self.issuer = issuer
        self.http = http
        self._metadata = Kept(self._read_metadata, pace, clock)
        self._keys = Kept(self._read_keys, pace, clock)

    async def metadata(self) -> Metadata:
        """Raises ProviderAwayError."""
        return await self._metadata.get()

    async def keys(self, key_id: str | None) -> KeySet:
        """Those known, read anew where `key_id` is not among them. Raises ProviderAwayError where none are known."""
        keys = await self._keys.get()
        if key_id is None or any(key.kid == key_id for key in keys):
            return keys
        return await self._keys.newer_than(keys)

    async def close(self) -> None:
        await self.http.close()

    async def _read_metadata(self) -> Metadata:
        try:
            metadata = Metadata.model_validate(await self.http.get(self.issuer.rstrip("/") + DISCOVERY))
        except ValidationError:
            raise ProviderAwayError("what it says of itself can't be read") from None
        if metadata.issuer != self.issuer:
            log.error("provider_is_another", hint="SYNC_OIDC_ISSUER must equal the provider's issuer to the letter")
            raise ProviderAwayError("it says that it is another issuer")
        return metadata

    async def _read_keys(self) -> KeySet:
        answer = await self.http.get((await self.metadata()).jwks_uri)
        listed = answer.get("keys")
        if not isinstance(listed, list):
            raise ProviderAwayError("it lists no keys")
        found = [key for key in map(_read_key, listed[:MOST_KEYS]) if key]
        log.info("provider_keys_read", count=len(found))
        return KeySet(found)


def _read_key(listed: object) -> Key | None:
    """None for what does not sign tokens, and for what can't be trusted: a shared secret, a short RSA key."""
    if not isinstance(listed, Mapping) or listed.get("use", "sig") != "sig":
        return None
    kinds: Mapping[str, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(str(listed.get("kty")))
    try:
        with warnings.catch_warnings(action="ignore"):  # of a short key, which is left out
            key = kind.import_key(dict(listed)) if kind else None
        return None if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA_BITS else key
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
