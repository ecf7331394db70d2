"""What the database itself guarantees, and that it is the one that the code expects."""

import re
from collections.abc import AsyncIterator, Mapping
from importlib.resources import files
from itertools import permutations

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.database import create_database, drop_database
from deploy.local.services import Services
from tests.conftest import RUN, sibling
from tests.events import approval
from tests.integration.worker.rows import SHAPES, bring, set_up, take_in
from worker.domain.states import CLOSABLE_BY_A_PERSON, RETRYABLE_BY_A_PERSON, ItemState
from worker.store.database import Connection, OwnConnection, Pool, acquire, connect, open_pool
from worker.store.queries import load

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITTEN_OUT = f"sync_written_out_{RUN}"
STANDING = f"sync_standing_{RUN}"
FAMILIES = sorted(path.name.removesuffix(".sql") for path in files("worker.store").joinpath("sql").iterdir())
STATEMENTS = [(family, name) for family in FAMILIES for name in load(family)]

CATALOG: Mapping[str, str] = {
    "tables": """
        select relname, relkind::text, relpersistence::text, reloptions::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
          and relname <> 'schema_migration' order by 1
    """,
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
          and c.relname <> 'schema_migration' order by 1, 2
    """,
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'schema_migration' order by 1, 2
    """,
    "indexes": """
        select tablename, indexname, indexdef from pg_indexes
        where schemaname = 'public' and tablename <> 'schema_migration' order by 1, 2
    """,
    "triggers": """
        select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text from pg_trigger
        where not tgisinternal order by 1, 2
    """,
    "functions": """
        select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace order by 1
    """,
    "policies": """
        select c.relname, c.relrowsecurity, p.polname, pg_get_expr(p.polqual, p.polrelid)
        from pg_class c left join pg_policy p on p.polrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'schema_migration'
        order by 1, 3
    """,
    "grants": """
        select table_name, privilege_type from information_schema.role_table_grants
        where grantee = 'accounting_sync_organization' order by 1, 2
    """,
    "sequences": """
        select sequencename, data_type::text, start_value, increment_by, cycle,
               pg_get_serial_sequence('item', 'seq') = 'public.' || sequencename as is_the_items
        from pg_sequences where schemaname = 'public' order by 1
    """,
}

DESIGNED = {
    "pending": {"sending", "handled_elsewhere"},
    "sending": {"synced", "confirming", "rejected", "unknown", "pending"},
    "confirming": {"synced", "rejected"},
    "unknown": {"synced", "pending", "handled_elsewhere"},
    "rejected": {"pending", "handled_elsewhere"},
}
"""DESIGN, section 4, "Item states"."""

ADDED = {("confirming", "unknown"), ("unknown", "confirming")}
"""Beyond DESIGN's line: an import that became a document of another amount waits for a person, and a zombie's late
`Accepted` puts its unknown item into the import."""

LEGAL = {(old, new) for old, news in DESIGNED.items() for new in news} | ADDED
OPEN_RUN = """
    insert into sync_run (organization_id, kind, connector, requested_by, mark)
    values ('hlf', 'manual', 'xledger', 'a', 0)
"""
WRITTEN_ONCE = ("toggle_event", "attempt_entry", "sync_log", "dead_letter")


@pytest_asyncio.fixture(loop_scope="session")
async def written_out(services: Services) -> AsyncIterator[OwnConnection]:
    """A database made from schema.sql alone."""
    await create_database(services.database_url, WRITTEN_OUT)
    connection = await connect(sibling(services.database_url, WRITTEN_OUT))
    await connection.execute(files("worker.store").joinpath("schema.sql").read_text("utf-8"))
    yield connection
    await connection.close()
    await drop_database(services.database_url, WRITTEN_OUT)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(services: Services, template: str) -> AsyncIterator[Pool]:
    """One database for all that is refused here: an organisation that is off, and an item `R-…` for each state."""
    await create_database(services.database_url, STANDING, template)
    pool = await open_pool(sibling(services.database_url, STANDING))
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{state}") for state in SHAPES])
    yield pool
    await pool.close()
    await drop_database(services.database_url, STANDING)


@pytest_asyncio.fixture(loop_scope="session")
async def connection(standing: Pool) -> AsyncIterator[Connection]:
    """In a transaction that is rolled back."""
    async with acquire(standing) as connection:
        attempt = connection.transaction()
        await attempt.start()
        yield connection
        await attempt.rollback()


async def test_the_migrations_lead_to_the_schema_that_is_written_out(
    written_out: OwnConnection, connection: Connection
) -> None:
    for name, query in CATALOG.items():
        expected = [tuple(row) for row in await written_out.fetch(query)]
        assert [tuple(row) for row in await connection.fetch(query)] == expected, name
        assert expected, name


