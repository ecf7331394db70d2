"""What is wrong with a request, as `application/problem+json` (RFC 9457): one sentence that says what to do.

None quotes what was sent: it may be somebody's secret in the wrong place, or a script.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.paging import BadCursorError
from worker.store.database import DatabaseAwayError
from worker.telemetry import failure

log = structlog.get_logger(__name__)

TYPES = "/problems/"
"""Relative to wherever this service is."""
MEDIA_TYPE = "application/problem+json"
SECONDS_UNTIL_THE_DATABASE = 5


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
        self.afterwards: BackgroundTask | None = None
        """What is done once the answer has left."""


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
    """From here on, whatever is raised in `app` is answered as a problem, also by the middleware added so far."""
    app.add_middleware(_NothingEscapes, answer=answer)

    @app.exception_handler(ProblemError)
    async def on_problem(request: Request, error: ProblemError) -> Response:
        response = answer(request, error)
        response.background = error.afterwards
        return response

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        """What the framework refuses by itself: no such address, no such method."""
        return answer(request, _of_the_framework(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, invalid(" ".join(_said(one) for one in error.errors())))

    @app.exception_handler(BadCursorError)
    async def on_bad_cursor(request: Request, error: BadCursorError) -> Response:
        return answer(request, invalid(str(error)))

    @app.exception_handler(DatabaseAwayError)
    async def on_database_away(request: Request, error: DatabaseAwayError) -> Response:
        log.warning("request_failed", **failure(error))
        return answer(request, _database_away())


class _NothingEscapes:
    """What nobody foresaw is answered without a word of it, and logged by its type alone."""

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the answer has begun, the connection is cut, which is what an error flying out comes to."""
        has_begun = scope["type"] != "http"

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            log.error("request_failed", **failure(error))
            if has_begun:
                raise
            await self._answer(Request(scope), _unforeseen())(scope, receive, send)


def invalid(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail)


def not_found(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "not-found", detail)


def _of_the_framework(error: HTTPException) -> ProblemError:
    status = HTTPStatus(error.status_code)
    headers = error.headers or {}
    match status:
        case HTTPStatus.BAD_REQUEST:
            return invalid("The body can't be read. Send one JSON object in UTF-8.")
        case HTTPStatus.NOT_FOUND:
            return not_found("There is nothing at this address. Check it.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            detail = "This address does not take that method. The header Allow names one that it takes."
            return ProblemError(status, "method-not-allowed", detail, headers=headers)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ProblemError(status, "content-too-large", "The body is larger than 64 KiB.", headers=headers)
        case _:
            kind = status.phrase.lower().replace(" ", "-")
            return ProblemError(status, kind, f"{status.description or status.phrase}.", headers=headers)


def _database_away() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database-away",
        "The database can't be reached or is busy. Look in a moment at what is so now, and try again.",
        headers={"Retry-After": str(SECONDS_UNTIL_THE_DATABASE)},
    )


def _unforeseen() -> ProblemError:
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "Something went wrong here that nobody foresaw. Look at what is so now before trying again.",
    )


_SAFE_TO_SAY = frozenset(
    {
        "bool_type", "enum", "greater_than_equal", "int_parsing", "int_type", "less_than_equal", "literal_error",
        "missing", "string_pattern_mismatch", "string_too_long", "string_too_short", "string_type", "value_error",
    }
)  # fmt: skip
"""Kinds of pydantic's errors whose text is made of our own rules."""


def _said(error: Mapping[str, Any]) -> str:
    """Which field is wrong and why. Of a field that is not known, even the name is what was sent."""
    kind, place = error["type"], error["loc"]
    if kind == "json_invalid":
        return "The body is not JSON."
    if kind == "extra_forbidden":
        return f"{_name(place[:-1])}: There is a field that is not known here."
    return f"{_name(place)}: {error['msg'] if kind in _SAFE_TO_SAY else 'This is not valid'}."


def _name(place: Sequence[str | int]) -> str:
    """`place` begins with where it was sent: path, query, body."""
    return ".".join(map(str, place[1:])) or str(place[0])
