"""The sync log: one entry with every change, and no change of it that goes unnoticed (P10)."""

import asyncio

import asyncpg
import pytest

from tests.integration.worker.rows import add_organization, log_of, set_up, switch
from tests.scene import PATIENCE
from worker.store import sync_log
from worker.store.database import Pool, acquire, transaction
from worker.store.sync_log import Change

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHANGE = Change("user-9", "organization_admin", "http", "tested", "xledger", "on", "Why øæå 🙂", {"a": 1, "b": None})


async def _append(pool: Pool, count: int = 1, organization_id: str = "hlf") -> None:
    for _ in range(count):
        async with transaction(pool) as connection:
            await sync_log.append(connection, organization_id, CHANGE)


async def _append_and_fail(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await sync_log.append(connection, "hlf", CHANGE)
        await connection.execute("select 1 / 0")


async def _verify(pool: Pool, organization_id: str = "hlf") -> str | None:
    async with acquire(pool) as connection:
        return await sync_log.verify(connection, organization_id)


async def _tamper(pool: Pool, *statements: str) -> None:
    """As somebody with the rights of the tables' owner may do it."""
    async with transaction(pool) as connection:
        await connection.execute("alter table sync_log disable trigger sync_log_is_written_once")
        for statement in statements:
            await connection.execute(statement)
        await connection.execute("alter table sync_log enable trigger sync_log_is_written_once")


async def test_an_entry_is_read_back_as_it_was_written_and_verifies(pool: Pool) -> None:
    async with transaction(pool) as connection:
        written = await sync_log.append(connection, "hlf", CHANGE)
    async with acquire(pool) as connection:
        assert await sync_log.newest(connection, "hlf", below=10, limit=10) == [written]
    assert written.entry_no == 1
    assert await _verify(pool) is None


async def test_a_change_that_fails_leaves_no_entry_and_no_gap(pool: Pool) -> None:
    await _append(pool)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _append_and_fail(pool)
    await _append(pool)
    assert [entry["entry_no"] for entry in await log_of(pool)] == [1, 2]
    assert await _verify(pool) is None


async def test_entries_appended_at_once_stay_one_chain(pool: Pool) -> None:
    await asyncio.gather(*[_append(pool, 4) for _ in range(8)])
    entries = await log_of(pool)
    assert [entry["entry_no"] for entry in entries] == list(range(1, 33))
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)  # type: ignore[type-var]  # times
    assert await _verify(pool) is None


async def test_organisations_do_not_wait_for_each_others_chains(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await sync_log.append(connection, "hlf", CHANGE)
        async with asyncio.timeout(PATIENCE):
            await _append(pool, organization_id="other")
    assert await _verify(pool) is None
    assert await _verify(pool, "other") is None


@pytest.mark.promise("P10")
async def test_everything_the_services_write_verifies(pool: Pool) -> None:
    await set_up(pool)
    for enabled in (True, False, False, True):
        await switch(pool, enabled)
    changes = [entry["change"] for entry in await log_of(pool)]
    assert changes[:4] == ["organization_added", "connector_configured", "connector_enabled", "sync_run_started"]
    assert await _verify(pool) is None


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody-else'", "actor_role = 'global_admin'", "source = 'cli'", "change = 'other'",
        "connector = null", "new_state = 'off'", "reason = 'Another'", "reason = null",
        "at = at + interval '1 microsecond'", "detail = '{}'", """detail = detail || '{"a": 2}'""",
    ],
)  # fmt: skip
async def test_a_changed_entry_is_found(pool: Pool, change: str) -> None:
    await _append(pool, 3)
    await _tamper(pool, f"update sync_log set {change} where entry_no = 2")
    assert await _verify(pool) == "Entry 2 was changed after it was written."


@pytest.mark.promise("P10")
async def test_a_removed_entry_is_found(pool: Pool) -> None:
    await _append(pool, 3)
    await _tamper(pool, "delete from sync_log where entry_no = 2")
    assert await _verify(pool) == "Entry 2 is missing."


async def test_a_removed_entry_is_found_when_the_later_ones_are_renumbered(pool: Pool) -> None:
    await _append(pool, 3)
    await _tamper(
        pool,
        "delete from sync_log where entry_no = 2",
        "update sync_log set entry_no = 2 where entry_no = 3",
        "update sync_log_head set entry_no = 2",
    )
    assert await _verify(pool) == "Entry 2 does not follow from the entry before it."


@pytest.mark.promise("P10")
async def test_reordered_entries_are_found(pool: Pool) -> None:
    await _append(pool, 3)
    await _tamper(
        pool,
        "update sync_log set entry_no = 99 where entry_no = 1",
        "update sync_log set entry_no = 1 where entry_no = 2",
        "update sync_log set entry_no = 2 where entry_no = 99",
    )
    assert await _verify(pool) == "Entry 1 does not follow from the entry before it."


async def test_a_log_cut_off_at_its_end_is_found(pool: Pool) -> None:
    await _append(pool, 3)
    await _tamper(pool, "delete from sync_log where entry_no = 3")
    assert await _verify(pool) == "The log ends at entry 2, but 3 entries were written."


async def test_an_emptied_log_is_found(pool: Pool) -> None:
    await _append(pool, 2)
    await _tamper(pool, "delete from sync_log")
    assert await _verify(pool) == "The log ends at entry 0, but 2 entries were written."


async def test_a_log_whose_end_was_removed_is_found(pool: Pool) -> None:
    await _append(pool)
    await _tamper(pool, "delete from sync_log_head")
    assert await _verify(pool) == "The log has no end on record."


async def test_an_inserted_entry_is_found(pool: Pool) -> None:
    await _append(pool, 2)
    await _tamper(
        pool,
        """insert into sync_log select organization_id, 3, at, actor, actor_role, source, connector, change, new_state,
                                       reason, detail, hash, hash from sync_log where entry_no = 2""",
        "update sync_log_head set entry_no = 3",
    )
    assert await _verify(pool) == "Entry 3 was changed after it was written."


async def test_one_organisations_entries_cannot_be_passed_off_as_anothers(pool: Pool) -> None:
    await _append(pool)
    await _append(pool, organization_id="other")
    await _tamper(
        pool,
        "delete from sync_log where organization_id = 'other'",
        "update sync_log set organization_id = 'other'",
        "update sync_log_head o set hash = h.hash from sync_log_head h "
        "where (o.organization_id, h.organization_id) = ('other', 'hlf')",
    )
    assert await _verify(pool, "other") == "Entry 1 was changed after it was written."


async def test_every_organisation_with_a_log_is_known_also_without_its_end(pool: Pool) -> None:
    for organization in ("a", "b"):
        await add_organization(pool, organization)
    await _tamper(pool, "delete from sync_log_head where organization_id = 'a'")
    async with acquire(pool) as connection:
        assert await sync_log.logged_organizations(connection) == ["a", "b"]


async def test_pages_go_from_the_newest_to_the_oldest(pool: Pool) -> None:
    await _append(pool, 5)
    async with acquire(pool) as connection:
        page = await sync_log.newest(connection, "hlf", below=5, limit=3)
    assert [entry.entry_no for entry in page] == [4, 3, 2]
