"""The reimbursements of one organisation: all, those in a state, those that a run left, or whose number begins so."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from worker import insights
from worker.admin.access import Asking, Context
from worker.admin.problems import ProblemError
from worker.admin.screens import reasons
from worker.admin.screens.pages import page
from worker.admin.screens.shown import Shown, shown_run
from worker.domain.states import ItemState
from worker.paging import BadCursorError
from worker.store.database import Connection, transaction
from worker.views import ItemsFound, ItemView, RunView

router = APIRouter(prefix="/organizations/{organization_id}/reimbursements")

PAGE_SIZE = 50
NEWEST_FIRST = frozenset({None, ItemState.SYNCED, ItemState.HANDLED_ELSEWHERE})
"""What is done is looked for near its end, what waits at its beginning."""


class Wanted(BaseModel):
    """What the reader asked for: those in a state, or those that a run left, from a cursor on; or those whose number
    begins with a text, whatever else is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    state: ItemState | None = None
    run: UUID | None = None
    after: str | None = None
    beginning: Annotated[str, Field(alias="id", max_length=200), AfterValidator(reasons.plain)] = ""

    @property
    def is_newest_first(self) -> bool:
        return self.state in NEWEST_FIRST and not self.run

    @property
    def query(self) -> str:
        """What the list is narrowed by, for the address of another page of it."""
        return urlencode(self.model_dump(mode="json", include={"run", "state"}, exclude_none=True))


@dataclass(frozen=True, slots=True)
class _Listed:
    """What there is to show. `previous` and `next` are cursors. `search` is what a search came to, where it was one;
    `run` the one that left what is listed."""

    items: Sequence[ItemView]
    previous: str | None = None
    next: str | None = None
    search: ItemsFound | None = None
    run: RunView | None = None


@router.get("")
async def reimbursements(
    request: Request, shown: Shown, caller: Asking, context: Context, wanted: Annotated[Wanted, Query()]
) -> Response:
    async with transaction(context.pool) as connection:
        try:
            listed = await _listed(connection, shown.organization_id, wanted)
        except BadCursorError as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "bad-cursor", str(error)) from None
        counts = await insights.state_counts(connection, shown.organization_id)
    if listed.search and listed.items and listed.items[0].reimbursement_id == wanted.beginning:
        return RedirectResponse(f"{request.url.path}/{wanted.beginning}", HTTPStatus.SEE_OTHER)
    return page(
        request,
        "reimbursements.html",
        caller=caller,
        organization=shown,
        counts=counts,
        wanted=wanted,
        listed=listed,
    )


async def _listed(connection: Connection, organization_id: str, wanted: Wanted) -> _Listed:
    """Raises BadCursorError, and ProblemError 404 for a run that is none of the organisation's."""
    if wanted.beginning:
        found = await insights.items_found(connection, organization_id, wanted.beginning, PAGE_SIZE)
        return _Listed(found.items, search=found)
    if wanted.run:
        run = await shown_run(connection, organization_id, wanted.run)
        left = await insights.left_by_run(
            connection, organization_id, wanted.run, wanted.state, wanted.after, PAGE_SIZE
        )
        return _Listed(left.items, left.previous, left.next, run=run)
    listed = await insights.item_page(
        connection, organization_id, wanted.state, wanted.after, PAGE_SIZE, newest_first=wanted.is_newest_first
    )
    return _Listed(listed.items, listed.previous, listed.next)
