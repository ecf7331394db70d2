"""Every route of the screens."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from worker.admin.access import Asking
from worker.admin.local_paths import local_path
from worker.admin.screens import (
    assets,
    connector,
    credentials,
    management,
    reimbursement_list,
    reimbursements,
    switching,
    sync_log,
    sync_runs,
)
from worker.admin.screens.catalogues import Language
from worker.admin.screens.reader import LANGUAGE_COOKIE

router = APIRouter(include_in_schema=False)
router.include_router(assets.router)
router.include_router(management.router)
router.include_router(connector.router)
router.include_router(switching.router)
router.include_router(credentials.router)
router.include_router(reimbursement_list.router)
router.include_router(reimbursements.router)
router.include_router(sync_runs.router)
router.include_router(sync_log.router)

A_YEAR = 365 * 24 * 3600


@router.get("/")
async def home(caller: Asking) -> Response:
    """An administrator of one organisation has one page to go to."""
    own = sorted(caller.actor.organizations)
    only = len(own) == 1 and not caller.is_global
    return RedirectResponse(f"/organizations/{own[0]}" if only else "/organizations", HTTPStatus.SEE_OTHER)


@router.post("/language")
async def language(language: Annotated[Language, Form()], back: Annotated[str, Form(max_length=500)]) -> Response:
    """`back` is the page that was read; anything but a path of ours is the first page instead."""
    response = RedirectResponse(local_path(back), HTTPStatus.SEE_OTHER)
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=A_YEAR, secure=True, httponly=True, samesite="lax")
    return response
