"""What a page is about: an organisation, or one of its sync runs."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from worker import insights
from worker.admin.access import Context, Organization
from worker.admin.problems import ProblemError
from worker.store import connectors
from worker.store.database import Connection, transaction
from worker.views import RunView


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


async def shown_run(connection: Connection, organization_id: str, run_id: UUID) -> RunView:
    """Raises ProblemError 404, also for another organisation's."""
    run = await insights.run_view(connection, run_id)
    if run is None or run.organization_id != organization_id:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "not-found", f"{organization_id} has no sync run {run_id}. Check the address."
        )
    return run


Shown = Annotated[ShownOrganization, Depends(shown_organization)]
