"""`/organizations`: those that the caller may see."""

from fastapi import APIRouter

from worker import insights
from worker.admin.access import Asking, Context
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.paging import A_PAGE, Limit, OrganizationCursor
from worker.store.database import transaction
from worker.views import OrganizationPage

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])


@router.get("/organizations")
async def list_organizations(
    caller: Asking, context: Context, cursor: OrganizationCursor = None, limit: Limit = A_PAGE
) -> OrganizationPage:
    """In the order of their IDs, each with its connector and what waits."""
    async with transaction(context.pool) as connection:
        found = await insights.organizations(connection, caller.scope, cursor, limit + 1)
    page = found[:limit]
    return OrganizationPage(organizations=page, next=page[-1].organization_id if len(found) > limit else None)
