"""Pages of a list, there and back, over rows that come and go."""

import asyncio

import pytest

from worker.paging import BACK, BadCursorError, Leaf, leaf, number_of


def turn_to(cursor: str | None, rows: range, limit: int = 3) -> Leaf[int]:
    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[int]:
        if backwards:
            return [row for row in reversed(rows) if row < number_of(cursor, 0)][:limit]
        return [row for row in rows if row > number_of(cursor, 0)][:limit]

    return asyncio.run(leaf(cursor, limit, read, str))


@pytest.mark.parametrize("many", [0, 1, 3, 4, 6, 7])
def test_the_way_back_is_the_way_there(many: int) -> None:
    rows = range(1, many + 1)
    there, back, cursor = list[list[int]](), list[list[int]](), None
    while True:
        page = turn_to(cursor, rows)
        there.append(page.rows)
        cursor = page.next
        if cursor is None:
            break
    while True:
        back.append(page.rows)
        if page.previous is None:
            break
        page = turn_to(page.previous, rows)
    assert back[::-1] == there
    assert [row for rows in there for row in rows] == list(rows)


def test_a_page_of_the_way_back_leads_both_ways() -> None:
    page = turn_to(f"{BACK}7", range(1, 10))
    assert page == Leaf([4, 5, 6], f"{BACK}4", "6")
    assert turn_to(page.next, range(1, 10)).rows == [7, 8, 9]


def test_the_way_back_ends_with_a_whole_first_page_though_its_beginning_has_moved() -> None:
    assert turn_to(f"{BACK}5", range(3, 10)) == Leaf([3, 4, 5], None, "5")


@pytest.mark.parametrize("cursor", [BACK, f"{BACK}x", f"{BACK}{BACK}1", "x", f"1{BACK}"])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursorError):
        turn_to(cursor, range(1, 10))
