"""All organisations at a glance: problems first, switches as they are now, counts as of a moment ago."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.events import approval
from tests.integration.worker.rows import (
    add_organization,
    bring,
    bring_to,
    central_file,
    configure,
    set_up,
    switch,
    take_in,
)
from tests.scene import PATIENCE
from worker import insights, overview
from worker.domain.attention import Trouble
from worker.domain.sentences import Sentence
from worker.domain.switching import Phase
from worker.overview import Overview, OverviewQuery
from worker.paging import BadCursorError
from worker.progress import Beat
from worker.store.database import DatabaseAwayError, Pool, acquire, transaction
from worker.suspension import suspend
from worker.views import OverviewPage, OverviewRow

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = OverviewQuery()


async def _counted(pool: Pool) -> Overview:
    """As it is after its first count."""
    held = Overview(pool)
    await held._run_once()
    return held


async def _page(pool: Pool, query: OverviewQuery = ALL, held: Overview | None = None) -> OverviewPage:
    held = held or await _counted(pool)
    async with acquire(pool) as connection:
        return await held.page(connection, query)


async def _rows(pool: Pool, query: OverviewQuery = ALL) -> Mapping[str, OverviewRow]:
    return {row.organization_id: row for row in (await _page(pool, query)).organizations}


async def _names(pool: Pool, query: OverviewQuery) -> list[str]:
    return list(await _rows(pool, query))


async def _one_of_each(pool: Pool) -> None:
    for name in ("a-well", "b-rejected", "c-suspended", "d-person", "e-overdue", "f-well"):
        await set_up(pool, name)
    await add_organization(pool, "g-none")
    await take_in(pool, *[approval("R-1", name) for name in ("b-rejected", "d-person", "e-overdue", "g-none")])
    await bring_to(pool, "rejected", "R-1", organization_id="b-rejected")
    for name in ("d-person", "e-overdue"):
        await bring_to(pool, "unknown", "R-1", organization_id=name)
    await switch(pool, True, "c-suspended")
    async with transaction(pool) as connection:
        await suspend(connection, "c-suspended", "xledger", "The token expired.")
        await connection.execute("update item set due_at = 'infinity' where organization_id = 'd-person'")
        await connection.execute(
            "update item set claimed_at = now() - interval '2 h' where organization_id = 'e-overdue'"
        )


async def test_problems_come_first_the_gravest_at_the_top_and_each_says_what_it_is(pool: Pool) -> None:
    await _one_of_each(pool)
    page = await _page(pool)
    assert [(row.organization_id, row.trouble) for row in page.organizations] == [
        ("c-suspended", Trouble.SUSPENDED),
        ("d-person", Trouble.FOR_A_PERSON),
        ("e-overdue", Trouble.OVERDUE),
        ("b-rejected", Trouble.REJECTED),
        ("g-none", Trouble.NO_CONNECTOR),
        ("a-well", None),
        ("f-well", None),
    ]
    assert (page.total, page.problems, page.next) == (7, 5, None)
    assert page.organizations[0].problem == "The Xledger connector is suspended: The token expired."
    assert all(isinstance(row.problem, Sentence) for row in page.organizations[:5])
    assert page.organizations[-1].problem is None


async def test_a_row_counts_what_waits_what_is_wrong_and_when_something_was_synced_last(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}", amount=f"{number}.50") for number in range(1, 8)])
    await bring_to(pool, "synced", "R-3")
    await bring_to(pool, "synced", "R-1")
    await bring_to(pool, "rejected", "R-4", "R-5")
    async with transaction(pool) as connection:
        await bring(connection, "sending", "R-6")
        await bring(connection, "unknown", "R-6", due_at="'infinity'")
        await connection.execute("update item set changed_at = clock_timestamp() where reimbursement_id = 'R-1'")
        last = await connection.fetchval("select changed_at from item where reimbursement_id = 'R-1'")
    row = (await _rows(pool))["hlf"]
    assert [(one.currency, one.count, one.total) for one in row.waiting] == [("NOK", 2, "10.00")]
    assert (row.waiting_count, row.rejected, row.for_a_person, row.overdue) == (2, 2, 1, 0)
    assert row.last_synced_at == last
    assert row.oldest is not None
    assert row.oldest.isoformat() == "2026-11-20T09:12:44+00:00"


async def test_a_toggle_shows_at_once_though_nothing_was_counted_since(pool: Pool) -> None:
    await set_up(pool)
    held = await _counted(pool)
    await switch(pool, True)
    await add_organization(pool, "new")
    page = await _page(pool, held=held)
    assert [(row.organization_id, row.phase) for row in page.organizations] == [("hlf", Phase.ON), ("new", None)]
    assert (page.organizations[0].changed_by, page.organizations[0].reason) == ("admin-1", "a test")


async def test_who_is_suspended_after_the_count_is_first_at_once_and_last_again_once_resumed(pool: Pool) -> None:
    for name in ("a", "b"):
        await set_up(pool, name)
        await switch(pool, True, name)
    held = await _counted(pool)
    async with transaction(pool) as connection:
        await suspend(connection, "b", "xledger", "The token expired.")
    suspended = await _page(pool, held=held)
    await switch(pool, True, "b")
    resumed = await _page(pool, held=held)
    assert [(row.organization_id, row.trouble) for row in suspended.organizations] == [
        ("b", Trouble.SUSPENDED),
        ("a", None),
    ]
    assert (suspended.problems, resumed.problems) == (1, 0)
    assert [row.organization_id for row in resumed.organizations] == ["a", "b"]


async def test_what_is_counted_says_as_of_when(pool: Pool) -> None:
    await set_up(pool)
    held = await _counted(pool)
    await take_in(pool, approval("R-1"))
    before = await _page(pool, held=held)
    await held._run_once()
    after = await _page(pool, held=held)
    assert (before.organizations[0].waiting_count, after.organizations[0].waiting_count) == (0, 1)
    assert before.as_of is not None
    assert after.as_of is not None
    assert before.as_of < after.as_of


async def test_before_the_first_count_everything_but_the_counts_is_there(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    page = await _page(pool, held=Overview(pool))
    assert (page.as_of, page.organizations[0].phase, page.organizations[0].waiting) == (None, Phase.OFF, [])


async def test_of_several_connectors_the_one_that_is_or_was_last_in_use_is_shown(pool: Pool) -> None:
    for name in ("a", "b", "c"):
        await set_up(pool, name)
        await configure(pool, name, "business_central", central_file())
    await switch(pool, True, "b")
    await switch(pool, False, "b")
    await switch(pool, True, "c", "business_central")
    await switch(pool, False, "c", "business_central")
    await switch(pool, True, "c")
    page = await _page(pool)
    async with acquire(pool) as connection:
        listed = await insights.organizations(connection)
    shown = [(row.organization_id, row.connector, row.title, row.phase) for row in page.organizations]
    assert shown == [
        ("a", "business_central", "Business Central", Phase.OFF),
        ("b", "xledger", "Xledger", Phase.OFF),
        ("c", "xledger", "Xledger", Phase.ON),
    ]
    assert [(one.organization_id, one.connector, one.phase) for one in listed] == [(a, b, d) for a, b, _, d in shown]


async def test_pages_follow_each_other_without_a_gap_or_a_double(pool: Pool) -> None:
    await _one_of_each(pool)
    held, seen, after = await _counted(pool), list[str](), None
    while True:
        page = await _page(pool, OverviewQuery(after=after, limit=2), held)
        seen += [row.organization_id for row in page.organizations]
        after = page.next
        if after is None:
            break
    assert seen == [row.organization_id for row in (await _page(pool, held=held)).organizations]


async def test_some_rows_are_as_they_stand_on_their_page_in_the_order_that_is_asked_for(pool: Pool) -> None:
    await _one_of_each(pool)
    held = await _counted(pool)
    page = await _page(pool, held=held)
    async with acquire(pool) as connection:
        found = await held.rows(connection, ["g-none", "nobody", "c-suspended", "a-well"])
    by_id = {row.organization_id: row for row in page.organizations}
    assert found.organizations == [by_id[one] for one in ("g-none", "c-suspended", "a-well")]
    assert found.as_of == page.as_of


async def test_the_way_back_is_the_way_there_and_rows_are_numbered(pool: Pool) -> None:
    await _one_of_each(pool)
    held = await _counted(pool)
    first = await _page(pool, OverviewQuery(limit=3), held)
    second = await _page(pool, OverviewQuery(after=first.next, limit=3), held)
    third = await _page(pool, OverviewQuery(after=second.next, limit=3), held)
    assert [(page.first, len(page.organizations)) for page in (first, second, third)] == [(1, 3), (4, 3), (7, 1)]
    assert await _page(pool, OverviewQuery(after=third.previous, limit=3), held) == second
    assert await _page(pool, OverviewQuery(after=second.previous, limit=3), held) == first
    assert first.previous is None


async def test_the_way_back_ends_with_a_whole_first_page(pool: Pool) -> None:
    await _one_of_each(pool)
    held = await _counted(pool)
    first = await _page(pool, OverviewQuery(limit=3), held)
    second = await _page(pool, OverviewQuery(after=first.next, limit=1), held)
    assert await _page(pool, OverviewQuery(after=second.previous, limit=4), held) == await _page(
        pool, OverviewQuery(limit=4), held
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (OverviewQuery(search=" REJECT "), ["b-rejected"]),
        (OverviewQuery(search="none"), ["g-none"]),
        (OverviewQuery(search="%"), []),
        (OverviewQuery(phase=Phase.SUSPENDED), ["c-suspended"]),
        (OverviewQuery(kind="business_central"), ["f-well"]),
        (OverviewQuery(only_without=True), ["g-none"]),
        (OverviewQuery(kind="xledger", search="well"), ["a-well"]),
        (OverviewQuery(only_problems=True), ["c-suspended", "d-person", "e-overdue", "b-rejected", "g-none"]),
        (OverviewQuery(only_problems=True, search="well"), []),
    ],
)
async def test_organisations_are_searched_and_filtered(pool: Pool, query: OverviewQuery, names: list[str]) -> None:
    await _one_of_each(pool)
    await configure(pool, "f-well", "business_central", central_file())
    assert await _names(pool, query) == names


@pytest.mark.parametrize("cursor", ["x", "hlf", "12:hlf", "-1:hlf", "²:hlf", ":", "~", "~x", "~~6:hlf"])
async def test_a_cursor_that_no_page_gave_is_refused(pool: Pool, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        await _page(pool, OverviewQuery(after=cursor))


async def test_a_page_beyond_the_last_is_empty(pool: Pool) -> None:
    await set_up(pool)
    page = await _page(pool, OverviewQuery(after="6:zzz"))
    assert (page.organizations, page.next, page.total) == ([], None, 1)


def _telling(came_round: asyncio.Event) -> Beat:
    def beat(rests: float = 0.0, *, in_vain: bool | None = None) -> None:
        del rests, in_vain
        came_round.set()

    return beat


async def test_it_counts_in_the_background_until_it_is_stopped(pool: Pool) -> None:
    await set_up(pool)
    stop, came_round = asyncio.Event(), asyncio.Event()
    held = Overview(pool, _telling(came_round))
    counting = asyncio.create_task(held.run(stop))
    async with asyncio.timeout(PATIENCE):
        await came_round.wait()
        stop.set()
        await counting
    assert (await _page(pool, held=held)).as_of is not None


async def test_a_database_that_is_away_leaves_the_last_count_standing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(pool)
    stop, came_round = asyncio.Event(), asyncio.Event()
    held = Overview(pool, _telling(came_round))
    await held._run_once()
    as_of = (await _page(pool, held=held)).as_of

    async def fail(_connection: object) -> object:
        raise DatabaseAwayError("ConnectionRefusedError")

    monkeypatch.setattr("worker.store.overview.count", fail)
    counting = asyncio.create_task(held.run(stop))
    async with asyncio.timeout(PATIENCE):
        await came_round.wait()
        stop.set()
        await counting
    assert (await _page(pool, held=held)).as_of == as_of


@pytest.mark.parametrize(("took", "rest"), [(0.001, 2.0), (0.4, 2.0), (1.0, 5.0), (30.0, 60.0)])
async def test_it_rests_five_times_as_long_as_counting_took(took: float, rest: float) -> None:
    assert overview._rest(took) == rest


async def test_where_so_much_waits_that_counting_takes_long_the_count_before_is_shown(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    held = await _counted(pool)
    await take_in(pool, approval("R-3"))
    async with acquire(pool) as connection:
        few = await insights.connector_object(connection, "hlf", held)
        monkeypatch.setattr(insights, "COUNTED_AT_ONCE", 2)
        many = await insights.connector_object(connection, "hlf", held)
        never_counted = await insights.connector_object(connection, "hlf", Overview(pool))
    assert few is not None
    assert many is not None
    assert never_counted is not None
    assert (few.waiting[0].count, few.waiting_as_of) == (3, None)
    assert (many.waiting[0].count, many.waiting_as_of) == (2, (await _page(pool, held=held)).as_of)
    assert (never_counted.waiting[0].count, never_counted.waiting_as_of) == (3, None)


async def test_an_organisations_own_administrator_is_shown_theirs_alone(pool: Pool) -> None:
    for name in ("a", "b", "c", "d"):
        await add_organization(pool, name)
    await take_in(pool, approval("R-1", "b"), approval("R-2", "c"))
    async with acquire(pool) as connection:
        own = await insights.organizations(connection, frozenset({"c", "b", "not-there"}))
        none = await insights.organizations(connection, frozenset())
        second = await insights.organizations(connection, None, "a", 2)
    assert [(one.organization_id, one.waiting[0].count) for one in own] == [("b", 1), ("c", 1)]
    assert none == []
    assert [one.organization_id for one in second] == ["b", "c"]


async def test_organisations_may_be_listed_with_what_was_counted_before(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    held = await _counted(pool)
    await take_in(pool, approval("R-2"))
    async with acquire(pool) as connection:
        counted = await insights.organizations(connection, counted=held)
        fresh = await insights.organizations(connection)
    assert (counted[0].waiting[0].count, fresh[0].waiting[0].count) == (1, 2)


async def test_whose_own_organisations_are_asked_for_gets_no_others(pool: Pool) -> None:
    await _one_of_each(pool)
    page = await _page(pool, OverviewQuery(own=frozenset({"f-well", "b-rejected", "nobody"})))
    assert [row.organization_id for row in page.organizations] == ["b-rejected", "f-well"]
    assert (page.total, page.problems) == (2, 1)
