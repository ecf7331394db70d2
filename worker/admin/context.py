"""What the screens and the API work with, made once by bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from worker.adapters import Adapters
from worker.admin.caller import Identify
from worker.store.database import Pool
from worker.vault import Vault


@dataclass(frozen=True, slots=True)
class AdminContext:
    """`public_url` is what people's browsers know this service as, without a slash at its end."""

    pool: Pool
    adapters: Adapters
    vault: Vault
    public_url: str
    identify: Sequence[Identify]


def context_of(request: Request) -> AdminContext:
    context: AdminContext = request.app.state.context
    return context
