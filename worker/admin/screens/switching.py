"""Switching a connector: the page that asks, which a script opens as a dialog, and the switch itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from worker import insights, readiness, releasing
from worker.admin.access import Asking, Context, may_ask_the_erp
from worker.admin.api.wishes import Kind
from worker.admin.caller import Caller
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError
from worker.admin.screens.connector_facts import ConnectorFacts, connector_facts
from worker.admin.screens.notices import Notice, Tone, go_on
from worker.admin.screens.pages import page
from worker.admin.screens.reader import Reader, reader_of
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.admin.screens.strangers import SwitchRoute
from worker.admin.screens.wishes import Choice, Wish, seen_of
from worker.domain.sentences import Sentence, say_number
from worker.domain.switching import Toggle, Verdict
from worker.readiness import NotReady
from worker.releasing import NotAsTold
from worker.store.database import transaction
from worker.toggles import Toggled, apply_toggle
from worker.views import ConnectorObject, ReleasePreview

router = APIRouter(prefix="/organizations/{organization_id}/connector/switch", route_class=SwitchRoute)

SOURCE = "http"
NO_MISTAKES: Mapping[str, str] = MappingProxyType({})
TONES = {
    Verdict.APPLIED: Tone.DONE,
    Verdict.UNCHANGED: Tone.NOTE,
    Verdict.SUPERSEDED: Tone.REFUSED,
    Verdict.REFUSED: Tone.REFUSED,
}
Direction = Annotated[Literal["on", "off"] | None, Query(alias="enabled")]


@dataclass(frozen=True, slots=True)
class _Switch:
    """What is to be switched, who asks, and what the worker knows of it."""

    request: Request
    shown: ShownOrganization
    caller: Caller
    context: AdminContext
    facts: ConnectorFacts
    connector: ConnectorObject

    @property
    def reader(self) -> Reader:
        return reader_of(self.request)

    @property
    def home(self) -> str:
        return f"/organizations/{self.shown.organization_id}"


@router.get("")
async def ask(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    kind: Annotated[Kind | None, Query(alias="connector")] = None,
    direction: Direction = None,
) -> Response:
    if kind is None or direction is None:
        return RedirectResponse(f"/organizations/{shown.organization_id}", HTTPStatus.SEE_OTHER)
    switch = await _switch(request, shown, caller, context, kind)
    wish = Wish(seen=seen_of(switch.connector.changed_at))
    if direction == "off":
        return _asked_off(switch, wish)
    may_ask_the_erp(request, caller)
    return await _asked_on(switch, wish)


@router.post("")
async def decide(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    wish: Annotated[Wish, Form()],
    kind: Annotated[Kind, Query(alias="connector")],
    direction: Annotated[Literal["on", "off"], Query(alias="enabled")],
) -> Response:
    toggle = Toggle(
        organization_id=shown.organization_id,
        connector=kind,
        enabled=direction == "on",
        reason=wish.plain_reason,
        actor=caller.actor,
        seen_change=wish.seen_change,
    )
    switch = await _switch(request, shown, caller, context, kind)
    return await _switch_on(switch, wish, toggle) if toggle.enabled else await _switch_off(switch, wish, toggle)


async def _switch(
    request: Request, shown: ShownOrganization, caller: Caller, context: AdminContext, kind: str
) -> _Switch:
    """Raises ProblemError 404 where that connector is not configured."""
    facts = await connector_facts(context, shown.organization_id, kind)
    if facts.connector is None or facts.connector.connector != kind:
        raise ProblemError(HTTPStatus.NOT_FOUND, "not-found", "That connector is not configured. Check the address.")
    return _Switch(request, shown, caller, context, facts, facts.connector)


async def _switch_off(switch: _Switch, wish: Wish, toggle: Toggle) -> Response:
    mistakes = wish.mistakes_off(switch.reader)
    if mistakes:
        return _asked_off(switch, wish, mistakes, HTTPStatus.UNPROCESSABLE_ENTITY)
    async with transaction(switch.context.pool) as connection:
        toggled = await apply_toggle(connection, toggle, SOURCE)
    return _done(switch, toggled)


async def _switch_on(switch: _Switch, wish: Wish, toggle: Toggle) -> Response:
    waits = switch.facts.waiting_count > 0
    mistakes = wish.mistakes_on(switch.reader, something_waits=waits)
    if mistakes:
        return await _asked_on(switch, wish, mistakes, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if wish.choice == Choice.REVIEW:
        return _review(switch)
    release = wish.release
    if release is None:
        return await _confirm(switch, wish)
    released = await releasing.enable(
        switch.context.pool, switch.context.adapters, toggle, SOURCE, release, unchecked=wish.unchecked
    )
    if isinstance(released, NotReady):
        return await _asked_on(switch, wish, refused=True, status=HTTPStatus.CONFLICT)
    if isinstance(released, NotAsTold):
        return await _confirm(switch, wish, is_asked_again=True)
    return _done(switch, released, _marked(released.marked))


def _marked(count: int) -> list[Sentence]:
    if not count:
        return []
    return [
        say_number(
            "{count} reimbursement was marked as handled elsewhere.",
            "{count} reimbursements were marked as handled elsewhere.",
            count=count,
        )
    ]


def _done(switch: _Switch, toggled: Toggled, more: Sequence[Sentence] = ()) -> Response:
    said = " ".join(map(switch.reader.said, [toggled.decision.sentence, *more]))
    notice = Notice(TONES[toggled.decision.verdict], said)
    return go_on(f"{switch.home}?connector={switch.connector.connector}", notice)


def _review(switch: _Switch) -> Response:
    text = switch.reader.translate("Nothing was changed; the connector is still off. This is what waits.")
    return go_on(f"{switch.home}/reimbursements?state=pending", Notice(Tone.NOTE, text))


def _asked_off(
    switch: _Switch,
    wish: Wish,
    mistakes: Mapping[str, str] = NO_MISTAKES,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    return _page(switch, "switch-off.html", status, wish=wish, mistakes=mistakes)


async def _asked_on(
    switch: _Switch,
    wish: Wish,
    mistakes: Mapping[str, str] = NO_MISTAKES,
    *,
    refused: bool = False,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """With the release preview, for which the ERP is asked, unless another connector has to be switched off first."""
    in_the_way = switch.facts.in_the_way
    preview = None if in_the_way else await _preview(switch)
    facts = {"preview": preview, "in_the_way": in_the_way, "wish": wish, "mistakes": mistakes, "refused": refused}
    return _page(switch, "switch-on.html", status, **facts)


async def _confirm(switch: _Switch, wish: Wish, *, is_asked_again: bool = False) -> Response:
    async with transaction(switch.context.pool) as connection:
        found = await insights.handed_over_preview(connection, switch.shown.organization_id, wish.from_moment)
    facts = {
        "wish": wish,
        "handed_over": found,
        "posted": max(switch.facts.waiting_count - found.count, 0),
        "is_asked_again": is_asked_again,
    }
    return _page(switch, "switch-confirm.html", HTTPStatus.CONFLICT if is_asked_again else HTTPStatus.OK, **facts)


async def _preview(switch: _Switch) -> ReleasePreview | None:
    organization_id, kind = switch.shown.organization_id, switch.connector.connector
    return await readiness.preview(switch.context.pool, switch.context.adapters, organization_id, kind)


def _page(switch: _Switch, template: str, status: HTTPStatus, **facts: object) -> Response:
    return page(
        switch.request,
        template,
        caller=switch.caller,
        status=status,
        organization=switch.shown,
        connector=switch.connector,
        **facts,
    )
