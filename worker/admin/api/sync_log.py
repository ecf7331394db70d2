"""`/organizations/…/sync-log`: who did what, and why; refused tries too."""

from http import HTTPStatus

from fastapi import APIRouter

from worker import insights
from worker.admin.access import Context
from worker.admin.api.described import problems
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.known import KnownOrganization
from worker.admin.api.paging import A_PAGE, Cursor, Limit
from worker.store.database import transaction
from worker.views import LogPage

router = APIRouter(
    prefix="/organizations/{organization_id}/sync-log",
    route_class=GuardedRoute,
    tags=["sync log"],
    responses=problems(HTTPStatus.NOT_FOUND),
)


@router.get("")
async def list_sync_log(
    organization: KnownOrganization, context: Context, cursor: Cursor = None, limit: Limit = A_PAGE
) -> LogPage:
    """Newest first."""
    async with transaction(context.pool) as connection:
        return await insights.log_page(connection, organization, cursor, limit)
