"""Pages: how many at most, and where to go on."""

from typing import Annotated

from fastapi import Query

from worker.admin.access import IDENTIFIER

A_PAGE = 100
LARGEST_PAGE = 1000
GOES_ON = "What the page before gave as `next`; left out, the first page."

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description=GOES_ON)]
OrganizationCursor = Annotated[str | None, Query(pattern=IDENTIFIER, description=GOES_ON)]
