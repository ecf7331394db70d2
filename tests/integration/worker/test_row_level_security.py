"""The second wall: within a limited task, PostgreSQL itself keeps other organisations' rows away."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from tests.events import approval
from tests.integration.worker.rows import adapters, bring_to, set_up, take_in
from worker import decisions, insights, readiness, runs
from worker.decisions import Decided
from worker.domain.states import ItemState
from worker.domain.switching import Actor, Phase, Role, Toggle
from worker.runs import RunRefused
from worker.store import sync_log
from worker.store.database import Pool, acquire, limit_to, transaction, unlimited
from worker.toggles import apply_toggle

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"hlf"}))
TABLES = (
    "organization", "connector", "connector_secret", "sync_run", "item", "attempt_entry", "lane", "receipt", "sync_log",
    "sync_log_head", "outbox",
)  # fmt: skip
PAGE_OF_ITEMS = "select * from item where organization_id = 'hlf' and seq > 0 order by seq limit 50"
OUT_OF_REACH = ("toggle_event", "dead_letter", "intake_position", "schema_migration", "session")
WRITES = {
    "a connector": "update connector set reason = 'x' where organization_id = 'other'",
    "an item": "update item set reason = 'x' where organization_id = 'other'",
    "a credential": "update connector_secret set ciphertext = ''::bytea where organization_id = 'other'",
    "a run": "update sync_run set synced = 9 where organization_id = 'other'",
    "a receipt": "update receipt set state = 'waiting' where organization_id = 'other'",
    "the end of a log": "update sync_log_head set entry_no = 0 where organization_id = 'other'",
}
GIVEN_UP = """
    insert into receipt (organization_id, reimbursement_id, position, state, reason)
    values ($1, 'R-4', 1, 'given_up', 'It is away.')
