"""What is wrong with a request, as `application/problem+json` (RFC 9457): one sentence that says what to do."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

TYPES = "/problems/"
"""Relative to wherever this service is."""
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """`type` names the kind of problem for machines, `detail` tells people what happened and what to do."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """The request is not carried out."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        more: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """`kind` ends the problem's type, in words with hyphens; `more` are members of the answer beside the usual."""
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.more = more


Answer = Callable[[Request, ProblemError], Response]


def as_json(_request: Request, error: ProblemError) -> Response:
    problem = Problem.model_validate(
        {
            **error.more,
            "type": TYPES + error.kind,
            "title": error.kind.replace("-", " ").capitalize(),
            "status": error.status,
            "detail": error.detail,
        }
    )
    return JSONResponse(problem.model_dump(), error.status, dict(error.headers), media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI, answer: Answer) -> None:
    """From here on, whatever is raised in `app` is answered as a problem."""

    @app.exception_handler(ProblemError)
    async def on_problem(request: Request, error: ProblemError) -> Response:
        return answer(request, error)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        """What the framework refuses by itself: no such address, no such method."""
        status = HTTPStatus(error.status_code)
        kind = status.phrase.lower().replace(" ", "-")
        detail = f"{status.description or status.phrase}."
        return answer(request, ProblemError(status, kind, detail, headers=error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        """Says which fields are wrong and why, without quoting what was sent."""
        found = [f"{'.'.join(map(str, one['loc'][1:])) or one['loc'][0]}: {one['msg']}" for one in error.errors()]
        return answer(request, ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "; ".join(found) + "."))
