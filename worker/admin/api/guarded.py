"""Routes that ask who is asking before anything else of a request is judged.

FastAPI reads and parses a body before it calls a dependency, so that a mistake in it would be told first, also to
whoever has no business there.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from worker.admin.access import caller_of, own_organization
from worker.admin.context import context_of
from worker.admin.cross_site import SAFE_METHODS
from worker.admin.problems import ProblemError

JSON = "application/json"


class GuardedRoute(APIRoute):
    """Who asks, how often, and whose organisation it is; then the route itself."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await _enter(request)
            _is_json(request, required=self.body_field is not None)
            return await handle(request)

        return guarded


async def _enter(request: Request) -> None:
    caller = await caller_of(request, context_of(request))
    organization_id = request.path_params.get("organization_id")
    if organization_id is not None:
        own_organization(organization_id, caller)


def _is_json(request: Request, *, required: bool) -> None:
    """Raises ProblemError 415 for what would change something and says that it is no JSON, or does not say what it is
    where a body is needed."""
    sent = request.headers.get("content-type", JSON if not required else "")
    if request.method not in SAFE_METHODS and sent.partition(";")[0].strip().lower() != JSON:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The API takes JSON alone. Send it with the header Content-Type: application/json.",
        )
