"""What posting leaves behind in the table: dead rows, grown indexes, updates in place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from connectors.contract import Document, Posted
from tests.benchmarks.ground import Ground
from tests.benchmarks.scale_claim import Backlog, backlog
from tests.benchmarks.scale_stage import Door
from worker.claiming import Claimed, claim_together
from worker.domain.states import ItemState, judge_outcome
from worker.settlement import settlement_of
from worker.store import items as item_store
from worker.store.database import OwnConnection, connect, transaction

A_BATCH = 100
"""Settlements that are written together."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes."""

    table: int
    indexes: int

    @property
    def whole(self) -> int:
        return self.table + self.indexes


@dataclass(frozen=True, slots=True)
class Bloat:
    """After so many items were claimed and settled; `fresh` holds the same rows, loaded anew.

    `hot` is the share of updates that touched no index, `dead` the rows that wait for a vacuum.
    """

    items: int
    pending: Size
    synced: Size
    fresh: Size
    hot: float
    dead: int

    @property
    def growth(self) -> float:
        return self.synced.whole / self.fresh.whole


async def measure_bloat(ground: Ground, door: Door, items: int) -> Bloat:
    """Autovacuum runs meanwhile as it pleases."""
    async with backlog(ground, door, on=items, off=0) as own:
        connection = await connect(own.stage.url)
        try:
            await connection.execute("set statement_timeout = 0")
            await connection.execute("drop index peer_oldest_first")
            pending = await _size(connection, "item")
            await own.lease()
            await _post_all(own, items)
            return await _judge(connection, items, pending)
        finally:
            await connection.close()


async def _post_all(own: Backlog, items: int) -> None:
    left = items
    while left > 0:
        claimed = await _claim_all(own)
        assert claimed, "Nothing is pending any more."
        for start in range(0, len(claimed), A_BATCH):
            await _settle(own, claimed[start : start + A_BATCH])
        left -= len(claimed)


async def _claim_all(own: Backlog) -> list[Claimed]:
    answers = await claim_together(own.stage.pool, own.worker_id, own.wishes)
    return [one for answer in answers.values() if isinstance(answer, list) for one in answer]


async def _settle(own: Backlog, claimed: Sequence[Claimed]) -> None:
    posted = Posted(Document("100000", "100000"))
    limits = own.adapter.connector.limits
    settlements = [
        settlement_of(one.attempt, ItemState.SENDING, judge_outcome(posted, timedelta(), limits, one.attempt.attempt))
        for one in claimed
    ]
    async with transaction(own.stage.pool) as connection:
        await item_store.settle(connection, own.worker_id, settlements)


async def _judge(connection: OwnConnection, items: int, pending: Size) -> Bloat:
    await connection.execute("select pg_stat_clear_snapshot()")
    counts = await connection.fetchrow(_COUNTS)
    assert counts is not None
    synced = await _size(connection, "item")
    options = await connection.fetchval("select array_to_string(reloptions, ', ') from pg_class where relname = 'item'")
    await connection.execute(f"create table fresh (like item including all) with ({options})")
    await connection.execute("insert into fresh select * from item order by seq", timeout=900)
    fresh = await _size(connection, "fresh")
    return Bloat(items, pending, synced, fresh, counts["hot"] / counts["updated"], counts["dead"])


async def _size(connection: OwnConnection, table: str) -> Size:
    found = await connection.fetchrow("select pg_table_size($1::regclass), pg_indexes_size($1::regclass)", table)
    assert found is not None
    return Size(*found)


_COUNTS = """
select n_tup_hot_upd as hot, greatest(n_tup_upd, 1) as updated, n_dead_tup as dead
from pg_stat_user_tables where relname = 'item'
"""
