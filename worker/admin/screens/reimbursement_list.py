"""The reimbursements of one organisation: all, those in a state, or those whose number begins so."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from worker import insights
from worker.admin.access import Asking, Context
from worker.admin.problems import ProblemError
from worker.admin.screens import reasons
from worker.admin.screens.pages import page
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.domain.states import ItemState
from worker.paging import BadCursorError
from worker.store.database import Connection, transaction
from worker.views import ItemsFound, ItemView

router = APIRouter(prefix="/organizations/{organization_id}/reimbursements")

PAGE_SIZE = 50
NEWEST_FIRST = frozenset({None, ItemState.SYNCED, ItemState.HANDLED_ELSEWHERE})
"""What is done is looked for near its end, what waits at its beginning."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the reader asked for: those in a state from a cursor on, or those whose number begins with a text."""

    state: ItemState | None
    after: str | None
    beginning: str

    @property
    def is_newest_first(self) -> bool:
        return self.state in NEWEST_FIRST


@dataclass(frozen=True, slots=True)
class _Listed:
    """What there is to show. `previous` and `next` are cursors. `search` is what a search came to, where it was one."""

    items: Sequence[ItemView]
    previous: str | None = None
    next: str | None = None
    search: ItemsFound | None = None


@router.get("")
async def reimbursements(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    state: ItemState | None = None,
    after: str | None = None,
    beginning: Annotated[str, Query(alias="id", max_length=200)] = "",
) -> Response:
    beginning = reasons.plain(beginning)
    wanted = _Wanted(None, None, beginning) if beginning else _Wanted(state, after, "")
    async with transaction(context.pool) as connection:
        listed = await _listed(connection, shown, wanted)
        counts = await insights.state_counts(connection, shown.organization_id)
    if beginning and listed.items and listed.items[0].reimbursement_id == beginning:
        return RedirectResponse(f"{request.url.path}/{beginning}", HTTPStatus.SEE_OTHER)
    return page(
        request,
        "reimbursements.html",
        caller=caller,
        organization=shown,
        counts=counts,
        wanted=wanted,
        listed=listed,
    )


async def _listed(connection: Connection, shown: ShownOrganization, wanted: _Wanted) -> _Listed:
    """Raises ProblemError 400 for a cursor that no page gave."""
    if wanted.beginning:
        found = await insights.items_found(connection, shown.organization_id, wanted.beginning, PAGE_SIZE)
        return _Listed(found.items, search=found)
    try:
        listed = await insights.item_page(
            connection,
            shown.organization_id,
            wanted.state,
            wanted.after,
            PAGE_SIZE,
            newest_first=wanted.is_newest_first,
        )
    except BadCursorError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "bad-cursor", str(error)) from None
    return _Listed(listed.items, listed.previous, listed.next)
