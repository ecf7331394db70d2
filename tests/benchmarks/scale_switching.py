"""Switching on until the first request, and off until nothing is in flight, with few and with many pending items."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from statistics import median

from tests.benchmarks.ground import Ground
from tests.benchmarks.scale_rows import Crowd, indexes_made_afterwards, load_pending, settle_down
from tests.benchmarks.scale_stage import Door, Stage, introduce, stage, timed
from tests.benchmarks.worker_stage import switch
from worker.store.database import OwnConnection, acquire, connect, transaction

FEW = 100
BIG = Crowd(0, 1)
AT_WORK = 0.1
"""Seconds in which requests are on their way before it is switched off again."""
PATIENCE = 60.0


@dataclass(slots=True)
class Switchboard:
    """One organisation with many pending items, and some with few; all are off. `off`: milliseconds to quiesced."""

    stage: Stage
    few: Crowd
    off: dict[str, list[float]] = field(default_factory=dict)
    _turns: "count[int]" = field(default_factory=count)

    async def big(self, times: int) -> float:
        return median([await self._on_and_off("many", BIG.names[0]) for _ in range(times)])

    async def small(self, times: int) -> float:
        names = self.few.names
        return median([await self._on_and_off("few", names[next(self._turns) % len(names)]) for _ in range(times)])

    async def bytes_of_wal(self, times: int) -> float:
        """What switching the big organisation on writes to the log. No worker may run."""
        return median([await self._wal_of_enable(BIG.names[0]) for _ in range(times)])

    async def _on_and_off(self, label: str, organization_id: str) -> float:
        """Milliseconds from the wish to switch on to the first request at the ERP."""
        await self._until(_LANE_IS_FREE, organization_id)
        begin = time.monotonic()
        await self._switch(organization_id, enabled=True)
        seconds = await self.stage.door.first_after(begin)
        await asyncio.sleep(AT_WORK)
        took = await timed(partial(self._switch_off, organization_id))
        self.off.setdefault(label, []).append(took)
        return seconds * 1000

    async def _switch_off(self, organization_id: str) -> None:
        await self._switch(organization_id, enabled=False)
        await self._until(_IS_OFF, organization_id)

    async def _wal_of_enable(self, organization_id: str) -> float:
        async with acquire(self.stage.pool) as connection:
            before = await connection.fetchval(_WAL)
            await self._switch(organization_id, enabled=True)
            written: float = await connection.fetchval(_WAL) - before
        await self._switch(organization_id, enabled=False)
        return written

    async def _switch(self, organization_id: str, *, enabled: bool) -> None:
        async with transaction(self.stage.pool) as connection:
            await switch(connection, organization_id, enabled=enabled)

    async def _until(self, condition: str, organization_id: str) -> None:
        async with acquire(self.stage.pool) as connection, asyncio.timeout(PATIENCE):
            while not await connection.fetchval(condition, organization_id):  # noqa: ASYNC110  # another program's state
                await asyncio.sleep(0.001)


@dataclass(slots=True)
class HeldRows:
    """What people would do: waiting rows have a state of their own, and switching on updates them all."""

    stage: Stage
    rows: int
    wal: list[float] = field(default_factory=list)
    _turns: "count[int]" = field(default_factory=count)

    async def load(self, connection: OwnConnection, rounds: int) -> None:
        """One organisation's rows for each round."""
        await connection.execute(_HELD_TABLE)
        for number in range(rounds):
            await connection.execute(_HELD_ROWS, f"held-{number}", self.rows, BIG.names[0])
        await connection.execute("vacuum analyze held_item")

    async def enable(self) -> float:
        """Milliseconds until the oldest could be sent; the request itself is left out."""
        async with acquire(self.stage.pool) as connection:
            organization_id = f"held-{next(self._turns)}"
            before = await connection.fetchval(_WAL)
            begin = time.perf_counter()
            await connection.execute(_RELEASE, organization_id)
            await connection.fetch(_FIRST_RELEASED, organization_id)
            took = (time.perf_counter() - begin) * 1000
            self.wal.append(await connection.fetchval(_WAL) - before)
        return took


@asynccontextmanager
async def switchboard(ground: Ground, door: Door, items: int, held: int) -> AsyncIterator[tuple[Switchboard, HeldRows]]:
    small = Crowd(1, ground.size(30, 6))
    async with stage(ground, door) as own:
        for crowd in (BIG, small):
            await introduce(own, crowd)
        peer = HeldRows(own, held)
        connection = await connect(own.url)
        try:
            await connection.execute("set statement_timeout = 0")
            async with indexes_made_afterwards(connection, items):
                await load_pending(connection, BIG, 1, items)
                await load_pending(connection, small, items + 1, FEW * small.number)
            await peer.load(connection, ground.rounds)
            await settle_down(connection)
        finally:
            await connection.close()
        yield Switchboard(own, small), peer


_WAL = "select (pg_current_wal_insert_lsn() - '0/0')::bigint"
_LANE_IS_FREE = "select leased_by is null from lane where organization_id = $1"
_IS_OFF = "select quiesced_at is not null from connector where organization_id = $1"
_HELD_TABLE = """
create table held_item (
    organization_id text, reimbursement_id text, seq bigint not null, state text not null, content bytea not null,
    primary key (organization_id, reimbursement_id)
) with (fillfactor = 60);
create index held_item_pending on held_item (organization_id, seq) where state = 'pending';
"""
_HELD_ROWS = """
insert into held_item
select $1, reimbursement_id, seq, 'held', content from item where organization_id = $3 order by seq limit $2::integer
"""
_RELEASE = "update held_item set state = 'pending' where organization_id = $1 and state = 'held'"
_FIRST_RELEASED = "select content from held_item where organization_id = $1 and state = 'pending' order by seq limit 4"
