"""Sync runs of one organisation: those there were, one while it is under way, and the start of another."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker import insights, runs
from worker.admin.access import Asking, Context
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError
from worker.admin.screens import words
from worker.admin.screens.notices import Notice, Tone, go_on
from worker.admin.screens.pages import page, part
from worker.admin.screens.reader import reader_of
from worker.admin.screens.run_progress import RunProgress
from worker.admin.screens.shown import Shown, ShownOrganization, shown_run
from worker.domain.sentences import say
from worker.paging import BadCursorError
from worker.runs import RunRefused
from worker.store.database import transaction

router = APIRouter(prefix="/organizations/{organization_id}/sync-runs")

PAGE_SIZE = 25
SOURCE = "http"


@router.get("")
async def sync_runs(
    request: Request, shown: Shown, caller: Asking, context: Context, before: str | None = None
) -> Response:
    async with transaction(context.pool) as connection:
        try:
            found = await insights.run_page(connection, shown.organization_id, before, PAGE_SIZE)
        except BadCursorError as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "bad-cursor", str(error)) from None
        connector = await insights.connector_object(connection, shown.organization_id, context.overview)
    return page(
        request,
        "sync-runs.html",
        caller=caller,
        organization=shown,
        runs=[RunProgress.of(run) for run in found.runs],
        found=found,
        connector=connector,
        erps=words.erp_titles(context.adapters),
    )


@router.post("")
async def start(request: Request, shown: Shown, caller: Asking, context: Context) -> Response:
    """While the connector is off, nothing is sent, and why is said."""
    reader = reader_of(request)
    async with transaction(context.pool) as connection:
        run = await runs.request_run(connection, shown.organization_id, caller.actor, SOURCE)
    if isinstance(run, RunRefused):
        return go_on(_address(shown), Notice(Tone.REFUSED, reader.said(run.sentence)))
    started = say("The sync run is started. This page shows how far it is.")
    return go_on(f"{_address(shown)}/{run.run_id}", Notice(Tone.DONE, reader.said(started)))


@router.get("/{run_id}")
async def sync_run(request: Request, shown: Shown, caller: Asking, context: Context, run_id: UUID) -> Response:
    progress = await _progress(context, shown, run_id)
    return page(
        request,
        "sync-run.html",
        caller=caller,
        organization=shown,
        progress=progress,
        erps=words.erp_titles(context.adapters),
    )


@router.get("/{run_id}/live")
async def live(request: Request, shown: Shown, context: Context, run_id: UUID, seen: str = "") -> Response:
    """What the page asks every second while the run is under way: nothing new, or the part of it that has changed."""
    progress = await _progress(context, shown, run_id)
    if progress.digest == seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return part(request, "sync-run-live.html", organization=shown, progress=progress)


async def _progress(context: AdminContext, shown: ShownOrganization, run_id: UUID) -> RunProgress:
    """Raises ProblemError 404, also for another organisation's."""
    async with transaction(context.pool) as connection:
        return RunProgress.of(await shown_run(connection, shown.organization_id, run_id))


def _address(shown: ShownOrganization) -> str:
    return f"/organizations/{shown.organization_id}/sync-runs"
