"""The migration runner: each file once, in one transaction, and never changed afterwards."""

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.database import create_database, drop_database
from deploy.local.services import Services
from tests.conftest import RUN, sibling
from tests.scene import PATIENCE
from worker.store.database import OwnConnection, connect
from worker.store.migrate import Migration, MigrationError, migrate, require, shipped, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMPTY = f"sync_empty_{RUN}"
FIRST = Migration(1, "0001_first.pre.sql", "create table first (id bigint primary key);")
SECOND = Migration(2, "0002_second.post.sql", "create table second (id bigint primary key);")
TABLES = """
    select array_agg(table_name::text order by table_name) from information_schema.tables where table_schema = 'public'
"""


@pytest_asyncio.fixture(loop_scope="session")
async def empty_url(services: Services) -> AsyncIterator[str]:
    await create_database(services.database_url, EMPTY)
    yield sibling(services.database_url, EMPTY)
    await drop_database(services.database_url, EMPTY)


@pytest_asyncio.fixture(loop_scope="session")
async def empty(empty_url: str) -> AsyncIterator[OwnConnection]:
    connection = await connect(empty_url)
    yield connection
    await connection.close()


async def test_every_migration_is_applied_once_in_its_order(empty: OwnConnection) -> None:
    assert await migrate(empty, [FIRST, SECOND]) == [FIRST, SECOND]
    rows = await empty.fetch("select version, name, checksum from schema_migration order by applied_at")
    assert [tuple(row) for row in rows] == [(m.version, m.name, m.checksum) for m in (FIRST, SECOND)]


async def test_a_second_time_nothing_is_done(empty: OwnConnection) -> None:
    await migrate(empty)
    applied = await empty.fetch("select * from schema_migration")
    assert await migrate(empty) == []
    assert await empty.fetch("select * from schema_migration") == applied


async def test_only_what_is_new_is_applied(empty: OwnConnection) -> None:
    await migrate(empty, [FIRST])
    assert await migrate(empty, [FIRST, SECOND]) == [SECOND]


async def test_two_processes_at_once_both_succeed_and_apply_each_once(empty_url: str) -> None:
    """Both find an empty database before either has begun."""
    connections = [await connect(empty_url) for _ in range(2)]
    try:
        applied = await asyncio.gather(*[migrate(connection) for connection in connections])
        assert sorted(applied, key=len) == [[], shipped()]
        assert await connections[0].fetchval("select count(*) from schema_migration") == len(shipped())
    finally:
        for connection in connections:
            await connection.close()


async def test_a_changed_migration_is_refused_by_its_name(empty: OwnConnection) -> None:
    await migrate(empty, [FIRST])
    changed = Migration(1, FIRST.name, FIRST.sql + " -- a space more")
    with pytest.raises(MigrationError) as refused:
        await migrate(empty, [changed, SECOND])
    sentence = "0001_first.pre.sql was changed after it was applied. Restore it and add a new migration."
    assert str(refused.value) == sentence
    assert await empty.fetchval(TABLES) == ["first", "schema_migration"]


async def test_a_database_of_a_newer_version_is_refused(empty: OwnConnection) -> None:
    await migrate(empty, [FIRST, SECOND])
    with pytest.raises(MigrationError) as refused:
        await migrate(empty, [FIRST])
    sentence = "The database has migration 0002, which this version does not know. Use a newer one."
    assert str(refused.value) == sentence


