"""`/organizations/…/connector`: how it is, switching it on and off, and what enabling would send."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends, Query

from connectors.contract import Problem
from worker import insights, readiness
from worker.admin.access import Asking, Context, may_ask_the_erp
from worker.admin.api.described import WHERE_SENT, problems
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.known import KnownOrganization
from worker.admin.api.strangers import SwitchRoute
from worker.admin.api.wishes import SOURCE, Kind, SwitchWish
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError, invalid, not_found
from worker.domain.switching import Toggle, Verdict
from worker.readiness import NotReady
from worker.store import connectors
from worker.store.database import Connection, transaction
from worker.views import ConnectorObject, ReleasePreview

PREFIX = "/organizations/{organization_id}"

reads = APIRouter(prefix=PREFIX, route_class=GuardedRoute, tags=["connector"], responses=problems(HTTPStatus.NOT_FOUND))
switches = APIRouter(
    prefix=PREFIX,
    route_class=SwitchRoute,
    tags=["connector"],
    responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, *WHERE_SENT),
)


@reads.get("/connector")
async def show_connector(organization: KnownOrganization, context: Context) -> ConnectorObject:
    """The connector that is or was last in use."""
    async with transaction(context.pool) as connection:
        found = await insights.connector_object(connection, organization, context.overview)
    return found or _none_configured()


@reads.get(
    "/release-preview",
    dependencies=[Depends(may_ask_the_erp)],
    responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)
async def preview_release(
    organization: KnownOrganization, context: Context, connector: Annotated[Kind | None, Query()] = None
) -> ReleasePreview:
    """What enabling now would send, what would be rejected, and what the check at the ERP finds. Changes nothing."""
    return await readiness.preview(context.pool, context.adapters, organization, connector) or _none_configured()


@switches.put("/connector/enabled")
async def switch_connector(
    organization: KnownOrganization, wish: SwitchWish, caller: Asking, context: Context
) -> ConnectorObject:
    """Switches the connector on or off; the first time on only where the check at the ERP finds nothing wrong."""
    async with transaction(context.pool) as connection:
        kind = wish.connector or await _only_kind(connection, organization)
    toggle = Toggle(organization, kind, wish.enabled, wish.reason, caller.actor)
    await _switch(context, toggle, unchecked=wish.unchecked)
    async with transaction(context.pool) as connection:
        shown = await insights.connector_objects(connection, organization, context.overview)
    return next(one for one in shown if one.connector == kind)


async def _only_kind(connection: Connection, organization: str) -> str:
    """The kind that is or was last in use. Raises ProblemError 422 where there are several and none ever was."""
    views = await connectors.views(connection, organization)
    if not views:
        _none_configured()
    if len(views) > 1 and not views[0].enabled and views[0].changed_at is None:
        raise invalid(f"connector: Several are configured. Say which: {', '.join(view.kind for view in views)}.")
    return views[0].kind


async def _switch(context: AdminContext, toggle: Toggle, *, unchecked: bool) -> None:
    """Raises ProblemError 409."""
    switched = await readiness.switch(context.pool, context.adapters, toggle, SOURCE, unchecked=unchecked)
    if isinstance(switched, NotReady):
        raise _not_ready(f"{switched.sentence} Or enable it all the same, with unchecked.", switched.problems)
    if switched.decision.verdict is Verdict.REFUSED:
        raise ProblemError(HTTPStatus.CONFLICT, "switch-refused", switched.decision.sentence)


def _not_ready(sentence: str, found: Iterable[Problem]) -> ProblemError:
    told = [{"subject": one.subject, "message": one.message} for one in found]
    return ProblemError(HTTPStatus.CONFLICT, "connector-not-ready", sentence, more={"problems": told})


def _none_configured() -> NoReturn:
    raise not_found("No connector is configured for this organisation. An operator configures one.")
