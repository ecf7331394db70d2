"""Pages: how many at most, and where to go on."""

from typing import Annotated

from fastapi import Query

A_PAGE = 100
LARGEST_PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=100, description="What the page before gave as `next`; left out, the first page.")
]
