"""What people are shown: items and what each waits for, what enabling would send, who changed what."""

from datetime import datetime

import pytest

from tests.events import Message, approval, toggle
from tests.integration.worker.rows import (
    ADMIN,
    add_organization,
    bring,
    bring_to,
    central_file,
    configure,
    set_up,
    switch,
    take_in,
    xledger_file,
)
from worker import insights
from worker.domain.sentences import Sentence
from worker.domain.states import ItemState
from worker.domain.switching import Phase
from worker.paging import BadCursorError
from worker.runs import request_run
from worker.store.database import Pool, acquire, fetch_one, transaction
from worker.suspension import suspend
from worker.views import ItemDetail, ItemPage, RunView

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _page(
    pool: Pool, state: ItemState | None = None, after: str | None = None, limit: int = 1000, organization: str = "hlf"
) -> ItemPage:
    async with acquire(pool) as connection:
        return await insights.item_page(connection, organization, state, after, limit)


async def _item(pool: Pool, reimbursement_id: str = "R-1") -> ItemDetail:
    async with acquire(pool) as connection:
        item = await insights.item_detail(connection, "hlf", reimbursement_id)
    assert item is not None
    return item


async def _waits_for(pool: Pool, reimbursement_id: str = "R-1") -> str | None:
    return (await _item(pool, reimbursement_id)).waiting_for


async def _told(pool: Pool, reimbursement_id: str = "R-1") -> tuple[str, datetime, str]:
    waiting = (await _item(pool, reimbursement_id)).waiting
    assert waiting is not None
    return waiting.reason, waiting.since, waiting.next


async def test_items_are_listed_in_the_order_of_arrival_page_by_page(pool: Pool) -> None:
    names = [f"R-{number}" for number in (3, 1, 2, 5, 4)]
    await take_in(pool, *[approval(name) for name in names], approval("R-x", "other"))
    seen, after = [], None
    while True:
        page = await _page(pool, after=after, limit=2)
        seen += [item.reimbursement_id for item in page.items]
        after = page.next
        if after is None:
            break
    assert seen == names


async def test_the_last_page_says_that_it_is_the_last_also_when_it_is_full(pool: Pool) -> None:
    await take_in(pool, approval("R-1"), approval("R-2"))
    assert (await _page(pool, limit=2)).next is None


async def test_what_arrives_between_two_pages_is_on_a_later_one_and_nothing_is_shown_twice(pool: Pool) -> None:
    await take_in(pool, approval("R-1"), approval("R-2"))
    first = await _page(pool, limit=1)
    await take_in(pool, approval("R-3"))
    rest = await _page(pool, after=first.next)
    assert [item.reimbursement_id for item in first.items + rest.items] == ["R-1", "R-2", "R-3"]


async def test_items_are_listed_by_state(pool: Pool) -> None:
    await take_in(pool, approval("R-1"), approval("R-2"))
    await bring_to(pool, "rejected", "R-2")
    page = await _page(pool, ItemState.REJECTED)
    assert [(item.reimbursement_id, item.reason) for item in page.items] == [("R-2", "2025 is closed.")]


async def test_an_item_shows_its_amount_as_a_decimal_and_its_document(pool: Pool) -> None:
    await take_in(pool, approval("R-1", amount="1250.50"), _yen("R-2"))
    await bring_to(pool, "synced", "R-1")
    first, second = (await _page(pool)).items
    assert (first.total, first.currency, second.total, second.currency) == ("1250.50", "NOK", "300", "JPY")
    assert first.document is not None
    assert (first.document.number, first.document.id) == ("20417", "9001")
    assert second.document is None


def _yen(reimbursement_id: str) -> Message:
    lines = [{"line_id": "1", "expense_type": "travel", "expense_date": "2026-11-03", "amount": "300"}]
    return approval(reimbursement_id, amount="300", currency="JPY", lines=lines)


async def test_a_bad_cursor_is_a_value_error(pool: Pool) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await _page(pool, after="xyz")
    async with acquire(pool) as connection:
        with pytest.raises(ValueError, match="cursor"):
            await insights.log_page(connection, "hlf", "-", 10)
        with pytest.raises(ValueError, match="cursor"):
            await insights.dead_letter_page(connection, str(10**30), 10)


