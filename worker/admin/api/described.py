"""What the OpenAPI document says of answers that are problems."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer

from worker.admin.problems import MEDIA_TYPE, Problem

BEARER = HTTPBearer(bearerFormat="JWT", description="A token of the identity provider.", auto_error=False)
"""For the document alone: who asks is asked by `access`."""

Responses = dict[int | str, dict[str, Any]]
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_WITH_RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

EVERYWHERE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
WHERE_CHANGED = (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.TOO_MANY_REQUESTS)
WHERE_SENT = (*WHERE_CHANGED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def problems(*statuses: HTTPStatus) -> Responses:
    return {int(status): _problem(status) for status in statuses}


def describe(app: FastAPI) -> None:
    """The document is made when it is first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problem(get_openapi(title=app.title, version=app.version, routes=app.routes))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # how FastAPI documents to do it


def _with_problem(document: dict[str, Any]) -> dict[str, Any]:
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return document


def _problem(status: HTTPStatus) -> dict[str, Any]:
    said: Mapping[str, Any] = {"description": status.phrase, "content": _CONTENT}
    return {**said, "headers": _RETRY_AFTER} if status in _WITH_RETRY_AFTER else dict(said)
