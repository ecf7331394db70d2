"""A stranger's try by the API."""

from fastapi import Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.wishes import SwitchWish
from worker.admin.strangers import Handle, Tried, watched


class SwitchRoute(GuardedRoute):
    """The answer is 403 as everywhere, whatever comes of the writing."""

    def get_route_handler(self) -> Handle:
        return watched(super().get_route_handler(), _tried_of)


async def _tried_of(request: Request) -> Tried | None:
    try:
        wish = SwitchWish.model_validate_json(await request.body())
    except (ValidationError, HTTPException, ClientDisconnect):
        return None
    return Tried(wish.enabled, wish.reason, wish.connector)
