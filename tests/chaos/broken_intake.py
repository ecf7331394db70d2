"""What the negative controls of reading and storing leave out. Each breaks this process, before the worker starts."""

import importlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.chaos.wrapping import Function, wrap
from worker.store.database import Connection
from worker.store.intake import NewItem


def counts_again() -> None:
    wrap("worker.batch:_tally", lambda tally: lambda records, batch, _: tally(records, batch, defaultdict(int)))


def skips_what_failed() -> None:
    wrap("worker.intake:Intake._go_back", _going_on)


def settles_again() -> None:
    statements = importlib.import_module("worker.store.items")._SQL
    guard = "(i.state = v.from_state and"
    assert guard in statements["settle"], f"items.settle no longer says: {guard}"
    statements["settle"] = statements["settle"].replace(guard, "(i.state in (v.from_state, v.state) and")


def forgets_items() -> None:
    wrap("worker.store.intake:accept", _as_never_seen)


def forgets_toggles() -> None:
    wrap("worker.store.intake:remember_toggle", lambda _: _never_seen)


def one_bad_costs_all() -> None:
    wrap("worker.batch:sort_records", _only_the_bad)


def _going_on(go_back: Function) -> Function:
    from worker.intake import _commit

    async def go_on(intake: Any, consumer: Any, fetched: Any, error: Exception) -> None:  # aiokafka has no types
        await go_back(intake, consumer, {}, error)
        await _commit(consumer, fetched)

    return go_on


_BACK_TO_THE_START = """
update item i
set state = 'pending', attempt = 0, due_at = 'epoch', document_number = null, document_id = null, document_url = null
from unnest($1::text[], $2::text[]) as b (organization_id, reimbursement_id)
where i.organization_id = b.organization_id and i.reimbursement_id = b.reimbursement_id and i.state = 'synced'
"""


def _as_never_seen(accept: Function) -> Function:
    """The table refuses such a step, so its triggers are put out of action as well."""

    async def accept_anew(connection: Connection, new: Sequence[NewItem]) -> Any:
        await connection.execute("set local session_replication_role = replica")
        keys = [one.organization_id for one in new], [one.reimbursement_id for one in new]
        await connection.execute(_BACK_TO_THE_START, *keys)
        await connection.execute("set local session_replication_role = origin")
        return await accept(connection, new)

    return accept_anew


async def _never_seen(*_arguments: object) -> None:
    return None


def _only_the_bad(sort: Function) -> Function:
    def sort_and_drop(*arguments: Any) -> Any:
        batch = sort(*arguments)
        if batch.dead:
            batch.approvals.clear()
            batch.toggles.clear()
        return batch

    return sort_and_drop
