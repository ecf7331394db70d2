"""The organisation that a page is about."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends

from worker.admin.access import Context, Organization
from worker.admin.problems import ProblemError
from worker.store import connectors
from worker.store.database import transaction


@dataclass(frozen=True, slots=True)
class ShownOrganization:
    organization_id: str
    name: str


async def shown_organization(organization_id: Organization, context: Context) -> ShownOrganization:
    """Raises ProblemError 403 for another's, 404 where there is none."""
    async with transaction(context.pool) as connection:
        name = await connectors.organization_name(connection, organization_id)
    if name is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "not-found", f"There is no organisation {organization_id}. Check the address."
        )
    return ShownOrganization(organization_id, name)


Shown = Annotated[ShownOrganization, Depends(shown_organization)]
