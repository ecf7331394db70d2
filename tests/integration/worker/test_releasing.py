"""Enabling with a choice: what is not released is marked first, and not one item of it is ever sent."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.events import approval
from tests.integration.worker.rows import (
    ADMIN,
    adapters,
    bring_to,
    log_of,
    set_up,
    switch,
    take_in,
)
from tests.integration.worker.test_readiness import WRONG
from tests.scene import DISPATCH_ONLY, Scene, fresh
from worker import decisions, insights, releasing
from worker.bootstrap import make_adapters
from worker.domain.switching import NEVER, Actor, Phase, Role, Toggle, Verdict
from worker.readiness import NotReady
from worker.releasing import NotAsTold, Release, ReleaseChoice, Released, Told
from worker.runs import RunRefused, request_run
from worker.store import items
from worker.store.database import DatabaseAwayError, Pool, acquire, transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY = datetime(2026, 11, 1, tzinfo=UTC)
OLD, NEW = "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"
FROM_DAY = Release(ReleaseChoice.FROM_DATE, DAY)
NONE_OF_IT = Release(ReleaseChoice.HANDLED_ELSEWHERE)
"""What is to become of what waits, before anybody was told what that is."""
ALL_OF_IT = Release(ReleaseChoice.ALL)
ENABLE = Toggle("hlf", "xledger", True, "Booked in the old system", ADMIN)
STRANGER = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))


async def _told(pool: Pool, release: Release) -> Release:
    async with acquire(pool) as connection:
        found = await insights.handed_over_preview(connection, "hlf", release.from_date)
    return replace(release, told=Told(found.count, found.through))


async def _enable(pool: Pool, release: Release, toggle: Toggle = ENABLE) -> Released:
    """Of all that waits now."""
    release = release if release is ALL_OF_IT else await _told(pool, release)
    enabled = await releasing.enable(pool, adapters(), toggle, "http", release, unchecked=True)
    assert isinstance(enabled, Released)
    return enabled


async def _states(pool: Pool, organization_id: str = "hlf") -> dict[str, str]:
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "select reimbursement_id, state from item where organization_id = $1 order by seq", organization_id
        )
    return {row["reimbursement_id"]: row["state"] for row in rows}


async def _load(pool: Pool, number: int) -> None:
    """So many more pending items as the first one of hlf is."""
    async with acquire(pool) as connection:
        await connection.execute(
            """
            insert into item (organization_id, reimbursement_id, approved_at, total_minor, currency, content_hash,
                              content)
            select organization_id, 'B-' || n, approved_at, total_minor, currency, content_hash, content
            from (select * from item where organization_id = 'hlf' order by seq limit 1) first,
                 generate_series(1, $1::integer) n
            """,
            number,
        )


async def _changes(pool: Pool) -> list[object]:
    return [entry["change"] for entry in await log_of(pool)][2:]


async def test_all_is_the_enable_as_it_ever_was(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    assert (await _enable(pool, ALL_OF_IT)).phase is Phase.ON
    assert await _states(pool) == {"R-1": "pending"}
    assert await _changes(pool) == ["connector_enabled", "sync_run_started"]


async def test_from_a_date_what_was_approved_before_it_is_handled_elsewhere_and_the_rest_is_released(
    pool: Pool,
) -> None:
    await set_up(pool)
    await take_in(
        pool,
        approval("R-new", approved_at=NEW),
        approval("R-old", approved_at=OLD, amount="100.25"),
        approval("R-older", approved_at="2026-01-02T03:04:05Z", amount="0.75"),
        approval("R-x", "other", approved_at=OLD),
    )
    enabled = await _enable(pool, FROM_DAY)
    assert (enabled.decision.verdict, enabled.phase) == (Verdict.APPLIED, Phase.ON)
    assert await _states(pool) == {"R-new": "pending", "R-old": "handled_elsewhere", "R-older": "handled_elsewhere"}
    assert await _states(pool, "other") == {"R-x": "pending"}
    async with acquire(pool) as connection:
        item = await insights.item_detail(connection, "hlf", "R-old")
        assert await connection.fetchval("select released_through >= (select max(seq) from item) from connector")
    assert item is not None
    assert item.reason == "Booked in the old system"


async def test_the_log_has_one_entry_of_all_that_was_marked_with_count_and_sums(pool: Pool) -> None:
    await set_up(pool)
    lines = [{"line_id": "1", "expense_type": "travel", "expense_date": "2026-10-03", "amount": "300"}]
    await take_in(
        pool,
        approval("R-1", approved_at=OLD, amount="100.25"),
        approval("R-2", approved_at=OLD, amount="0.75"),
        approval("R-3", approved_at=OLD, amount="300", currency="JPY", lines=lines),
    )
    await _enable(pool, FROM_DAY)
    assert await _changes(pool) == ["items_handled_elsewhere", "connector_enabled", "sync_run_started"]
    marked, enabled, _ = (await log_of(pool))[2:]
    assert marked["detail"] == {
        "release": "from_date",
        "from_date": "2026-11-01T00:00:00+00:00",
        "count": 3,
        "sums": {"JPY": "300", "NOK": "101.00"},
    }
    assert (marked["actor"], marked["reason"], marked["connector"]) == ("admin-1", ENABLE.reason, "xledger")
    assert (marked["new_state"], marked["source"]) == ("handled_elsewhere", "http")
    assert enabled["detail"] == {"checked": False, "release": "from_date", "from_date": "2026-11-01T00:00:00+00:00"}


async def test_handled_elsewhere_marks_all_that_waits_and_nothing_that_is_further(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}") for number in range(4)])
    await bring_to(pool, "rejected", "R-1")
    await bring_to(pool, "unknown", "R-2")
    await bring_to(pool, "synced", "R-3")
    await _enable(pool, NONE_OF_IT)
    await take_in(pool, approval("R-later"))
    assert await _states(pool) == {
        "R-0": "handled_elsewhere",
        "R-1": "rejected",
        "R-2": "unknown",
        "R-3": "synced",
        "R-later": "pending",
    }


async def test_ten_thousand_are_marked_in_bounded_transactions_and_logged_as_one(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await _load(pool, 10_499)
    await _enable(pool, NONE_OF_IT)
    assert set((await _states(pool)).values()) == {"handled_elsewhere"}
    async with acquire(pool) as connection:
        sizes = [row["count"] for row in await connection.fetch("select count(*) from item group by xmin::text")]
        assert await connection.fetchval("select count(*) from sync_run where remaining is null") == 1
    assert sum(sizes) == 10_500
    assert max(sizes) <= releasing.BATCH
    assert await _changes(pool) == [
        "items_handing_over",
        "items_handled_elsewhere",
        "connector_enabled",
        "sync_run_started",
    ]
    assert (await log_of(pool))[3]["detail"] == {
        "release": "handled_elsewhere",
        "count": 10_500,
        "sums": {"NOK": "2625000.00"},
    }


@pytest.mark.usefixtures("small_batches")
async def test_what_arrives_amid_is_not_marked_and_comes_after_the_enable(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}") for number in range(200)])
    release = await _told(pool, NONE_OF_IT)
    arrivals = [take_in(pool, approval(f"L-{number}")) for number in range(40)]
    enabling = releasing.enable(pool, adapters(), ENABLE, "http", release, unchecked=True)
    enabled, *_ = await asyncio.gather(enabling, *arrivals)
    assert isinstance(enabled, Released)
    assert enabled.marked == 200
    marked = {f"R-{number}": "handled_elsewhere" for number in range(200)}
    assert await _states(pool) == marked | {f"L-{number}": "pending" for number in range(40)}
    told = next(entry for entry in await log_of(pool) if entry["change"] == "items_handled_elsewhere")
    assert told["detail"] == {"release": "handled_elsewhere", "count": 200, "sums": {"NOK": "50000.00"}}


async def test_what_came_after_they_were_told_waits_as_the_connectors_release_policy_says(pool: Pool) -> None:
    await set_up(pool, release_policy="next_sync")
    await take_in(pool, approval("R-1"), approval("R-new", approved_at=NEW))
    release = await _told(pool, FROM_DAY)
    await take_in(pool, approval("R-2", approved_at=OLD))
    await releasing.enable(pool, adapters(), ENABLE, "http", release, unchecked=True)
    async with acquire(pool) as connection:
        assert await connection.fetchval("select released_through = 0 and enabled_mark >= 3 from connector")
    assert await _states(pool) == {"R-1": "pending", "R-new": "pending", "R-2": "pending"}


async def test_where_another_number_waits_than_they_were_told_nothing_is_marked_or_switched(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await bring_to(pool, "rejected", "R-1")
    release = await _told(pool, NONE_OF_IT)
    async with transaction(pool) as connection:
        await decisions.retry(connection, "hlf", "R-1", actor=ADMIN, reason="once more", source="http")
    before = await log_of(pool)
    assert isinstance(await releasing.enable(pool, adapters(), ENABLE, "http", release, unchecked=True), NotAsTold)
    assert await _states(pool) == {"R-1": "pending", "R-2": "pending"}
    assert await log_of(pool) == before


@pytest.mark.usefixtures("small_batches")
async def test_an_approval_that_was_stored_late_with_an_early_number_is_not_marked(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-0"))
    late = await pool.acquire()
    begun = late.transaction()
    await begun.start()
    await late.execute("""
        insert into item (organization_id, reimbursement_id, approved_at, total_minor, currency, content_hash, content)
        select organization_id, 'R-late', approved_at, total_minor, currency, content_hash, content from item
    """)
    await take_in(pool, *[approval(f"R-{number}") for number in range(1, 55)])
    handing_over = await _handing_over(pool)
    for _ in range(2):
        async with transaction(pool) as connection:
            assert await handing_over.step(connection) is None
    await begun.commit()
    await pool.release(late)
    async with transaction(pool) as connection:
        assert await handing_over.step(connection) is not None
    states = await _states(pool)
    assert states.pop("R-late") == "pending"
    assert set(states.values()) == {"handled_elsewhere"}


async def _handing_over(pool: Pool) -> releasing._HandingOver:
    toggle = Toggle("hlf", "xledger", True, "r", ADMIN, only_while_off=True)
    return releasing._HandingOver(toggle, "http", await _told(pool, NONE_OF_IT), {})


@pytest.mark.usefixtures("small_batches")
async def test_who_enables_amid_ends_it_with_a_record_of_what_was_marked(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}") for number in range(50)])
    handing_over = await _handing_over(pool)
    async with transaction(pool) as connection:
        assert await handing_over.step(connection) is None
    await switch(pool, True)
    async with transaction(pool) as connection:
        refused = await handing_over.step(connection)
    assert isinstance(refused, Released)
    assert (refused.decision.verdict, refused.phase) == (Verdict.REFUSED, Phase.ON)
    assert list((await _states(pool)).values()).count("handled_elsewhere") == releasing.BATCH
    assert await _changes(pool) == [
        "items_handing_over",
        "connector_enabled",
        "sync_run_started",
        "items_handled_elsewhere",
        "toggle_refused",
    ]


@pytest.mark.usefixtures("small_batches")
async def test_a_lost_connection_half_way_leaves_a_record_and_it_can_be_asked_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}") for number in range(50)])
    mark, calls = items.hand_over_waiting, iter([False, False, True])

    async def fail_at_the_third(*arguments: object, **more: object) -> object:
        if next(calls, False):
            raise DatabaseAwayError("ConnectionDoesNotExistError")
        return await mark(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(items, "hand_over_waiting", fail_at_the_third)
    with pytest.raises(DatabaseAwayError):
        await _enable(pool, NONE_OF_IT)
    assert await _changes(pool) == ["items_handing_over"]
    assert (await _enable(pool, NONE_OF_IT)).phase is Phase.ON
    assert set((await _states(pool)).values()) == {"handled_elsewhere"}


async def test_a_connector_that_is_on_already_is_refused_with_a_sentence_and_nothing_is_marked(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    refused = await _enable(pool, NONE_OF_IT)
    assert refused.decision.sentence == (
        "The Xledger connector for hlf is enabled already, so what waited may have been sent. "
        "Disable it before choosing what becomes of what waits."
    )
    assert await _states(pool) == {"R-1": "pending"}
    assert (await log_of(pool))[-1]["change"] == "toggle_refused"


@pytest.mark.parametrize(
    "toggle",
    [
        Toggle("hlf", "xledger", True, "r", STRANGER),
        Toggle("hlf", "xledger", True, " ", ADMIN),
        Toggle("hlf", "xledger", True, "r", ADMIN, seen_change=NEVER),
        Toggle("hlf", "business_central", True, "r", ADMIN),
    ],
    ids=["a stranger", "no reason", "somebody was first", "not configured"],
)
async def test_a_toggle_that_is_refused_marks_nothing(pool: Pool, toggle: Toggle) -> None:
    await set_up(pool)
    await switch(pool, True)
    await switch(pool, False)
    await take_in(pool, approval("R-1"))
    assert (await _enable(pool, NONE_OF_IT, toggle)).decision.verdict is Verdict.REFUSED
    assert await _states(pool) == {"R-1": "pending"}
    assert (await log_of(pool))[-1]["change"] == "toggle_refused"


async def test_nothing_is_marked_where_the_check_before_the_first_enable_finds_problems(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", mapping=WRONG)
    await take_in(scene.pool, approval("R-1"))
    refused = await releasing.enable(scene.pool, make_adapters(scene.settings), ENABLE, "http", NONE_OF_IT)
    assert isinstance(refused, NotReady)
    assert await scene.states() == {"R-1": "pending"}


async def test_what_is_marked_is_never_sent_and_the_rest_is(scene: Scene) -> None:
    old, new = fresh(2)
    await scene.organization()
    async with scene.worker(DISPATCH_ONLY):
        await take_in(scene.pool, approval(old, approved_at=OLD), approval(new, approved_at=NEW))
        release = await _told(scene.pool, FROM_DAY)
        enabled = await releasing.enable(scene.pool, make_adapters(scene.settings), ENABLE, "http", release)
        assert isinstance(enabled, Released)
        await scene.all_synced(new)
        await scene.logged("sync_run_finished")
    assert await scene.states() == {old: "handled_elsewhere", new: "synced"}
    assert await scene.deliveries("hlf", old) == []
    run = (await scene.fetch("select result, synced, remaining from sync_run"))[0]
    assert tuple(run) == ("finished", 1, 0)


async def test_a_run_that_was_still_open_ends_with_what_really_remains(pool: Pool) -> None:
    """Switching off with something on the wire leaves the run open until that is settled, or until the next enable."""
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"), approval("R-3"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1")
    await switch(pool, False)
    await _enable(pool, NONE_OF_IT)
    assert await _states(pool) == {"R-1": "sending", "R-2": "handled_elsewhere", "R-3": "handled_elsewhere"}
    async with transaction(pool) as connection:
        stopped, begun = await connection.fetch("select result, remaining, run_id from sync_run order by started_at")
        assert (stopped["result"], stopped["remaining"], begun["result"]) == ("stopped", 0, None)
        run = await insights.run_view(connection, begun["run_id"])
        assert run is not None
        assert run.counts.remaining == 0
        assert not isinstance(await request_run(connection, "hlf", ADMIN, "cli"), RunRefused)


async def test_the_preview_says_how_many_would_be_marked_and_how_much_money_they_are(pool: Pool) -> None:
    await take_in(
        pool,
        approval("R-1", approved_at=OLD, amount="100.25"),
        approval("R-2", approved_at=OLD, amount="0.75"),
        approval("R-3", approved_at=NEW, amount="9.00"),
        approval("R-4", "other", approved_at=OLD),
    )
    async with acquire(pool) as connection:
        before = await insights.handed_over_preview(connection, "hlf", DAY)
        whole = await insights.handed_over_preview(connection, "hlf", None)
    assert (before.count, [(one.currency, one.total) for one in before.sums]) == (2, [("NOK", "101.00")])
    assert (whole.count, [(one.currency, one.total) for one in whole.sums]) == (3, [("NOK", "110.00")])


@pytest.mark.parametrize(
    ("choice", "moment"),
    [
        (ReleaseChoice.FROM_DATE, None),
        (ReleaseChoice.ALL, DAY),
        (ReleaseChoice.HANDLED_ELSEWHERE, DAY),
        (ReleaseChoice.FROM_DATE, datetime(2026, 11, 1)),  # noqa: DTZ001  # that is what is wrong with it
    ],
)
async def test_a_date_goes_with_its_choice_alone_and_has_a_zone(choice: ReleaseChoice, moment: datetime | None) -> None:
    with pytest.raises(ValueError, match="date"):
        Release(choice, moment)


@pytest.fixture
def small_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(releasing, "BATCH", 20)
        yield