"""
INSERTS = {
    "an event": "insert into outbox (organization_id, event_type, value) values ('other', 'x', ''::bytea)",
    "an entry of a log": """
        insert into sync_log (organization_id, entry_no, at, actor, actor_role, source, change, previous_hash, hash)
        select 'other', 1000, now(), 'a', 'b', 'http', 'c', z, z from decode(repeat('00', 32), 'hex') z
    """,
    "a credential": """
        insert into connector_secret (organization_id, kind, field, key_id, nonce, ciphertext)
        values ('other', 'xledger', 'more', 'k', decode(repeat('00', 12), 'hex'), ''::bytea)
    """,
}


@pytest_asyncio.fixture(loop_scope="session")
async def two(pool: Pool) -> AsyncIterator[Pool]:
    """HLF and another organisation, each with something in every table."""
    for one in ("hlf", "other"):
        await set_up(pool, one)
        await take_in(pool, *[approval(f"R-{number}", one) for number in (1, 2, 3, 4)])
        await bring_to(pool, "rejected", "R-2", organization_id=one)
        await bring_to(pool, "synced", "R-4", organization_id=one)
        async with transaction(pool) as connection:
            await apply_toggle(connection, Toggle(one, "xledger", True, "a test", Actor("a", Role.GLOBAL_ADMIN)), "cli")
            await connection.execute(GIVEN_UP, one)
            await connection.execute(
                "insert into attempt_entry (organization_id, reimbursement_id, attempt, kind, connector, reference, "
                "claimed_at, recorded_by, outcome) "
                f"values ('{one}', 'R-2', 1, 'settled', 'xledger', 'R', now(), gen_random_uuid(), 'rejected')"
            )
    yield pool


async def organizations_in(pool: Pool, table: str) -> set[str]:
    async with acquire(pool) as connection:
        rows = await connection.fetch(f"select distinct organization_id from {table}")
    return {row["organization_id"] for row in rows}


async def test_every_table_shows_the_rows_of_the_own_organisation_and_no_other(two: Pool) -> None:
    for table in TABLES:
        assert await organizations_in(two, table) == {"hlf", "other"}, table
    limit_to(frozenset({"hlf"}))
    for table in TABLES:
        assert await organizations_in(two, table) == {"hlf"}, table
    limit_to(frozenset())
    for table in TABLES:
        assert await organizations_in(two, table) == set(), table


async def test_every_table_has_its_place_in_this_test(pool: Pool) -> None:
    async with acquire(pool) as connection:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    assert {row["tablename"] for row in rows} == {*TABLES, *OUT_OF_REACH}


@pytest.mark.parametrize("table", OUT_OF_REACH)
async def test_what_is_no_persons_business_is_out_of_reach(pool: Pool, table: str) -> None:
    limit_to(frozenset({"hlf"}))
    async with acquire(pool) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"select * from {table}")


@pytest.mark.parametrize("what", WRITES)
async def test_a_write_to_anothers_row_finds_none(two: Pool, what: str) -> None:
    limit_to(frozenset({"hlf"}))
    async with acquire(two) as connection:
        assert await connection.execute(WRITES[what]) == "UPDATE 0"


@pytest.mark.parametrize("what", INSERTS)
async def test_a_new_row_of_anothers_is_refused(two: Pool, what: str) -> None:
    limit_to(frozenset({"hlf"}))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with acquire(two) as connection:
            await connection.execute(INSERTS[what])


async def test_a_row_can_not_be_moved_to_another_organisation(two: Pool) -> None:
    limit_to(frozenset({"hlf"}))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with acquire(two) as connection:
            await connection.execute("update connector set organization_id = 'third'")


async def test_all_that_an_organisations_administrator_does_goes_through(two: Pool) -> None:
    limit_to(OWN.organizations)
    async with transaction(two) as connection:
        off = await apply_toggle(connection, Toggle("hlf", "xledger", False, "holiday", OWN), "http")
        refused = await runs.request_run(connection, "hlf", OWN, "http")
        on = await apply_toggle(connection, Toggle("hlf", "xledger", True, "back", OWN), "http")
        run = await runs.request_run(connection, "hlf", OWN, "http")
        attached = await decisions.retry(connection, "hlf", "R-4", actor=OWN, reason="listed", source="http")
        retried = await decisions.retry(connection, "hlf", "R-2", actor=OWN, reason="mended", source="http")
        handed = await decisions.hand_over(connection, "hlf", "R-3", actor=OWN, reason="by hand", source="http")
        view = await insights.connector_object(connection, "hlf")
        item = await insights.item_detail(connection, "hlf", "R-2")
        page = await insights.log_page(connection, "hlf", None, 100)
    assert (off.phase, on.phase) == (Phase.OFF, Phase.ON)
    assert isinstance(refused, RunRefused)
    assert not isinstance(run, RunRefused)
    assert attached == Decided(ItemState.SYNCED)
    assert (retried, handed) == (Decided(ItemState.PENDING), Decided(ItemState.HANDLED_ELSEWHERE))
    assert view is not None
    assert item is not None
    assert len(item.attempts) == 1
    assert len(page.entries) > 5


async def test_the_log_verifies_within_the_limit(two: Pool) -> None:
    limit_to(OWN.organizations)
    async with acquire(two) as connection:
        assert await sync_log.verify(connection, "hlf") is None
        assert await sync_log.verify(connection, "other") == "There is no log of this organisation."


async def test_a_service_that_forgot_to_ask_who_is_asking_reaches_nothing(two: Pool) -> None:
    careless = Actor("user-9", Role.GLOBAL_ADMIN)
    limit_to(OWN.organizations)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await readiness.switch(two, adapters(), Toggle("other", "xledger", False, "x", careless), "http")
    with unlimited():
        async with acquire(two) as connection:
            assert await connection.fetchval("select enabled from connector where organization_id = 'other'")


async def test_the_limit_leaves_the_plans_as_they_are(two: Pool) -> None:
    limit_to(OWN.organizations)
    async with transaction(two) as connection:
        await connection.execute("set local enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {PAGE_OF_ITEMS}"))
    assert "Index Cond: ((organization_id = 'hlf'::text) AND (seq > 0))" in plan
    assert "Sort" not in plan


async def test_what_the_system_writes_down_amid_a_limited_task_is_not_limited(two: Pool) -> None:
    limit_to(OWN.organizations)
    with unlimited():
        assert await organizations_in(two, "item") == {"hlf", "other"}
    assert await organizations_in(two, "item") == {"hlf"}


async def test_the_connection_goes_back_to_the_pool_without_the_limit(two: Pool) -> None:
    async def in_a_limited_task() -> None:
        limit_to(OWN.organizations)
        with pytest.raises(ZeroDivisionError):
            async with transaction(two):
                raise ZeroDivisionError
        assert await organizations_in(two, "item") == {"hlf"}

    await asyncio.gather(*(asyncio.create_task(in_a_limited_task()) for _ in range(5)))
    assert await organizations_in(two, "item") == {"hlf", "other"}
