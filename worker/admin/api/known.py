"""The organisation in the address, where it is the caller's and is set up."""

from typing import Annotated

from fastapi import Depends

from worker.admin.access import Context, Organization
from worker.admin.problems import not_found
from worker.store import connectors
from worker.store.database import transaction


async def known_organization(organization: Organization, context: Context) -> str:
    """Raises NotYoursError, and ProblemError 404 where there is no such organisation."""
    async with transaction(context.pool) as connection:
        is_known = await connectors.organization_exists(connection, organization)
    if not is_known:
        raise not_found("There is no such organisation. Check its ID.")
    return organization


KnownOrganization = Annotated[str, Depends(known_organization)]
