"""`/organizations/…/reimbursements`: where each is and why, and what a person decides about it."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from worker import decisions, insights
from worker.admin.access import IDENTIFIER, Asking, Context
from worker.admin.api.described import WHERE_SENT, problems
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.known import KnownOrganization
from worker.admin.api.paging import A_PAGE, Cursor, Limit
from worker.admin.api.wishes import SOURCE, Decision
from worker.admin.caller import Caller
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError, not_found
from worker.decisions import Decide, NotDecided
from worker.domain.states import ItemState
from worker.store.database import Connection, transaction
from worker.views import ItemDetail, ItemPage

router = APIRouter(
    prefix="/organizations/{organization_id}/reimbursements",
    route_class=GuardedRoute,
    tags=["reimbursements"],
    responses=problems(HTTPStatus.NOT_FOUND),
)
DECIDED = problems(HTTPStatus.CONFLICT, *WHERE_SENT)
ReimbursementId = Annotated[str, Path(pattern=IDENTIFIER)]
State = Annotated[ItemState | None, Query(description="Only those in this state.")]
Run = Annotated[
    UUID | None,
    Query(description="Only what this sync run left to a person: rejected, or with an unknown outcome, and still so."),
]


@router.get("")
async def list_reimbursements(
    organization: KnownOrganization,
    context: Context,
    state: State = None,
    run: Run = None,
    cursor: Cursor = None,
    limit: Limit = A_PAGE,
) -> ItemPage:
    """In the order of their arrival."""
    async with transaction(context.pool) as connection:
        if run:
            return await insights.left_by_run(connection, organization, run, state, cursor, limit)
        return await insights.item_page(connection, organization, state, cursor, limit)


@router.get("/{reimbursement_id}")
async def show_reimbursement(
    organization: KnownOrganization, reimbursement_id: ReimbursementId, context: Context
) -> ItemDetail:
    """With every attempt."""
    async with transaction(context.pool) as connection:
        return await _item(connection, organization, reimbursement_id)


@router.post("/{reimbursement_id}/retry", responses=DECIDED)
async def retry_reimbursement(
    organization: KnownOrganization,
    reimbursement_id: ReimbursementId,
    why: Decision,
    caller: Asking,
    context: Context,
) -> ItemDetail:
    """Sends what was rejected round again; has an unknown outcome looked up once more; has receipts that were given up
    tried again."""
    return await _decide(context, decisions.retry, caller, organization, reimbursement_id, why)


@router.post("/{reimbursement_id}/handled-elsewhere", responses=DECIDED)
async def hand_over_reimbursement(
    organization: KnownOrganization,
    reimbursement_id: ReimbursementId,
    why: Decision,
    caller: Asking,
    context: Context,
) -> ItemDetail:
    """Somebody has booked it by hand, or it is not to be booked: it will never be sent."""
    return await _decide(context, decisions.hand_over, caller, organization, reimbursement_id, why)


async def _decide(
    context: AdminContext,
    decide: Decide,
    caller: Caller,
    organization: str,
    reimbursement_id: str,
    why: Decision,
) -> ItemDetail:
    """Raises ProblemError 404, 409."""
    async with transaction(context.pool) as connection:
        decided = await decide(
            connection, organization, reimbursement_id, actor=caller.actor, reason=why.reason, source=SOURCE
        )
        item = await _item(connection, organization, reimbursement_id)
    if isinstance(decided, NotDecided):  # told outside the transaction, which keeps the log's entry
        raise ProblemError(HTTPStatus.CONFLICT, "not-possible-now", decided.sentence)
    return item


async def _item(connection: Connection, organization: str, reimbursement_id: str) -> ItemDetail:
    """Raises ProblemError 404."""
    found = await insights.item_detail(connection, organization, reimbursement_id)
    if found is None:
        raise not_found("There is no such reimbursement of this organisation. Check its ID.")
    return found
