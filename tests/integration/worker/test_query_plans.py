"""The hot statements on many rows: each finds its rows by an index, however its plan was made, and reads no table."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.database import create_database, drop_database
from deploy.local.services import Services
from tests.benchmarks.scale_rows import Crowd, load_pending
from tests.conftest import RUN, sibling
from tests.integration.worker.rows import SHAPES
from worker.domain.states import ItemState
from worker.store.database import OwnConnection, connect
from worker.store.queries import load

pytestmark = pytest.mark.asyncio(loop_scope="session")

ITEMS = 200_000
OFF, ON = Crowd(0, 500), Crowd(500, 500)
"""The backlog of those that are off is the older half."""
BIG = {"item", "receipt", "sync_run", "outbox", "attempt_entry", "sync_log", "toggle_event", "dead_letter"}
SOME = ON.names[:4]
ONE, LAST = SOME[0], 2**40
NOBODY = UUID(int=1)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
REIMBURSEMENTS = [f"R-2026-{number:08}" for number in range(1, 5)]
SETTLED: tuple[object, ...] = (
    *(SOME, REIMBURSEMENTS, [1] * 4, ["sending"] * 4, ["posted"] * 4, ["synced"] * 4, [timedelta()] * 4, ["1"] * 4),
    *(["1"] * 4, [None] * 4, [None] * 4, [None] * 4, ["synced"] * 4, [b"{}"] * 4, ["plain"] * 4, ["R"] * 4),
    *([NOW] * 4, [b"x" * 32] * 4, NOBODY, ["settled"] * 4, [timedelta()] * 4, [False] * 4, [False] * 4, [0] * 4),
    [False] * 4,
)
"""As `store.items.settle` gives them."""


@dataclass(frozen=True)
class Hot:
    """A statement that is run all the time, and the indexes that it can't do without. `state`: written into it."""

    family: str
    name: str
    arguments: tuple[object, ...]
    indexes: tuple[str, ...]
    state: ItemState | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.state}" if self.state else self.name

    @property
    def sql(self) -> str:
        text = load(self.family)[self.name].removesuffix(";")
        return text.format(state=self.state) if self.state else text


