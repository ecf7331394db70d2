"""Integration management: every organisation that the caller may see, those with problems first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from worker.admin.access import Asking, Context
from worker.admin.screens.pages import page, part
from worker.domain.switching import Phase
from worker.overview import OverviewQuery
from worker.paging import BadCursorError
from worker.store.database import transaction
from worker.views import OverviewRow, OverviewRows

router = APIRouter()

ADDRESS = "/organizations"
LIVE = "/live/organizations"
"""No address of an organisation, whatever it is called."""
NOT_SET_UP = "not_set_up"
"""What the form asks for beside the phases: without a connector there is none."""
ROWS = 40
"""A page with its files stays under 100 kB."""
DIGEST_CHARACTERS = 16
Ids = Annotated[str, Query(pattern=r"^[A-Za-z0-9._:,-]*$", max_length=ROWS * 65)]
"""The organisations of a page, with commas between them."""


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


@dataclass(frozen=True, slots=True)
class _Live:
    """The part of the page that is kept up to date: the rows as they came, in the order in which they came."""

    rows: Sequence[OverviewRow]
    as_of: datetime | None

    @classmethod
    def of(cls, found: OverviewRows) -> "_Live":
        """When it was counted is told to the minute, and so is no news before."""
        return cls(found.organizations, found.as_of and found.as_of.replace(second=0, microsecond=0))

    @property
    def address(self) -> str:
        ids = ",".join(row.organization_id for row in self.rows)
        return f"{LIVE}?{urlencode({'of': ids, 'seen': self.digest}, safe=',')}"

    @property
    def digest(self) -> str:
        """Changes when anything does that the rows show."""
        content = sha256(f"{self.as_of}".encode())
        for row in self.rows:
            content.update(row.model_dump_json().encode())
        return content.hexdigest()[:DIGEST_CHARACTERS]


@router.get(ADDRESS)
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
        live=_Live.of(found),
        titles=titles,
        phases=[*Phase, NOT_SET_UP],
    )


@router.get(LIVE)
async def live(request: Request, caller: Asking, context: Context, of: Ids, seen: str = "") -> Response:
    """What the page asks every second: nothing new, or its rows as they are now. None moves: they stay in the order
    that they had when the page was opened."""
    own = [one for one in of.split(",") if caller.may_see(one)][:ROWS]
    async with transaction(context.pool) as connection:
        found = _Live.of(await context.overview.rows(connection, own))
    if found.digest == seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return part(request, "organizations-live.html", live=found)
