"""Pages of a list: a cursor says after which row one begins or, turned round, before which row it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from worker.domain.sentences import say

BACK = "~"
"""Before a cursor: the page that ends where the cursor stands."""
LONGEST_CURSOR = 18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 10**17
"""Microseconds since then, in a far future that PostgreSQL and Python both know."""
NO_CURSOR = say("That is no cursor that a page gave as its next. Leave it out to begin anew.")

T = TypeVar("T")


class BadCursorError(ValueError):
    """A cursor that no page gave; the text is a sentence for people."""


class Read(Protocol[T]):
    """Reads rows of a list in its order, after a cursor (None: from its start). `backwards`: those before the cursor,
    the nearest first. Raises BadCursorError."""

    async def __call__(self, cursor: str | None, limit: int, *, backwards: bool) -> list[T]: ...


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T]):
    """One page. `previous` and `next` are cursors; None: there is nothing on that side."""

    rows: list[T]
    previous: str | None
    next: str | None


async def leaf(cursor: str | None, limit: int, read: Read[T], place: Callable[[T], str]) -> Leaf[T]:
    """`place` makes the cursor of a row. Going back ends with a whole first page: what has come or gone at the start
    meanwhile shifts it, and leaves nothing out. Raises BadCursorError."""
    before, after = turned(cursor)
    if before:
        rows, more = page_of(await read(before, limit + 1, backwards=True), limit)
        if more:
            return Leaf(rows[::-1], BACK + place(rows[-1]), place(rows[0]))
    rows, more = page_of(await read(after, limit + 1, backwards=False), limit)
    return Leaf(rows, BACK + place(rows[0]) if after and rows else None, place(rows[-1]) if more else None)


def turned(cursor: str | None) -> tuple[str | None, str | None]:
    """Before which row, or after which one: one of them at most. Raises BadCursorError."""
    if cursor and cursor.startswith(BACK):
        if cursor == BACK:
            raise BadCursorError(NO_CURSOR)
        return cursor.removeprefix(BACK), None
    return None, cursor or None


def page_of(rows: list[T], limit: int) -> tuple[list[T], bool]:
    """The page, and whether there are more; one row too many was asked for."""
    return rows[:limit], len(rows) > limit


def number_of(cursor: str | None, start: int) -> int:
    """Raises BadCursorError."""
    if not cursor:
        return start
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= LONGEST_CURSOR):
        raise BadCursorError(NO_CURSOR)
    return int(cursor)


def moment_cursor(at: datetime, which: object) -> str:
    """To the microsecond, and which one of that time."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}-{which}"


def moment_of(cursor: str | None) -> tuple[datetime, str]:
    """The time, and which one of it; after all, and none, where there is no cursor. Raises BadCursorError."""
    if not cursor:
        return EPOCH + timedelta(microseconds=LATEST), ""
    microseconds, _, which = cursor.partition("-")
    if not microseconds or not which or number_of(microseconds, 0) > LATEST:
        raise BadCursorError(NO_CURSOR)
    return EPOCH + timedelta(microseconds=int(microseconds)), which
