"""Who may do what: every route asks here first, and what is not allowed is refused before anything is read."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request

from worker.admin.caller import Caller
from worker.admin.context import AdminContext, context_of
from worker.admin.problems import ProblemError
from worker.store.database import limit_to

IDENTIFIER = r"^[A-Za-z0-9._:-]{1,64}$"

Context = Annotated[AdminContext, Depends(context_of)]


async def caller_of(request: Request, context: Context) -> Caller:
    """Whoever asks; from here on, this request's statements reach no other organisations' rows than theirs.

    Raises ProblemError 401.
    """
    for identify in context.identify:
        caller = await identify(request)
        if caller is not None:
            limit_to(caller.scope)
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
    """The organisation in the address. Raises ProblemError 403 for another's, whether it exists or not."""
    if not caller.may_see(organization_id):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "not-your-organization",
            f"{organization_id} is not an organisation of yours. Ask a global administrator.",
        )
    return organization_id


Organization = Annotated[str, Depends(own_organization)]
