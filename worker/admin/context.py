"""What the screens and the API work with, made once by bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import Request

from worker.adapters import Adapters
from worker.admin.caller import Identify
from worker.admin.code_flow import CodeFlow
from worker.admin.sessions import Sessions
from worker.log_verifier import LogVerifier
from worker.overview import Overview
from worker.store.database import Pool
from worker.vault import Vault


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people come in by the screens, and what they have then."""

    flow: CodeFlow
    sessions: Sessions


@dataclass(frozen=True, slots=True)
class AdminContext:
    """`public_url` is what people's browsers know this service as, without a slash at its end.
    `sign_in` is None where no identity provider is configured."""

    pool: Pool
    adapters: Adapters
    vault: Vault
    public_url: str
    identify: Sequence[Identify]
    overview: Overview
    sign_in: SignIn | None = None
    log_verifier: LogVerifier = field(default_factory=LogVerifier)


def context_of(request: Request) -> AdminContext:
    context: AdminContext = request.app.state.context
    return context
