"""Tries to switch another organisation's connector: refused at the door, and written into that organisation's log."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from worker.admin.access import NotYoursError
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.wishes import SOURCE, SwitchWish
from worker.admin.context import context_of
from worker.domain.switching import Toggle
from worker.store import connectors
from worker.store.database import Connection, transaction, unlimited
from worker.toggles import apply_toggle

NO_CONNECTOR = "none"
"""What the log says where the stranger named no connector and none is configured."""


class SwitchRoute(GuardedRoute):
    """The answer is 403 as everywhere, whatever comes of the writing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def watched(request: Request) -> Response:
            try:
                return await handle(request)
            except NotYoursError as refused:
                wish = await _wish_of(request)
                if wish is not None:
                    await _tell_the_organization(request, refused, wish)
                raise

        return watched


async def _wish_of(request: Request) -> SwitchWish | None:
    """None for what says nothing that could be written down."""
    try:
        return SwitchWish.model_validate_json(await request.body())
    except (ValidationError, HTTPException, ClientDisconnect):
        return None


async def _tell_the_organization(request: Request, refused: NotYoursError, wish: SwitchWish) -> None:
    organization_id = refused.organization_id
    with unlimited():
        async with transaction(context_of(request).pool) as connection:
            if await connectors.organization_exists(connection, organization_id):
                kind = wish.connector or await _last_used(connection, organization_id)
                toggle = Toggle(organization_id, kind, wish.enabled, wish.reason, refused.caller.actor)
                await apply_toggle(connection, toggle, SOURCE)


async def _last_used(connection: Connection, organization_id: str) -> str:
    views = await connectors.views(connection, organization_id)
    return views[0].kind if views else NO_CONNECTOR
