"""Who asks over HTTP: the actor that the identity provider vouches for, and how they came in."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from fastapi import Request

from worker.admin.problems import ProblemError
from worker.domain.switching import Actor, Role


class Door(StrEnum):
    """How a request says who sends it."""

    BEARER = "bearer"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is for showing: the log keeps `actor.id`."""

    actor: Actor
    name: str
    door: Door

    @property
    def is_global(self) -> bool:
        return self.actor.role is Role.GLOBAL_ADMIN

    @property
    def scope(self) -> frozenset[str] | None:
        """The organisations whose rows this caller's statements may touch; None: all of them."""
        return None if self.is_global else self.actor.organizations

    def may_see(self, organization_id: str) -> bool:
        return self.actor.may_switch(organization_id)


class Identify(Protocol):
    """One way to learn who asks: None where the request does not use it."""

    async def __call__(self, request: Request, /) -> Caller | None:
        """Raises ProblemError 401 for what claims to be somebody and is not, 503 where that can't be told now."""


async def identify_nobody(_request: Request, /) -> Caller | None:
    """For where no identity provider is configured: nobody can show who they are. Raises ProblemError 503."""
    raise ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "sign-in-not-configured",
        "Sign-in is not configured, so nobody may do anything here. Set SYNC_OIDC_ISSUER and SYNC_OIDC_CLIENT_ID.",
    )