@pytest.mark.parametrize("change", ["alter table item alter reason set default ''", "drop index item_open"])
async def test_the_comparison_sees_a_difference(
    written_out: OwnConnection, connection: Connection, change: str
) -> None:
    await written_out.execute(change)
    differing = [
        name for name, query in CATALOG.items() if await written_out.fetch(query) != await connection.fetch(query)
    ]
    assert len(differing) == 1


async def test_every_named_statement_suits_the_schema(connection: Connection) -> None:
    for family, name in STATEMENTS:
        try:
            await connection.prepare(load(family)[name])
        except asyncpg.PostgresError as error:
            pytest.fail(f"{family}/{name}: {error}")


async def test_every_table_of_an_organisations_data_has_it_first_in_its_key(connection: Connection) -> None:
    rows = await connection.fetch("""
        select c.relname, (select a.attname from pg_attribute a
                           where a.attrelid = c.oid and a.attnum = i.indkey[0]) as first
        from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    """)
    others = {row["relname"] for row in rows if row["first"] != "organization_id"}
    assert others == {"dead_letter", "outbox", "intake_position", "schema_migration", "session"}


@pytest.mark.promise("P6")
async def test_only_the_designed_transitions_are_legal_whatever_else_the_row_says(connection: Connection) -> None:
    """P6: every pair is tried on a row whose shape suits both states, so that nothing but the step can be refused."""
    taken = {pair for pair in permutations(SHAPES, 2) if await _is_taken(connection, *pair)}
    assert taken == LEGAL


async def _is_taken(connection: Connection, old: str, new: str) -> bool:
    attempt = connection.transaction()
    await attempt.start()
    try:
        await _stand_in(connection, old)
        await bring(connection, new, f"R-{old}")
    except asyncpg.RestrictViolationError:
        return False
    else:
        return True
    finally:
        await attempt.rollback()


async def _stand_in(connection: Connection, state: str, **more: str) -> None:
    """Puts the item `R-<state>` there without a step."""
    await connection.execute("alter table item disable trigger item_takes_legal_steps")
    await bring(connection, state, f"R-{state}", **more)
    await connection.execute("alter table item enable trigger item_takes_legal_steps")


async def test_what_a_person_may_do_is_what_the_database_lets_them() -> None:
    assert {ItemState(old) for old, new in LEGAL if new == "handled_elsewhere"} == CLOSABLE_BY_A_PERSON
    assert {ItemState.REJECTED} == RETRYABLE_BY_A_PERSON
    assert ("rejected", "pending") in LEGAL


async def test_the_states_of_the_code_are_those_of_the_table(connection: Connection) -> None:
    check = await connection.fetchval(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'item'::regclass "
        "and conkey = array(select attnum from pg_attribute where attrelid = 'item'::regclass and attname = 'state')"
    )
    assert set(re.findall(r"'([a-z_]+)'", check)) == set(ItemState)


@pytest.mark.parametrize("table", WRITTEN_ONCE)
@pytest.mark.parametrize("change", ["update {} set organization_id = 'x'", "delete from {}", "truncate {} cascade"])
async def test_an_append_only_table_refuses_every_change(connection: Connection, table: str, change: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match=f"the rows of {table} are written once"):
        await connection.execute(change.format(table))


@pytest.mark.parametrize("change", ["delete from item", "truncate item"])
async def test_an_item_is_kept_for_ever(connection: Connection, change: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="the rows of item are written once"):
        await connection.execute(change)


async def test_an_items_identity_is_unique_for_ever(connection: Connection) -> None:
    await _stand_in(connection, "synced")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("""
            insert into item (organization_id, reimbursement_id, approved_at, total_minor, currency, content_hash,
                              content)
            select organization_id, reimbursement_id, approved_at, total_minor, currency, content_hash, content
            from item where reimbursement_id = 'R-synced'
        """)


