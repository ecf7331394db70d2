"""Integration management: every organisation that the caller may see, those with problems first."""

from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from worker.admin.access import Asking, Context
from worker.admin.screens.pages import page
from worker.domain.switching import Phase
from worker.overview import OverviewQuery
from worker.paging import BadCursorError
from worker.store.database import transaction

router = APIRouter(prefix="/organizations")

ADDRESS = "/organizations"
NOT_SET_UP = "not_set_up"
"""What the form asks for beside the phases: without a connector there is none."""
ROWS = 40
"""A page with its files stays under 100 kB."""


class Wanted(BaseModel):
    """The form above the table, as it came, and the cursor of a further page."""

    search: Annotated[str, Field(max_length=200)] = ""
    kind: Annotated[str, Field(max_length=64)] = ""
    phase: Annotated[str, Field(max_length=64)] = ""
    problems: bool = False
    after: Annotated[str, Field(max_length=200)] = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search.strip() or self.kind or self.phase or self.problems)

    @property
    def address(self) -> str:
        given = self.model_dump(exclude_defaults=True)
        return f"{ADDRESS}?{urlencode(given)}" if given else ADDRESS

    def query(self, own: frozenset[str] | None) -> OverviewQuery:
        return OverviewQuery(
            search=self.search,
            kind=self.kind or None,
            phase=Phase(self.phase) if self.phase in set(Phase) else None,
            only_without=self.phase == NOT_SET_UP,
            only_problems=self.problems,
            after=self.after or None,
            limit=ROWS,
            own=own,
        )

    def at(self, cursor: str | None) -> Self | None:
        """The same from a cursor on; None where there is no page."""
        return self.model_copy(update={"after": cursor}) if cursor else None

    def first(self) -> Self:
        return self.model_copy(update={"after": ""})


@router.get("")
async def organizations(
    request: Request, caller: Asking, context: Context, wanted: Annotated[Wanted, Query()]
) -> Response:
    try:
        async with transaction(context.pool) as connection:
            found = await context.overview.page(connection, wanted.query(caller.scope))
    except BadCursorError:
        return RedirectResponse(wanted.first().address, HTTPStatus.SEE_OTHER)
    titles = {kind: factory.title for kind, factory in sorted(context.adapters.factories.items())}
    return page(
        request,
        "organizations.html",
        caller=caller,
        found=found,
        wanted=wanted,
        first=wanted.first() if found.first > 1 else None,
        previous=wanted.at(found.previous),
        following=wanted.at(found.next),
        titles=titles,
        phases=[*Phase, NOT_SET_UP],
    )