async def test_a_pending_item_says_what_it_waits_for(pool: Pool) -> None:
    await take_in(pool, approval("R-1"))
    assert await _waits_for(pool) == "a connector to be configured"
    await add_organization(pool)
    await configure(pool, file=xledger_file(release_policy="next_sync"))
    assert await _waits_for(pool) == "the Xledger connector to be enabled"
    await switch(pool, True)
    assert await _waits_for(pool) == "the next scheduled or manual run"
    await take_in(pool, approval("R-2"))
    assert await _waits_for(pool, "R-2") == "its turn"
    async with transaction(pool) as connection:
        await request_run(connection, "hlf", ADMIN, "cli")
    assert await _waits_for(pool) == "its turn"
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
    assert await _waits_for(pool) == "the Xledger connector, which is suspended: The token expired."


async def test_a_pending_item_says_why_since_when_and_what_comes_next(pool: Pool) -> None:
    await take_in(pool, approval("R-1"))
    arrived = (await _item(pool)).changed_at
    assert await _told(pool) == (
        "No connector is configured for its organisation.",
        arrived,
        "It is sent once a connector is configured and enabled.",
    )
    await add_organization(pool)
    await configure(pool, file=xledger_file(release_policy="next_sync", schedule="0 6 * * *"))
    assert await _told(pool) == (
        "The Xledger connector is off.",
        arrived,
        "It is sent once the connector is enabled.",
    )
    await switch(pool, True)
    async with acquire(pool) as connection:
        enabled, next_run = await fetch_one(connection, "select changed_at, next_run_at from connector")
    assert await _told(pool) == (
        "It came while the Xledger connector was off, and waits for a run.",
        enabled,
        f"It is sent with the scheduled run at {next_run:%Y-%m-%d %H:%M:%S} UTC, or when a person starts one.",
    )
    await take_in(pool, approval("R-2"))
    assert await _told(pool, "R-2") == (
        "It is in the queue of the Xledger connector.",
        (await _item(pool, "R-2")).changed_at,
        "It is sent when its turn comes, oldest first.",
    )
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
        since, probed = await fetch_one(connection, "select suspended_at, probe_at from connector")
    assert await _told(pool) == (
        "The Xledger connector is suspended: The token expired.",
        since,
        f"The connector is tried again from {probed:%Y-%m-%d %H:%M:%S} UTC on; it is sent once that succeeds.",
    )


async def test_what_an_item_waits_for_can_be_said_in_another_language(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    item = await _item(pool)
    assert isinstance(item.waiting_for, Sentence)
    assert (item.waiting_for.template, item.waiting_for.facts) == (
        "the {title} connector to be enabled",
        {"title": "Xledger"},
    )
    assert item.waiting is not None
    assert isinstance(item.waiting.reason, Sentence)


async def test_an_unknown_outcome_says_when_it_is_looked_up_and_an_item_at_rest_waits_for_nothing(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await bring_to(pool, "synced", "R-2")
    await bring_to(pool, "sending", "R-1")
    async with transaction(pool) as connection:
        await bring(connection, "unknown", "R-1", due_at="'2026-11-20 10:00+00'", resend_resolves="false")
    reason, _, following = await _told(pool)
    assert reason == "Nobody knows yet whether Xledger has it: No answer."
    assert following == "It is looked up at Xledger from 2026-11-20 10:00:00 UTC on."
    assert (await _item(pool, "R-2")).waiting is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("sending", "the ERP's answer"),
        ("confirming", "the ERP's import to finish"),
        ("rejected", "a person: mend the cause and retry, or mark it as handled elsewhere"),
        ("unknown", "a look-up at the ERP"),
        ("synced", None),
        ("handled_elsewhere", None),
    ],
)
async def test_any_other_item_says_what_it_waits_for(pool: Pool, state: str, words: str | None) -> None:
    await take_in(pool, approval("R-1"))
    await bring_to(pool, state, "R-1")
    assert await _waits_for(pool) == words


