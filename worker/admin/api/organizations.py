"""`/organizations`: those that the caller may see."""

from fastapi import APIRouter

from worker import insights
from worker.admin.access import Asking, Context, Organization
from worker.store.database import transaction
from worker.views import ConnectorObject

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("/{organization_id}/connector")
async def connector(organization: Organization, _caller: Asking, context: Context) -> ConnectorObject | None:
    async with transaction(context.pool) as connection:
        return await insights.connector_object(connection, organization)