HOT = [
    Hot("items", "next_pending", (SOME, [LAST] * 4, [LAST] * 4, [4] * 4), ("item_pending",)),
    Hot("items", "due_resends", (SOME, ["plain"] * 4, [4] * 4), ("item_open",)),
    Hot("items", "resend", (SOME, REIMBURSEMENTS), ("item_pkey",)),
    Hot(
        "items",
        "claim",
        (
            *(NOBODY, SOME, REIMBURSEMENTS, [0] * 4, ["R"] * 4, [b"x" * 32] * 4, [False] * 4, [1] * 4, ["plain"] * 4),
            *([NOBODY] * 4, [0] * 4, [timedelta(minutes=5)] * 4, [False] * 4),
        ),
        ("item_pkey",),
    ),
    Hot("items", "settle", SETTLED, ("item_pkey", "one_open_run")),
    Hot("items", "due_looks", (ONE, "plain", 10), ("item_to_look_at",)),
    Hot("items", "next_due", (ONE, "plain"), ("item_to_look_at",)),
    Hot("items", "list_items", (ONE, 0, 101), ("item_in_order",)),
    Hot("items", "list_items_in_state", (ONE, 0, 101), ("item_pending",), ItemState.PENDING),
    Hot("items", "list_items_in_state", (ONE, 0, 101), ("item_open",), ItemState.REJECTED),
    Hot("items", "list_items_in_state", (ONE, 0, 101), (), ItemState.SYNCED),
    Hot("items", "list_newest", (ONE, LAST, 101), ("item_in_order",)),
    Hot("items", "list_newest_in_state", (ONE, LAST, 101), ("item_pending",), ItemState.PENDING),
    Hot("items", "list_newest_in_state", (ONE, LAST, 101), ("item_open",), ItemState.REJECTED),
    Hot("items", "list_newest_synced", (ONE, NOW, LAST, 101), ("item_synced",)),
    Hot("items", "list_oldest_synced", (ONE, NOW, 0, 101), ("item_synced",)),
    Hot("items", "list_left_by_run", (ONE, NOBODY, None, 0, 101), ("item_left_by_run",)),
    Hot("items", "list_left_by_run", (ONE, NOBODY, ItemState.REJECTED, 0, 101), ("item_left_by_run",)),
    Hot("items", "list_newest_left_by_run", (ONE, NOBODY, ItemState.REJECTED, LAST, 101), ("item_left_by_run",)),
    Hot("items", "find_items", (ONE, "R-2026", 100, 10), ("item_in_order",)),
    Hot("items", "state_counts", (ONE, 10_001), ("item_pending", "item_open", "item_synced")),
    Hot("items", "waits_for_many", (ONE, 10_000), ("item_pending",)),
    Hot("items", "waiting_of_some", (SOME,), ("item_pending",)),
    Hot("overview", "names_of", (SOME,), ("organization_pkey",)),
    Hot("overview", "flags_of", (SOME,), ("connector_pkey",)),
    Hot("overview", "rejected_and_last_synced", (), ("item_open", "item_synced")),
    Hot("items", "doubts", (), ("item_to_look_at", "item_sending")),
    Hot("items", "show_item", (ONE, REIMBURSEMENTS[0]), ("item_pkey",)),
    Hot("items", "item_attempts", (ONE, REIMBURSEMENTS[0]), ("attempt_entry_pkey",)),
    Hot("items", "hand_over_waiting", (ONE, None, 0, 100, "why", LAST), ("item_pending", "item_pkey")),
    Hot("items", "hand_over_waiting", (ONE, NOW, 0, 100, "why", LAST), ("item_pending", "item_pkey")),
    Hot("items", "waiting_to_hand_over", (ONE, None, LAST), ("item_pending",)),
    Hot("items", "waiting_to_hand_over", (ONE, NOW, LAST), ("item_pending",)),
    Hot("items", "waiting", (ONE,), ("item_pending",)),
    Hot("items", "waiting_everywhere", (), ("item_pending",)),
    Hot("items", "pending_content", (ONE, 100), ("item_pending",)),
    Hot("intake", "standing_items", (SOME, REIMBURSEMENTS), ("item_pkey",)),
    Hot("intake", "toggle_hash", (ONE, "/expenses", "event-1"), ("toggle_event_pkey",)),
    Hot("lanes", "lease_lanes", (NOBODY, timedelta(seconds=30), None, 200), ("item_pending", "item_to_look_at")),
    Hot("lanes", "lease_lanes", (NOBODY, timedelta(seconds=30), SOME, 200), ("item_pending", "item_to_look_at")),
    Hot("lanes", "abandon_sending", (ONE, 5, NOBODY), ("item_sending",)),
    Hot("progress", "standing_lanes", (NOBODY, True), ("item_pending",)),
    Hot("progress", "oldest_event", (), ("outbox_pkey",)),
    Hot("outbox", "next_events", (100, 8_000_000), ("outbox_pkey",)),
    Hot("outbox", "forget_published", ([1, 2, 3],), ("outbox_pkey",)),
    Hot("runs", "is_done", (ONE, NOBODY, LAST), ("item_pending", "item_open")),
    Hot("runs", "remaining", (ONE, NOBODY), ("item_pending", "item_open")),
    Hot("connectors", "unresolved", (ONE, "plain"), ("item_open",)),
    Hot("connectors", "outcome_unknown", (ONE, "plain"), ("item_open",)),
    Hot("connectors", "in_flight", (ONE, "plain"), ("item_sending",)),
    Hot("connectors", "switching_off", (), ("item_sending",)),
    Hot("connectors", "connector_views", (ONE,), ("item_sending",)),
    Hot("receipts", "take_due", (4, timedelta(minutes=1)), ("receipt_due", "receipt_taken")),
    Hot("receipts", "item_receipts", (ONE, REIMBURSEMENTS[0]), ("receipt_pkey",)),
    Hot("receipts", "retry_given_up", (ONE, REIMBURSEMENTS[0]), ("receipt_pkey",)),
    Hot("sync_log", "newest_of", (ONE, "plain", ["credentials_replaced"]), ("sync_log_pkey",)),
    Hot("sync_log", "newest_entries", (ONE, LAST, None, None, None, None, 101), ("sync_log_pkey",)),
    Hot("sync_log", "newest_entries", (ONE, LAST, ["toggle_refused"], "somebody", NOW, NOW, 101), ("sync_log_pkey",)),
    Hot("sync_log", "oldest_entries", (ONE, 0, None, None, None, None, 101), ("sync_log_pkey",)),
    Hot("sync_log", "count_entries", (ONE, None, None, None, None), ("sync_log_pkey",)),
    Hot("sync_log", "chain_part", (ONE, 10, 20_000, 500), ("sync_log_pkey",)),
    Hot("sync_log", "link", (ONE, 10), ("sync_log_pkey",)),
    Hot("runs", "newest_runs", (ONE, NOW, NOBODY, 51), ("sync_run_pkey",)),
    Hot("runs", "oldest_runs", (ONE, NOW, NOBODY, 51), ("sync_run_pkey",)),
    Hot("dead_letters", "list_dead_letters", (LAST, 101), ("dead_letter_pkey",)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowded(services: Services, template: str) -> AsyncIterator[OwnConnection]:
    """A thousand organisations and what happened to them; every tenth item is not pending any more."""
    name = f"sync_plans_{RUN}"
    await create_database(services.database_url, name, template)
    connection = await connect(sibling(services.database_url, name))
    try:
        await connection.execute("set statement_timeout = 0")
        await connection.execute(ORGANIZATIONS)
        await load_pending(connection, OFF, 1, ITEMS // 2)
        await load_pending(connection, ON, ITEMS // 2 + 1, ITEMS // 2)
        await _send_some(connection)
        await connection.execute(HISTORY)
        await connection.execute("vacuum analyze")
        yield connection
    finally:
        await connection.close()
        await drop_database(services.database_url, name)


@pytest.mark.parametrize("mode", ["custom", "generic"])
@pytest.mark.parametrize("hot", HOT, ids=str)
async def test_a_hot_statement_uses_its_indexes_and_reads_no_big_table_through(
    crowded: OwnConnection, hot: Hot, mode: str
) -> None:
    nodes = await _plan(crowded, hot, mode)
    assert _read_through(nodes) == set()
    assert set(hot.indexes) <= _indexes(nodes)


@pytest.mark.parametrize("hot", HOT, ids=str)
async def test_without_one_of_its_indexes_it_would_be_noticed(crowded: OwnConnection, hot: Hot) -> None:
    for index in hot.indexes:
        transaction = crowded.transaction()
        await transaction.start()
        try:
            await _drop(crowded, index)
            nodes = await _plan(crowded, hot, "generic")
        finally:
            await transaction.rollback()
        assert index not in _indexes(nodes)


async def _plan(connection: OwnConnection, hot: Hot, mode: str) -> list[Mapping[str, object]]:
    """All nodes of the plan. `custom`: made for the arguments at hand; `generic`: as after many executions."""
    await connection.execute(f"set plan_cache_mode = force_{mode}_plan")
    arguments = await _literals(connection, hot)
    await connection.execute(f"prepare hot as {hot.sql}")
    try:
        plan = await connection.fetchval(f"explain (format json) execute hot {arguments}")
    finally:
        await connection.execute("deallocate hot")
    return list(_nodes(json.loads(plan)[0]["Plan"]))


async def _literals(connection: OwnConnection, hot: Hot) -> str:
    """EXECUTE takes no parameters, so PostgreSQL writes them out."""
    types = [one.name for one in (await connection.prepare(hot.sql)).get_parameters()]
    written = [
        await connection.fetchval(f"select quote_nullable($1::{kind}::text) || '::{kind}'", value)
        for kind, value in zip(types, hot.arguments, strict=True)
    ]
    return f"({', '.join(written)})" if written else ""


def _nodes(node: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    yield node
    children = node.get("Plans", [])
    assert isinstance(children, list)
    for child in children:
        yield from _nodes(child)


def _read_through(nodes: list[Mapping[str, object]]) -> set[object]:
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & BIG


def _indexes(nodes: list[Mapping[str, object]]) -> set[object]:
    return {node["Index Name"] for node in nodes if "Index Name" in node}


async def _drop(connection: OwnConnection, index: str) -> None:
    table = await connection.fetchval("select conrelid::regclass::text from pg_constraint where conname = $1", index)
    await connection.execute(f"alter table {table} drop constraint {index} cascade" if table else f"drop index {index}")


async def _send_some(connection: OwnConnection) -> None:
    """Of every hundred: one of each state that waits for something, five are synced, the last is on the wire."""
    await connection.execute(f"update item set state = 'sending', {_sets('sending')} where seq % 10 = 0")
    for place, state in enumerate(("confirming", "rejected", "unknown")):
        await connection.execute(f"update item set state = '{state}', {_sets(state)} where seq % 100 = {place * 10}")
    await connection.execute(
        f"update item set state = 'synced', {_sets('synced')} where seq % 100 between 40 and 90 and seq % 10 = 0"
    )
    await connection.execute(
        "update item i set run_id = (select r.run_id from sync_run r where r.organization_id = i.organization_id "
        "order by r.run_id offset i.seq / 100 % 20 limit 1) where state in ('rejected', 'unknown', 'synced')"
    )


def _sets(state: str) -> str:
    return ", ".join(f"{name} = {value}" for name, value in SHAPES[state].items())


ORGANIZATIONS = """
insert into organization (organization_id, name)
select 'org-' || lpad(n::text, 5, '0'), 'An organisation' from generate_series(0, 999) n;
insert into connector
    (organization_id, kind, title, settings, mapping, enabled, quiesced_at, changed_by, changed_at, reason)
select organization_id, 'plain', 'Plain ERP', '{}', '{}', organization_id >= 'org-00500',
       case when organization_id < 'org-00500' then now() end, 'somebody', now(), 'a test'
from organization;
insert into sync_run (organization_id, kind, connector, requested_by, mark, finished_at, result, remaining)
select organization_id, 'manual', 'plain', 'somebody', 0, now(), 'finished', 0
from organization, generate_series(1, 20);
insert into lane (organization_id) select organization_id from organization;
"""
HISTORY = """
insert into attempt_entry
    (organization_id, reimbursement_id, attempt, kind, connector, reference, claimed_at, recorded_by, outcome)
select organization_id, reimbursement_id, 1, 'settled', 'plain', 'R', now(), gen_random_uuid(), 'posted'
from item where seq % 10 = 0;
insert into receipt (organization_id, reimbursement_id, position, state)
select organization_id, reimbursement_id, place, case when seq % 100 = 40 then 'waiting' else 'attached' end
from item, generate_series(1, 4) place where state = 'synced';
insert into outbox (organization_id, event_type, value)
select organization_id, 'reimbursement.synced.v1', content from item where seq % 10 = 0;
insert into sync_log (organization_id, entry_no, at, actor, actor_role, source, change, previous_hash, hash)
select organization_id, n, now(), 'somebody', 'global_admin', 'cli', 'connector_enabled', sha256(''), sha256('')
from organization, generate_series(1, 20) n;
insert into toggle_event (organization_id, event_source, event_id, content_hash)
select organization_id, '/expenses', 'event-' || n, sha256('') from organization, generate_series(1, 20) n;
insert into dead_letter (topic, partition, kafka_offset, digest, reason, detail, header_names, header_values)
select 'approved', 0, n, sha256(''), 'invalid_json', 'It is no JSON.', '{}', '{}' from generate_series(1, 20000) n;
"""