async def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_mended(empty: OwnConnection) -> None:
    half = Migration(2, "0002_half.pre.sql", "create table half (id bigint); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, [FIRST, half])
    assert await empty.fetchval(TABLES) == ["first", "schema_migration"]
    assert await migrate(empty, [FIRST, SECOND]) == [SECOND]


async def test_after_a_failure_others_are_not_locked_out(empty: OwnConnection, empty_url: str) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(empty, [Migration(1, "0001_bad.pre.sql", "creat table;")])
    other = await connect(empty_url)
    try:
        async with asyncio.timeout(PATIENCE):
            assert await migrate(other, [FIRST]) == [FIRST]
    finally:
        await other.close()


async def test_the_connections_own_time_outs_are_back_afterwards(empty: OwnConnection) -> None:
    before = [await empty.fetchval(f"show {name}") for name in ("lock_timeout", "statement_timeout")]
    await migrate(empty)
    assert [await empty.fetchval(f"show {name}") for name in ("lock_timeout", "statement_timeout")] == before


async def test_the_status_of_an_empty_database_is_that_everything_waits_and_nothing_is_written(
    empty: OwnConnection,
) -> None:
    assert [(one.name, one.applied_at) for one in await status(empty)] == [(m.name, None) for m in shipped()]
    assert await empty.fetchval(TABLES) is None


async def test_the_status_of_a_migrated_database_has_a_time_for_each(empty: OwnConnection) -> None:
    await migrate(empty)
    standings = await status(empty)
    assert [one.version for one in standings] == [m.version for m in shipped()]
    assert all(one.applied_at is not None for one in standings)


async def test_the_status_tells_a_newer_database_and_a_changed_file(empty: OwnConnection) -> None:
    await migrate(empty)
    await empty.execute("update schema_migration set checksum = 'another' where version = 1")
    with pytest.raises(MigrationError, match="was changed after it was applied"):
        await status(empty)
    await empty.execute("insert into schema_migration values (9999, '9999_new.pre.sql', '')")
    with pytest.raises(MigrationError, match="migration 9999, which this version does not know"):
        await status(empty)


async def test_a_receipt_that_was_given_up_in_doubt_before_is_not_tried_again_within_a_day(
    empty: OwnConnection,
) -> None:
    """The version before did not keep until when a request that it gave up on may still be applied."""
    await migrate(empty, [one for one in shipped() if one.version <= 10])
    await empty.execute(
        "insert into receipt (organization_id, reimbursement_id, position, state, reason_code, reason) "
        "select 'hlf', 'R-1', place, 'given_up', code, 'Given up.' "
        "from unnest(array['unknown', 'not_sent']) with ordinality as one (code, place)"
    )
    await migrate(empty)
    rows = await empty.fetch("select due_at - changed_at > interval '23 hours' from receipt order by position")
    assert [row[0] for row in rows] == [True, False]


@pytest.mark.parametrize("migration", shipped(), ids=lambda migration: migration.name)
async def test_every_migration_waits_for_locks_only_briefly(migration: Migration) -> None:
    """A migration that waits behind a long transaction makes everybody else wait behind it."""
    before_any_change = migration.sql.partition("create ")[0]
    assert re.search(r"^set local lock_timeout = '[1-5]s';$", before_any_change, re.MULTILINE)


@pytest.mark.parametrize("migration", shipped(), ids=lambda migration: migration.name)
async def test_every_migration_runs_in_one_transaction(migration: Migration) -> None:
    assert not re.search(r"\bconcurrently\b|^\s*(begin|commit)\s*;", migration.sql, re.MULTILINE | re.IGNORECASE)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["0001_a.pre.sql", "0003_b.pre.sql"], "The migrations are not numbered 0001, 0002, … without gaps."),
        (["0001_a.pre.sql", "0001_b.post.sql"], "The migrations are not numbered 0001, 0002, … without gaps."),
        (["0001_a.sql"], "0001_a.sql is not named like 0001_name.pre.sql."),
        (["1_a.pre.sql"], "1_a.pre.sql is not named like 0001_name.pre.sql."),
        (["0001_A.pre.sql"], "0001_A.pre.sql is not named like 0001_name.pre.sql."),
    ],
)
async def test_a_file_with_an_unusable_name_or_number_is_refused(
    names: list[str], sentence: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path_factory.mktemp("package")
    (package / "migrations").mkdir()
    for name in names:
        (package / "migrations" / name).write_text("select 1;")
    monkeypatch.setattr("worker.store.migrate.files", lambda _package: package)
    with pytest.raises(MigrationError) as refused:
        shipped()
    assert str(refused.value) == sentence


async def test_a_worker_needs_what_its_version_brings_before_its_start_and_nothing_else(empty: OwnConnection) -> None:
    third = Migration(3, "0003_third.pre.sql", "create table third (id bigint primary key);")
    with pytest.raises(MigrationError, match="has no tables yet"):
        await require(empty, [FIRST])
    await migrate(empty, [FIRST])
    await require(empty, [FIRST, SECOND])
    with pytest.raises(MigrationError, match=r"lacks 0003_third\.pre\.sql, .* Run: accounting-sync migrate up"):
        await require(empty, [FIRST, SECOND, third])
    await migrate(empty, [FIRST, SECOND, third])
    await require(empty, [FIRST])


async def test_a_worker_that_may_not_look_at_the_migrations_is_let_start(empty: OwnConnection) -> None:
    await migrate(empty, [FIRST])
    async with empty.transaction():
        await empty.execute("set local role pg_monitor")
        await require(empty)
