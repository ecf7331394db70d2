"""`/organizations/…/sync-runs`: asking for a run, and how far it is."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from worker import insights
from worker.admin.access import Asking, Context
from worker.admin.api.described import WHERE_CHANGED, problems
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.known import KnownOrganization
from worker.admin.api.wishes import SOURCE
from worker.admin.problems import ProblemError, not_found
from worker.runs import RunRefused, request_run
from worker.store.database import transaction
from worker.views import RunView

router = APIRouter(
    prefix="/organizations/{organization_id}/sync-runs",
    route_class=GuardedRoute,
    tags=["sync runs"],
    responses=problems(HTTPStatus.NOT_FOUND),
)
LOCATION = {"Location": {"description": "Where the run's progress is.", "schema": {"type": "string"}}}


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: {"headers": LOCATION}, **problems(HTTPStatus.CONFLICT, *WHERE_CHANGED)},
)
async def start_sync_run(
    organization: KnownOrganization, caller: Asking, context: Context, request: Request, response: Response
) -> RunView:
    """Pushes all that is pending now; a run under way is widened and answered. Refused while the connector is off."""
    async with transaction(context.pool) as connection:
        started = await request_run(connection, organization, caller.actor, SOURCE)
        answer = started if isinstance(started, RunRefused) else await insights.view_of_run(connection, started)
    if isinstance(answer, RunRefused):  # told outside the transaction, which keeps the log's entry
        raise ProblemError(HTTPStatus.CONFLICT, "connector-disabled", answer.sentence)
    response.headers["Location"] = request.app.url_path_for(
        show_sync_run.__name__, organization_id=organization, run_id=answer.run_id
    )
    return answer


@router.get("/{run_id}")
async def show_sync_run(organization: KnownOrganization, run_id: UUID, context: Context) -> RunView:
    """Progress and result."""
    async with transaction(context.pool) as connection:
        view = await insights.run_view(connection, run_id)
    if view is None or view.organization_id != organization:
        raise not_found("There is no such run of this organisation. Check its ID.")
    return view
