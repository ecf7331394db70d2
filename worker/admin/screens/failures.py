"""What was refused, as a page: whoever is not signed in goes to sign in, and then on to where they wanted to go."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from worker.admin.problems import ProblemError, as_json
from worker.admin.screens.pages import page

API = "/api/"
LIVE = "x-live"
"""The header of what a page asks by itself, again and again."""


def as_page_or_json(request: Request, error: ProblemError) -> Response:
    """The API, and what pages ask by themselves, get JSON."""
    if request.url.path.startswith(API) or LIVE in request.headers:
        return as_json(request, error)
    if error.status is HTTPStatus.UNAUTHORIZED and request.method == "GET":
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(address, safe='')}", HTTPStatus.SEE_OTHER)
    response = page(request, "failure.html", caller=None, status=error.status, kind=error.kind, detail=error.detail)
    response.headers.update(error.headers)
    return response
