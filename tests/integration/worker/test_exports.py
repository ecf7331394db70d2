"""A sync log as a file: whole, harmless, on record, and however long it is."""

import csv
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.worker.rows import ADMIN, add_organization, log_of, set_up, switch
from worker import exports, insights
from worker.domain.switching import Toggle
from worker.exports import BYTE_ORDER_MARK, COLUMNS
from worker.store import sync_log
from worker.store.database import Pool, transaction
from worker.store.sync_log import Change, LogFilter
from worker.toggles import apply_toggle

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _file(pool: Pool, where: LogFilter | None = None, delimiter: str = ",") -> list[bytes]:
    export = await exports.sync_log_csv(
        pool, "hlf", where or LogFilter(), actor=ADMIN, source="http", delimiter=delimiter
    )
    return [piece async for piece in export.content]


def _read(pieces: list[bytes], delimiter: str = ",") -> list[dict[str, str]]:
    content = b"".join(pieces)
    assert content.startswith(BYTE_ORDER_MARK)
    text = content.removeprefix(BYTE_ORDER_MARK).decode()
    return list(csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter))


async def test_the_file_has_every_entry_newest_first_under_the_names_that_the_api_has(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    log = await log_of(pool)
    rows = _read(await _file(pool))
    assert [row["entry"] for row in rows] == ["4", "3", "2", "1"]
    assert tuple(rows[0]) == COLUMNS
    enabled = rows[1]
    assert (enabled["actor"], enabled["change"], enabled["new_state"]) == ("admin-1", "connector_enabled", "on")
    assert (enabled["connector"], enabled["reason"], enabled["detail"]) == ("xledger", "a test", "{}")
    assert datetime.fromisoformat(enabled["at"]) == log[2]["at"]
    assert rows[-1]["connector"] == ""


async def test_an_export_is_on_record_with_its_filter_and_its_count_before_a_byte_leaves(pool: Pool) -> None:
    await set_up(pool)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    where = LogFilter(frozenset({"organization_added"}), "admin-1", since)
    export = await exports.sync_log_csv(pool, "hlf", where, actor=ADMIN, source="http")
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["actor"], entry["source"]) == ("sync_log_exported", "admin-1", "http")
    assert entry["detail"] == {
        "filter": {"changes": ["organization_added"], "actor": "admin-1", "since": "2026-01-01T00:00:00+00:00"},
        "count": 1,
    }
    rows = _read([piece async for piece in export.content])
    assert ([row["change"] for row in rows], export.count) == (["organization_added"], 1)


async def test_what_a_person_wrote_is_no_formula(pool: Pool) -> None:
    await set_up(pool)
    reason = '=HYPERLINK("http://evil.example";"x")'
    async with transaction(pool) as connection:
        await apply_toggle(connection, Toggle("hlf", "xledger", True, reason, ADMIN), "http")
    row = next(row for row in _read(await _file(pool)) if row["change"] == "connector_enabled")
    assert row["reason"] == "'" + reason


async def test_another_delimiter_is_the_readers_choice_and_an_empty_log_is_a_header(pool: Pool) -> None:
    await add_organization(pool)
    pieces = await _file(pool, LogFilter(frozenset({"nothing"})), ";")
    assert b"".join(pieces) == BYTE_ORDER_MARK + ";".join(COLUMNS).encode() + b"\r\n"


async def test_a_long_log_comes_in_pieces_whole_and_without_what_is_appended_meanwhile(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insights, "A_SLICE", 7)
    await add_organization(pool)
    async with transaction(pool) as connection:
        for number in range(20):
            await sync_log.append(connection, "hlf", Change("a", "system", "worker", "noted", reason=str(number)))
    export = await exports.sync_log_csv(pool, "hlf", LogFilter(), actor=ADMIN, source="http")
    pieces = []
    async for piece in export.content:
        pieces.append(piece)
        async with transaction(pool) as connection:
            await sync_log.append(connection, "hlf", Change("a", "system", "worker", "noted"))
    assert len(pieces) == 4
    assert [row["entry"] for row in _read(pieces)] == [str(number) for number in range(21, 0, -1)]
    assert export.count == 21


async def test_no_connection_is_held_while_the_reader_is_slow(pool: Pool) -> None:
    await set_up(pool)
    export = await exports.sync_log_csv(pool, "hlf", LogFilter(), actor=ADMIN, source="http")
    async for _ in export.content:
        assert pool.get_idle_size() == pool.get_size()


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        (LogFilter(), [4, 3, 2, 1]),
        (LogFilter(changes=frozenset({"connector_enabled", "connector_configured"})), [3, 2]),
        (LogFilter(changes=frozenset()), []),
        (LogFilter(actor="admin-1"), [4, 3, 2, 1]),
        (LogFilter(actor="nobody"), []),
    ],
)
async def test_the_log_is_filtered_and_still_comes_page_by_page(
    pool: Pool, where: LogFilter, numbers: list[int]
) -> None:
    await set_up(pool)
    await switch(pool, True)
    seen, before = list[int](), None
    async with transaction(pool) as connection:
        while True:
            page = await insights.log_page(connection, "hlf", before, 1, where)
            seen += [entry.entry for entry in page.entries]
            before = page.next
            if before is None:
                break
    assert seen == numbers


async def test_the_log_is_filtered_by_time_since_included_and_until_not(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    times = [entry["at"] for entry in await log_of(pool)]
    assert isinstance(times[1], datetime)
    assert isinstance(times[3], datetime)
    async with transaction(pool) as connection:
        page = await insights.log_page(connection, "hlf", None, 9, LogFilter(since=times[1], until=times[3]))
        late = await insights.log_page(connection, "hlf", None, 9, LogFilter(since=times[3] + timedelta(seconds=1)))
    assert [entry.entry for entry in page.entries] == [3, 2]
    assert late.entries == []
