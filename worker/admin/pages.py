"""How a page is asked for: by its name and the facts it tells. The screens bring the templates."""

from http import HTTPStatus
from typing import Protocol

from fastapi import Request
from starlette.responses import PlainTextResponse, Response


class Render(Protocol):
    """Names: `signed_out`, `could_not_sign_in`; what each is told stands where it is rendered (sign_in.py)."""

    def __call__(
        self, request: Request, /, name: str, *, status: HTTPStatus = HTTPStatus.OK, **facts: object
    ) -> Response: ...


def render_plainly(_request: Request, /, name: str, *, status: HTTPStatus = HTTPStatus.OK, **facts: object) -> Response:
    """One line each; for where there are no screens."""
    lines = [name.replace("_", " ").capitalize() + ".", *(str(fact) for fact in facts.values() if fact)]
    return PlainTextResponse("\n".join(lines) + "\n", status)
