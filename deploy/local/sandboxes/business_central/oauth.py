"""Microsoft Entra's token endpoint, client credentials only, and the bearer tokens it gave out.

Source of the errors: Microsoft identity platform, AADSTS error codes.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from deploy.local.sandboxes.answers import Answer, json_answer
from deploy.local.sandboxes.tenants import BusinessCentralTenant

SCOPE = "https://api.businesscentral.dynamics.com/.default"


@dataclass(frozen=True, slots=True)
class Grant:
    """Whom a token was given to. `expires_at` is on the monotonic clock, in seconds."""

    tenant_id: str
    client_id: str
    expires_at: float


class TokenOffice:
    def __init__(self, tenants: Sequence[BusinessCentralTenant]) -> None:
        self._tenants = tenants
        self._grants: dict[str, Grant] = {}

    def give(self, tenant_id: str, form: Mapping[str, str], seconds: float) -> Answer:
        client_id = form.get("client_id", "")
        refusal = self._refusal(tenant_id, client_id, form)
        if refusal is not None:
            return refusal
        token = secrets.token_urlsafe(48)
        self._grants[token] = Grant(tenant_id.lower(), client_id, time.monotonic() + seconds)
        return json_answer(
            {
                "token_type": "Bearer",
                "expires_in": int(seconds),
                "ext_expires_in": int(seconds),
                "access_token": token,
            }
        )

    def holder(self, authorization: str) -> Grant | None:
        """None without a valid bearer token that has not run out."""
        scheme, _, token = authorization.partition(" ")
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        return grant if grant is not None and time.monotonic() < grant.expires_at else None

    def withdraw_all(self) -> None:
        self._grants.clear()

    def _refusal(self, tenant_id: str, client_id: str, form: Mapping[str, str]) -> Answer | None:
        here = [each for each in self._tenants if str(each.tenant_id) == tenant_id.lower()]
        if not here:
            return _error(400, "invalid_request", 90002, f"Tenant '{tenant_id}' not found.")
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form.get("scope") != SCOPE:
            return _error(
                400,
                "invalid_scope",
                70011,
                "The provided value for the input parameter 'scope' is not valid.",
            )
        secrets_here = {each.client_secret for each in here if each.client_id == client_id}
        if not secrets_here:
            return _error(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if form.get("client_secret") not in secrets_here:
            return _error(401, "invalid_client", 7000215, "Invalid client secret provided.")
        return None


def _error(status: int, error: str, number: int, message: str) -> Answer:
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {message}",
        "error_codes": [number],
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        "trace_id": str(uuid4()),
        "correlation_id": str(uuid4()),
    }
    return json_answer(body, status)
