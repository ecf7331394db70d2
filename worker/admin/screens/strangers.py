"""A stranger's try by the screens' form, which they have to make up: no page of ours shows it to them."""

from typing import Literal

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from worker.admin.api.wishes import Kind
from worker.admin.screens import reasons
from worker.admin.screens.wishes import Wish
from worker.admin.strangers import Handle, Tried, watched


class SwitchRoute(APIRoute):
    """As the API's."""

    def get_route_handler(self) -> Handle:
        return watched(super().get_route_handler(), _tried_of)


class _Address(BaseModel):
    connector: Kind
    enabled: Literal["on", "off"]


async def _tried_of(request: Request) -> Tried | None:
    """None too for a question that was only looked at."""
    if request.method != "POST":
        return None
    try:
        address = _Address.model_validate(dict(request.query_params))
        wish = Wish.model_validate(dict(await request.form()))
    except (ValidationError, HTTPException, ClientDisconnect):
        return None
    if reasons.mistake_in(wish.reason):
        return None
    return Tried(address.enabled == "on", wish.plain_reason, address.connector)
