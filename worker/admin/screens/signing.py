"""The pages around sign-in, in the reader's language."""

from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response

from worker.admin.screens.pages import page


def render(request: Request, /, name: str, *, status: HTTPStatus = HTTPStatus.OK, **facts: object) -> Response:
    """For nobody: whoever sees these pages is not signed in."""
    return page(request, f"{name}.html", caller=None, status=status, **facts)