async def test_an_item_waits_for_the_connector_that_is_on_though_another_was_used_later(pool: Pool) -> None:
    await set_up(pool)
    await configure(pool, kind="business_central", file=central_file())
    await take_in(pool, approval("R-1"))
    await switch(pool, True, kind="business_central")
    assert await _waits_for(pool) == "its turn"
    async with acquire(pool) as connection:
        shown = await insights.connector_object(connection, "hlf")
    assert shown is not None
    assert (shown.connector, shown.title) == ("business_central", "Business Central")


async def test_an_item_that_is_not_there_is_none(pool: Pool) -> None:
    await take_in(pool, approval("R-1", "other"))
    async with acquire(pool) as connection:
        assert await insights.item_detail(connection, "hlf", "R-1") is None


async def test_the_preview_sums_by_currency_and_names_what_would_be_rejected(pool: Pool) -> None:
    await set_up(pool)
    await take_in(
        pool,
        approval("R-1", amount="100.25"),
        approval("R-2", amount="0.75", approved_at="2026-01-02T03:04:05Z"),
        _yen("R-3"),
        approval("R-4", amount="9.00", claimant={"id": "peer-1"}),
        approval("R-done", amount="55.00"),
        approval("R-x", "other", amount="77.00"),
    )
    await bring_to(pool, "synced", "R-done")
    async with acquire(pool) as connection:
        preview = await insights.release_preview(connection, "hlf")
    assert preview is not None
    assert [(one.currency, one.count, one.total) for one in preview.sums] == [("JPY", 1, "300"), ("NOK", 3, "110.00")]
    assert (preview.count, preview.checked) == (4, 4)
    assert preview.oldest is not None
    assert preview.oldest.isoformat() == "2026-01-02T03:04:05+00:00"
    assert [(one.reimbursement_id, one.code) for one in preview.would_be_rejected] == [("R-4", "unmapped_claimant")]
    assert preview.would_be_rejected[0].message.endswith("Add what is missing and retry.")


async def test_a_preview_changes_nothing_and_needs_a_connector(pool: Pool) -> None:
    await take_in(pool, approval("R-1"))
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        assert await insights.release_preview(connection, "hlf") is None
    await set_up(pool)
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        preview = await insights.release_preview(connection, "hlf")
    assert preview is not None
    assert preview.would_be_rejected == []


