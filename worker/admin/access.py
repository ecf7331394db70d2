"""Who may do what: every route asks here first, and what is not allowed is refused before anything is read."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request

from worker.admin.caller import Caller
from worker.admin.context import AdminContext, context_of
from worker.admin.cross_site import SAFE_METHODS
from worker.admin.limits import pace_of, question_pace_of
from worker.admin.problems import ProblemError
from worker.store.database import limit_to

IDENTIFIER = r"^[A-Za-z0-9._:-]{1,64}$"

Context = Annotated[AdminContext, Depends(context_of)]


class NotYoursError(ProblemError):
    """What was asked for is another organisation's, which may or may not exist."""

    def __init__(self, organization_id: str, caller: Caller) -> None:
        super().__init__(
            HTTPStatus.FORBIDDEN,
            "not-your-organization",
            "That is not an organisation of yours. Ask a global administrator.",
        )
        self.organization_id = organization_id
        self.caller = caller


async def caller_of(request: Request, context: Context) -> Caller:
    """Whoever asks; from here on, this request's statements reach no other organisations' rows than theirs.

    Raises ProblemError 401, and 429 for what would change something too soon after the last.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    caller = await _identified(request, context)
    if request.method not in SAFE_METHODS:
        pace_of(request).step(caller.actor.id)
    limit_to(caller.scope)
    request.state.caller = caller
    return caller


def may_ask_the_erp(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> None:
    """Raises ProblemError 429."""
    question_pace_of(request).step(caller.actor.id)


async def _identified(request: Request, context: AdminContext) -> Caller:
    for identify in context.identify:
        caller = await identify(request)
        if caller is not None:
            return caller
    raise ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "not-signed-in",
        "Nobody is signed in. Send a bearer token, or sign in on the screens.",
        headers={"WWW-Authenticate": "Bearer"},
    )


Asking = Annotated[Caller, Depends(caller_of)]
OrganizationId = Annotated[str, Path(alias="organization_id", pattern=IDENTIFIER)]


def own_organization(organization_id: OrganizationId, caller: Asking) -> str:
    """The organisation in the address. Raises NotYoursError for another's, whether it exists or not."""
    if not caller.may_see(organization_id):
        raise NotYoursError(organization_id, caller)
    return organization_id


Organization = Annotated[str, Depends(own_organization)]
