"""The integration settings of one organisation: its connector, the state it is in now, and whether it could post."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from worker import readiness
from worker.admin.access import Asking, Context, may_ask_the_erp
from worker.admin.caller import Caller
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError
from worker.admin.screens.connector_facts import ConnectorFacts, connector_facts, credentials_of
from worker.admin.screens.mapping_rows import mapping_rows
from worker.admin.screens.pages import page, part
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.views import ConnectorObject, ProblemView

router = APIRouter(prefix="/organizations/{organization_id}")

LONGEST_KIND = 64
Kind = Annotated[str | None, Query(alias="connector", max_length=LONGEST_KIND)]


@router.get("")
async def settings(request: Request, shown: Shown, caller: Asking, context: Context, kind: Kind = None) -> Response:
    facts = await connector_facts(context, shown.organization_id, kind)
    return await _page(request, shown, caller, context, facts)


@router.get("/live")
async def live(request: Request, shown: Shown, context: Context, kind: Kind = None, seen: str = "") -> Response:
    """What the page asks every second: nothing new, or the part of it that may have changed."""
    facts = await connector_facts(context, shown.organization_id, kind)
    if facts.digest == seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return part(request, "connector-live.html", organization=shown, facts=facts)


@router.get("/connector/test")
async def untested(shown: Shown) -> Response:
    """Where a reader lands who changes the language on the page with the result."""
    return RedirectResponse(f"/organizations/{shown.organization_id}", HTTPStatus.SEE_OTHER)


@router.post("/connector/test", dependencies=[Depends(may_ask_the_erp)])
async def test(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    kind: Annotated[str, Form(alias="connector", max_length=LONGEST_KIND)],
) -> Response:
    """Asks the ERP, and shows the settings with what it answered. Changes nothing."""
    facts = await connector_facts(context, shown.organization_id, kind)
    return await _page(request, shown, caller, context, facts, await _problems(context, configured(facts)))


def configured(facts: ConnectorFacts) -> ConnectorObject:
    """Raises ProblemError 404 where the organisation has no connector."""
    if facts.connector is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "not-found", "No connector is configured. Ask an operator to do it.")
    return facts.connector


async def _problems(context: AdminContext, tested: ConnectorObject) -> list[ProblemView]:
    found = await readiness.problems_told(context.pool, context.adapters, tested.organization_id, tested.connector)
    return [ProblemView(subject=one.subject, message=one.message) for one in found]


async def _page(
    request: Request,
    shown: ShownOrganization,
    caller: Caller,
    context: AdminContext,
    facts: ConnectorFacts,
    problems: list[ProblemView] | None = None,
) -> Response:
    """`problems` is None where the ERP was not asked."""
    rows = mapping_rows(facts.connector.mapping, problems or []) if facts.connector else []
    return page(
        request,
        "connector.html",
        caller=caller,
        organization=shown,
        facts=facts,
        problems=problems,
        mapping=rows,
        credentials=await credentials_of(context, facts.connector) if facts.connector else None,
    )