@pytest.mark.parametrize(
    ("state", "impossible", "constraint"),
    [
        ("synced", {"document_number": "null"}, "synced_has_a_document"),
        ("synced", {"document_id": "null"}, "synced_has_a_document"),
        ("confirming", {"document_id": "null"}, "confirming_has_an_import"),
        ("sending", {"fence": "null"}, "sending_has_a_holder"),
        ("sending", {"claimed_by": "null"}, "sending_has_a_holder"),
        ("pending", {"fence": "1", "claimed_by": "gen_random_uuid()"}, "sending_has_a_holder"),
        ("synced", {"fence": "1", "claimed_by": "gen_random_uuid()"}, "sending_has_a_holder"),
        ("rejected", {"reason_code": "null"}, "rejected_has_a_code"),
        ("rejected", {"reason_code": "''"}, "rejected_has_a_code"),
        ("rejected", {"reason": "null"}, "refusal_has_a_reason"),
        ("unknown", {"reason": "''"}, "refusal_has_a_reason"),
        ("handled_elsewhere", {"reason": "null"}, "refusal_has_a_reason"),
        ("sending", {"reference": "null"}, "tried_is_traceable"),
        ("synced", {"connector": "null"}, "tried_is_traceable"),
        ("unknown", {"claimed_at": "null"}, "tried_is_traceable"),
        ("sending", {"attempt": "0"}, "only_pending_or_handled_untried"),
        ("synced", {"attempt": "0"}, "only_pending_or_handled_untried"),
        ("pending", {"document_number": "'20417'"}, "unposted_has_no_document"),
        ("rejected", {"document_number": "'20417'"}, "unposted_has_no_document"),
        ("pending", {"total_minor": "0"}, "item_total_minor_check"),
        ("pending", {"currency": "'kr'"}, "item_currency_check"),
    ],
)
async def test_an_impossible_item_is_refused(
    connection: Connection, state: str, impossible: Mapping[str, str], constraint: str
) -> None:
    await _stand_in(connection, state)
    with pytest.raises(asyncpg.CheckViolationError, match=f'"{constraint}"'):
        await _stand_in(connection, state, **impossible)


@pytest.mark.parametrize(
    ("impossible", "constraint"),
    [
        ("enabled = true, changed_by = 'a', changed_at = now(), reason = 'b'", "enabled_is_not_quiesced"),
        ("enabled = true, quiesced_at = null", "change_is_attributed"),
        (
            "enabled = true, quiesced_at = null, changed_by = 'a', changed_at = now(), reason = ''",
            "change_is_attributed",
        ),
        ("suspended_at = now()", "suspension_has_a_reason"),
        ("suspended_reason = 'x'", "suspension_has_a_reason"),
        ("next_run_at = now()", "next_run_needs_a_schedule"),
        ("release_policy = 'now_and_then'", "connector_release_policy_check"),
    ],
)
async def test_an_impossible_connector_is_refused(connection: Connection, impossible: str, constraint: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match=f'"{constraint}"'):
        await connection.execute(f"update connector set {impossible}")


@pytest.mark.parametrize("missing", ["changed_by", "changed_at", "reason"])
async def test_nobody_enables_without_a_name_a_time_and_a_reason(connection: Connection, missing: str) -> None:
    """A reason that is missing is refused like an empty one."""
    given = {"changed_by": "'a'", "changed_at": "now()", "reason": "'b'", missing: "null"}
    sets = ", ".join(f"{name} = {value}" for name, value in given.items())
    with pytest.raises(asyncpg.CheckViolationError, match="change_is_attributed"):
        await connection.execute(f"update connector set enabled = true, quiesced_at = null, {sets}")


async def test_a_second_enabled_connector_is_refused(connection: Connection) -> None:
    statement = """
        insert into connector (organization_id, kind, title, settings, mapping, enabled, quiesced_at, changed_by,
                               changed_at, reason)
        values ('hlf', $1, 'An ERP', '{}', '{}', true, null, 'a', now(), 'b')
    """
    await connection.execute(statement, "one")
    with pytest.raises(asyncpg.UniqueViolationError, match="one_enabled_connector"):
        await connection.execute(statement, "another")


async def test_a_second_open_run_is_refused(connection: Connection) -> None:
    await connection.execute(OPEN_RUN)
    with pytest.raises(asyncpg.UniqueViolationError, match="one_open_run"):
        await connection.execute(OPEN_RUN)


@pytest.mark.parametrize(
    "half", ["finished_at = now()", "result = 'finished'", "remaining = 0", "finished_at = now(), result = 'stopped'"]
)
async def test_a_run_ends_with_a_time_a_result_and_what_remained_or_not_at_all(
    connection: Connection, half: str
) -> None:
    await connection.execute(OPEN_RUN)
    with pytest.raises(asyncpg.CheckViolationError, match="a_result_ends_it"):
        await connection.execute(f"update sync_run set {half}")


@pytest.mark.parametrize("impossible", ["(null, null)", "('x', null)", "(null, ''::bytea)"])
async def test_an_outbox_row_is_an_event_or_a_dead_letter(connection: Connection, impossible: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="an_event_or_a_dead_letter"):
        await connection.execute(f"insert into outbox (event_type, value) values {impossible}")


async def test_an_attempt_belongs_to_what_happened(connection: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("""
            insert into attempt_entry (organization_id, reimbursement_id, attempt, kind, connector, reference,
                                       claimed_at, recorded_by, outcome)
            values ('hlf', 'R-1', 1, 'settled', 'xledger', 'R', now(), gen_random_uuid(), 'hoped')
        """)
