"""One reimbursement: where it is, why it waits, and what a person decides about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from worker import decisions, insights
from worker.admin.access import IDENTIFIER, Asking, Context
from worker.admin.caller import Caller
from worker.admin.context import AdminContext
from worker.admin.problems import ProblemError
from worker.admin.screens import reasons, words
from worker.admin.screens.notices import Notice, Tone, go_on
from worker.admin.screens.pages import page
from worker.admin.screens.reader import Reader, reader_of
from worker.admin.screens.shown import Shown, ShownOrganization
from worker.decisions import Decide, Decided, NotDecided
from worker.domain.sentences import Sentence, say
from worker.domain.states import ASKABLE_BY_A_PERSON, CLOSABLE_BY_A_PERSON, RETRYABLE_BY_A_PERSON, ItemState
from worker.store.database import transaction
from worker.store.items import Standing
from worker.views import ItemDetail

router = APIRouter(prefix="/organizations/{organization_id}/reimbursements")

SOURCE = "http"
NO_MISTAKES: Mapping[str, Sentence] = MappingProxyType({})

ReimbursementId = Annotated[str, Path(pattern=IDENTIFIER)]


class Decision(BaseModel):
    """The form as it came: why, and where the item stood on the page that the decision was made on."""

    reason: Annotated[str, Field(max_length=reasons.LONGEST_FIELD)] = ""
    state: ItemState | None = None
    attempt: int | None = None

    @property
    def seen(self) -> Standing | None:
        return None if self.state is None or self.attempt is None else Standing(self.state, self.attempt)


@dataclass(frozen=True, slots=True)
class _Case:
    """One reimbursement on the screen of whoever asks."""

    request: Request
    shown: ShownOrganization
    caller: Caller
    context: AdminContext
    item: ItemDetail

    @property
    def reader(self) -> Reader:
        return reader_of(self.request)

    @property
    def address(self) -> str:
        return _address(self.shown, self.item.reimbursement_id)


@router.get("/{reimbursement_id}")
async def reimbursement(
    request: Request, shown: Shown, caller: Asking, context: Context, reimbursement_id: ReimbursementId
) -> Response:
    return _shown(await _case(request, shown, caller, context, reimbursement_id))


@router.get("/{reimbursement_id}/retry")
async def not_retried(shown: Shown, reimbursement_id: ReimbursementId) -> Response:
    """Where a reader lands who changes the language on a page that says what is missing."""
    return RedirectResponse(_address(shown, reimbursement_id), HTTPStatus.SEE_OTHER)


@router.post("/{reimbursement_id}/retry")
async def retry(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    reimbursement_id: ReimbursementId,
    decision: Annotated[Decision, Form()],
) -> Response:
    """A rejected one is sent again; one whose outcome is unknown is looked up once more; receipts that were given up
    are tried again."""
    case = await _case(request, shown, caller, context, reimbursement_id)
    mistake = reasons.mistake_in(decision.reason)
    if mistake:
        return _shown(case, {"retry-reason": mistake}, decision.reason)
    return await _decide(case, decisions.retry, decision)


@router.get("/{reimbursement_id}/handled-elsewhere")
async def confirm(
    request: Request, shown: Shown, caller: Asking, context: Context, reimbursement_id: ReimbursementId
) -> Response:
    """A page by itself; with a script it opens as a dialog."""
    return _confirm(await _case(request, shown, caller, context, reimbursement_id))


@router.post("/{reimbursement_id}/handled-elsewhere")
async def hand_over(
    request: Request,
    shown: Shown,
    caller: Asking,
    context: Context,
    reimbursement_id: ReimbursementId,
    decision: Annotated[Decision, Form()],
) -> Response:
    case = await _case(request, shown, caller, context, reimbursement_id)
    mistake = reasons.mistake_in(decision.reason)
    if mistake:
        return _confirm(case, {"reason": mistake}, decision.reason)
    return await _decide(case, decisions.hand_over, decision)


async def _case(
    request: Request, shown: ShownOrganization, caller: Caller, context: AdminContext, reimbursement_id: str
) -> _Case:
    """Raises ProblemError 404."""
    async with transaction(context.pool) as connection:
        item = await insights.item_detail(connection, shown.organization_id, reimbursement_id)
    if item is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "not-found",
            f"{shown.organization_id} has no reimbursement {reimbursement_id}. Check the number.",
        )
    return _Case(request, shown, caller, context, item)


def _shown(case: _Case, mistakes: Mapping[str, Sentence] = NO_MISTAKES, reason: str = "") -> Response:
    state = case.item.state
    return _page(
        case,
        "reimbursement.html",
        mistakes,
        reason,
        may_retry=state in RETRYABLE_BY_A_PERSON,
        may_ask=state in ASKABLE_BY_A_PERSON,
        may_attach=case.item.has_given_up_receipts,
        may_close=state in CLOSABLE_BY_A_PERSON,
    )


def _confirm(case: _Case, mistakes: Mapping[str, Sentence] = NO_MISTAKES, reason: str = "") -> Response:
    """What can't be closed any more shows where it is instead."""
    if case.item.state not in CLOSABLE_BY_A_PERSON:
        return _shown(case)
    return _page(case, "handled-elsewhere.html", mistakes, reason)


def _page(case: _Case, template: str, mistakes: Mapping[str, Sentence], reason: str, **more: object) -> Response:
    return page(
        case.request,
        template,
        caller=case.caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK,
        organization=case.shown,
        item=case.item,
        erps=words.erp_titles(case.context.adapters),
        mistakes={field: case.reader.said(sentence) for field, sentence in mistakes.items()},
        reason=reason,
        **more,
    )


async def _decide(case: _Case, decide: Decide, decision: Decision) -> Response:
    async with transaction(case.context.pool) as connection:
        decided = await decide(
            connection,
            case.shown.organization_id,
            case.item.reimbursement_id,
            actor=case.caller.actor,
            reason=reasons.plain(decision.reason),
            source=SOURCE,
            seen=decision.seen,
        )
    return _go_on(case, decided)


def _go_on(case: _Case, decided: Decided | NotDecided) -> Response:
    if isinstance(decided, NotDecided):
        return go_on(case.address, Notice(Tone.REFUSED, case.reader.said(decided.sentence)))
    return go_on(case.address, Notice(Tone.DONE, case.reader.said(_done(case, decided.state))))


def _done(case: _Case, state: ItemState) -> Sentence:
    match state:
        case ItemState.HANDLED_ELSEWHERE:
            return say("{id} is marked as handled elsewhere. It will never be sent.", id=case.item.reimbursement_id)
        case ItemState.SYNCED:
            return say("The receipts of {id} that were given up wait to be tried again.", id=case.item.reimbursement_id)
        case ItemState.UNKNOWN:
            return say("{id} will be looked up once more.", id=case.item.reimbursement_id)
        case _:
            return say("{id} waits to be sent again.", id=case.item.reimbursement_id)


def _address(shown: ShownOrganization, reimbursement_id: str) -> str:
    return f"/organizations/{shown.organization_id}/reimbursements/{reimbursement_id}"