async def test_the_connector_object_says_who_switched_it_why_and_what_is_in_flight(pool: Pool) -> None:
    await set_up(pool, schedule="0 6 * * *")
    await take_in(pool, approval("R-1"), approval("R-2"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1")
    await switch(pool, False)
    async with acquire(pool) as connection:
        shown = await insights.connector_object(connection, "hlf")
    assert shown is not None
    assert (shown.phase, shown.enabled, shown.in_flight) == (Phase.SWITCHING_OFF, False, 1)
    assert (shown.changed_by, shown.reason) == ("admin-1", "a test")
    assert [(one.count, one.total) for one in shown.waiting] == [(1, "250.00")]
    assert (shown.schedule, shown.next_run_at) == ("0 6 * * *", None)
    assert "t0ken" not in shown.model_dump_json()


async def test_organisations_show_their_phase_and_what_waits(pool: Pool) -> None:
    await set_up(pool, "b")
    await add_organization(pool, "a")
    await take_in(pool, approval("R-1", "a"), approval("R-2", "b"))
    async with acquire(pool) as connection:
        found = await insights.organizations(connection)
    assert [(one.organization_id, one.connector, one.phase) for one in found] == [
        ("a", None, None),
        ("b", "xledger", Phase.OFF),
    ]
    assert [one.waiting[0].count for one in found] == [1, 1]


async def test_a_run_under_way_shows_what_remains(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await switch(pool, True)
    async with acquire(pool) as connection:
        run_id = await connection.fetchval("select run_id from sync_run")
        view = await insights.run_view(connection, run_id)
    assert view is not None
    assert (view.state, view.counts.remaining, view.finished_at) == ("running", 2, None)


async def test_the_log_is_read_from_the_newest_page_by_page(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    numbers, before = [], None
    async with acquire(pool) as connection:
        while True:
            page = await insights.log_page(connection, "hlf", before, 3)
            numbers += [entry.entry for entry in page.entries]
            before = page.next
            if before is None:
                break
    assert numbers == [4, 3, 2, 1]


async def test_every_attempt_of_an_item_is_shown(pool: Pool) -> None:
    await take_in(pool, approval("R-1"))
    async with transaction(pool) as connection:
        await bring(connection, "sending", "R-1")
        await connection.execute("""
            insert into attempt_entry (organization_id, reimbursement_id, attempt, kind, connector, reference,
                                       claimed_at, recorded_by, outcome, code, detail)
            values ('hlf', 'R-1', 1, 'settled', 'xledger', 'R', now(), gen_random_uuid(), 'rejected', 'c', 'Closed.')
        """)
        item = await insights.item_detail(connection, "hlf", "R-1")
    assert item is not None
    assert [(one.attempt, one.outcome, one.code, one.detail) for one in item.attempts] == [
        (1, "rejected", "c", "Closed.")
    ]


async def test_a_dead_letter_shows_what_is_no_text_in_base64(pool: Pool) -> None:
    await take_in(pool, Message(b"\xff", b"not json", [("x", b"\xfe")]), toggle(True))
    async with acquire(pool) as connection:
        page = await insights.dead_letter_page(connection, None, 10)
        whole = await insights.dead_letter_detail(connection, page.dead_letters[0].dead_letter_id)
        assert await insights.dead_letter_detail(connection, 10**6) is None
    assert whole is not None
    assert (whole.reason, whole.value, whole.key) == ("not_a_cloudevent", "not json", "base64:/w==")
    assert whole.headers == [("x", "base64:/g==")]


async def _newest(pool: Pool, state: ItemState | None, after: str | None = None, limit: int = 1000) -> ItemPage:
    async with acquire(pool) as connection:
        return await insights.item_page(connection, "hlf", state, after, limit, newest_first=True)


async def _all_newest(pool: Pool, state: ItemState | None) -> list[str]:
    """Page by page."""
    seen, after = list[str](), None
    while True:
        page = await _newest(pool, state, after, 2)
        seen += [item.reimbursement_id for item in page.items]
        after = page.next
        if after is None:
            return seen


async def test_the_newest_may_come_first(pool: Pool) -> None:
    await take_in(pool, *[approval(f"R-{number}") for number in range(5)], approval("R-x", "other"))
    await bring_to(pool, "rejected", "R-0", "R-2", "R-3")
    assert await _all_newest(pool, None) == ["R-4", "R-3", "R-2", "R-1", "R-0"]
    assert await _all_newest(pool, ItemState.REJECTED) == ["R-3", "R-2", "R-0"]
    assert await _all_newest(pool, ItemState.PENDING) == ["R-4", "R-1"]


async def test_of_what_is_synced_the_newest_is_what_was_synced_last(pool: Pool) -> None:
    await take_in(pool, *[approval(f"R-{number}") for number in range(6)])
    await bring_to(pool, "synced", "R-0", "R-1", "R-2", "R-3", "R-4")
    async with acquire(pool) as connection:
        await connection.execute("""
            update item set changed_at = timestamptz '2026-11-20 10:00+00' + interval '1 microsecond' * case
                when reimbursement_id = 'R-3' then 0 when reimbursement_id = 'R-0' then 2 else 1 end
        """)
    assert await _all_newest(pool, ItemState.SYNCED) == ["R-0", "R-4", "R-2", "R-1", "R-3"]


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "1-x", "-1", "9" * 18 + "-1"])
async def test_a_bad_cursor_of_what_was_synced_is_refused(pool: Pool, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await _newest(pool, ItemState.SYNCED, cursor)


async def test_the_states_are_counted_and_a_million_of_one_is_more_than_ten_thousand(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_in(pool, *[approval(f"R-{number}") for number in range(6)], approval("R-x", "other"))
    await bring_to(pool, "synced", "R-0")
    await bring_to(pool, "rejected", "R-1", "R-2")
    monkeypatch.setattr(insights, "COUNTED_AT_ONCE", 2)
    async with acquire(pool) as connection:
        counts = await insights.state_counts(connection, "hlf")
    assert [(one.state, one.count, one.is_more) for one in counts] == [
        ("pending", 2, True),
        ("sending", 0, False),
        ("confirming", 0, False),
        ("synced", 1, False),
        ("rejected", 2, False),
        ("unknown", 0, False),
        ("handled_elsewhere", 0, False),
    ]


async def test_an_item_is_found_by_its_id_and_by_how_that_begins(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    await take_in(pool, approval("R-1"), approval("R-12"), approval("R-2"), approval("R-13"), approval("R-1", "other"))

    async def found(text: str, limit: int = 10) -> list[str]:
        async with acquire(pool) as connection:
            return [one.reimbursement_id for one in (await insights.items_found(connection, "hlf", text, limit)).items]

    assert await found("R-1") == ["R-1", "R-13", "R-12"]
    assert await found("R-1", 2) == ["R-1", "R-13"]
    assert await found("R-") == ["R-13", "R-2", "R-12", "R-1"]
    assert await found("R_") == []
    monkeypatch.setattr(insights, "SEARCHED", 2)
    assert await found("R-1") == ["R-1", "R-13"]  # by its whole id also what is older than those that are searched


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"resend_resolves": "false"}, "The documents of Xledger are searched for R."),
        ({"resend_resolves": "true"}, "It is sent again as R: Xledger takes nothing twice, and its answer tells."),
        ({"due_at": "'infinity'"}, "Nothing is looked up any more: a person compares R with Xledger."),
    ],
)
async def test_an_unknown_outcome_says_what_is_looked_up_and_how_often_that_was_in_vain(
    pool: Pool, columns: dict[str, str], what: str
) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await bring_to(pool, "sending", "R-1")
    planned = {"due_at": "'2026-11-20 10:00+00'", "quarantined_until": "'2026-11-20 09:00+00'", "absences": "1"}
    async with transaction(pool) as connection:
        await bring(connection, "unknown", "R-1", **{**planned, **columns})
    look_up = (await _item(pool)).look_up
    assert look_up is not None
    assert (look_up.what, look_up.found_nothing) == (what, 1)
    assert look_up.is_for_a_person == ("due_at" in columns)
    assert (look_up.at is None) == look_up.is_for_a_person
    assert look_up.quarantined_until is not None
    assert look_up.quarantined_until.isoformat() == "2026-11-20T09:00:00+00:00"


async def test_a_staged_import_is_asked_and_what_is_known_is_not_looked_up(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await bring_to(pool, "confirming", "R-1")
    look_up = (await _item(pool)).look_up
    assert look_up is not None
    assert look_up.what == "The import of Xledger is asked what became of R."
    assert (await _item(pool, "R-2")).look_up is None


async def test_runs_are_listed_newest_first_page_by_page_with_what_remains_of_the_open_one(pool: Pool) -> None:
    await set_up(pool)
    await set_up(pool, "other")
    await take_in(pool, approval("R-1"), approval("R-2"))
    for _ in range(3):
        await switch(pool, True)
        await switch(pool, False)
    await switch(pool, True)
    await switch(pool, True, "other")
    seen, before = list[RunView](), None
    async with acquire(pool) as connection:
        while True:
            page = await insights.run_page(connection, "hlf", before, 2)
            seen += page.runs
            before = page.next
            if before is None:
                break
    assert [run.state for run in seen] == ["running", "stopped", "stopped", "stopped"]
    assert [run.counts.remaining for run in seen] == [2, 2, 2, 2]
    assert [run.started_at for run in seen] == sorted((run.started_at for run in seen), reverse=True)


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "1-x", "1-2", "-1"])
async def test_a_cursor_that_no_page_of_runs_gave_is_refused(pool: Pool, cursor: str) -> None:
    async with acquire(pool) as connection:
        with pytest.raises(BadCursorError):
            await insights.run_page(connection, "hlf", cursor, 2)
