"""Tries to switch another organisation's connector: refused at the door, and written into that organisation's log.

The answer is the same, and comes as fast, whether there is such an organisation or not: it is looked for once the
answer has left, and what comes of the writing is told to nobody but our own log.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from worker.admin.access import NotYoursError
from worker.admin.context import context_of
from worker.domain.switching import Toggle
from worker.store import connectors
from worker.store.database import Connection, Pool, transaction, unlimited
from worker.telemetry import failure
from worker.toggles import apply_toggle

log = structlog.get_logger(__name__)

SOURCE = "http"
NO_CONNECTOR = "none"
"""What the log says where the stranger named no connector and none is configured."""

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a stranger wanted. `kind` None: whichever connector was last in use."""

    enabled: bool
    reason: str
    kind: str | None


def watched(handle: Handle, tried_of: Callable[[Request], Awaitable[Tried | None]]) -> Handle:
    """`tried_of` answers None for what says nothing that could be written down."""

    async def watch(request: Request) -> Response:
        try:
            return await handle(request)
        except NotYoursError as refused:
            tried = await tried_of(request)
            if tried is not None:
                pool = context_of(request).pool
                refused.afterwards = BackgroundTask(_tell_the_organization, pool, refused, tried)
            raise

    return watch


async def _tell_the_organization(pool: Pool, refused: NotYoursError, tried: Tried) -> None:
    try:
        with unlimited():
            async with transaction(pool) as connection:
                if await connectors.organization_exists(connection, refused.organization_id):
                    await apply_toggle(connection, await _toggle(connection, refused, tried), SOURCE)
    except Exception as error:  # noqa: BLE001  # the answer has left, and must not tell; it is on record
        log.error("strangers_try_not_logged", **failure(error))


async def _toggle(connection: Connection, refused: NotYoursError, tried: Tried) -> Toggle:
    kind = tried.kind or await _last_used(connection, refused.organization_id)
    return Toggle(refused.organization_id, kind, tried.enabled, tried.reason, refused.caller.actor)


async def _last_used(connection: Connection, organization_id: str) -> str:
    views = await connectors.views(connection, organization_id)
    return views[0].kind if views else NO_CONNECTOR
