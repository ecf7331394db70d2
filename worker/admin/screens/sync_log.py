"""The sync log of one organisation: what changed, who did it and why, and whether the log itself is whole."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from worker import exports, insights
from worker.admin.access import Asking, Context
from worker.admin.problems import ProblemError
from worker.admin.screens import words
from worker.admin.screens.log_wish import LogWish
from worker.admin.screens.pages import page
from worker.admin.screens.reader import reader_of
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.paging import BadCursorError
from worker.store.database import transaction
from worker.views import LogPage

router = APIRouter(prefix="/organizations/{organization_id}")

PAGE_SIZE = 50
SOURCE = "http"
EMPTY = LogPage(entries=[], next=None, previous=None)


@router.get("/sync-log")
async def sync_log(
    request: Request, shown: Shown, caller: Asking, context: Context, wish: Annotated[LogWish, Query()]
) -> Response:
    found = EMPTY
    async with transaction(context.pool) as connection:
        if not wish.mistakes:
            try:
                found = await insights.log_page(connection, shown.organization_id, wish.before, PAGE_SIZE, wish.where)
            except BadCursorError as error:
                raise ProblemError(HTTPStatus.BAD_REQUEST, "bad-cursor", str(error)) from None
        verification = await context.log_verifier.verified(connection, shown.organization_id)
    reader = reader_of(request)
    return page(
        request,
        "sync-log.html",
        caller=caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wish.mistakes else HTTPStatus.OK,
        organization=shown,
        found=found,
        wish=wish,
        mistakes={field: reader.said(sentence) for field, sentence in wish.mistakes.items()},
        verification=verification,
        verified_at=datetime.now(UTC),
        erps=words.erp_titles(context.adapters),
    )


@router.post("/sync-log.csv")
async def export(
    request: Request, shown: Shown, caller: Asking, context: Context, wish: Annotated[LogWish, Form()]
) -> Response:
    """All that the filter finds, as a file. The export is itself an entry of the log, so it is no link."""
    if wish.mistakes:
        return RedirectResponse(f"{_address(shown)}?{wish.query}", HTTPStatus.SEE_OTHER)
    written = await exports.sync_log_csv(
        context.pool,
        shown.organization_id,
        wish.where,
        actor=caller.actor,
        source=SOURCE,
        delimiter=reader_of(request).delimiter,
    )
    name = f"sync-log-{shown.organization_id.replace(':', '-')}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(written.content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/sync-log.csv")
async def not_exported(shown: Shown) -> Response:
    """Where a reader lands who opens the address of an export again."""
    return RedirectResponse(_address(shown), HTTPStatus.SEE_OTHER)


def _address(shown: ShownOrganization) -> str:
    return f"/organizations/{shown.organization_id}/sync-log"
