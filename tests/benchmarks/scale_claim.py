"""The claim, and the start of a worker, on few rows and on many.

Half of the organisations are off, and their backlog is the older half of all that is pending.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from statistics import median
from uuid import UUID, uuid4

from connectors.contract import Environment
from tests.benchmarks import plain_erp
from tests.benchmarks.ground import Ground
from tests.benchmarks.rounds import Measure
from tests.benchmarks.scale_rows import Crowd, indexes_made_afterwards, load_pending, settle_down
from tests.benchmarks.scale_stage import Door, Stage, introduce, stage, started_worker, switch_all, timed
from tests.benchmarks.worker_stage import shipped_settings
from tests.scene import KEY
from worker.adapters import Adapter, Adapters
from worker.claiming import Wish, claim_together
from worker.lanes import LaneKeeper
from worker.store.database import acquire, connect
from worker.vault import Vault

A_CLAIM = 4
"""Items: as many as one organisation has on the wire at once."""
LEASE = timedelta(hours=1)
WORKER, OLDEST_FIRST = "worker", "oldest first"


@dataclass(slots=True)
class Backlog:
    """A database with so many pending items. `times`: milliseconds of every claim, by who claimed."""

    items: int
    stage: Stage
    on: Crowd
    adapter: Adapter
    worker_id: UUID = field(default_factory=uuid4)
    wishes: list[Wish] = field(default_factory=list)
    times: dict[str, list[float]] = field(default_factory=dict)

    async def lease(self) -> None:
        lanes = await LaneKeeper(self.stage.pool, self.worker_id, LEASE, self.on.number).take(None)
        assert len(lanes) == self.on.number, f"Only {len(lanes)} lanes have something to do."
        self.wishes = [Wish(lane.organization_id, lane.fence, self.adapter, A_CLAIM) for lane in lanes]

    def by_lane(self, claims: int) -> Measure:
        """The worker's claim for one lane after the other. Answers the median of so many in milliseconds."""
        return partial(self._measure, WORKER, self._claim_for_a_lane, claims)

    def oldest_first(self, claims: int) -> Measure:
        """As written by hand: the oldest items of whoever is on."""
        return partial(self._measure, OLDEST_FIRST, self._claim_oldest, claims)

    async def restart(self, ground: Ground) -> float:
        """Milliseconds from the start of a worker's process to its first request."""
        settings = await shipped_settings(ground, self.stage.url, self.stage.door)
        begin = time.monotonic()
        async with started_worker(ground, settings):
            seconds = await self.stage.door.first_after(begin)
        return seconds * 1000

    async def undo(self) -> None:
        """What was claimed is pending again, as after a connection that was refused, and all lanes are free."""
        async with acquire(self.stage.pool) as connection:
            await connection.execute(_NOT_SENT)
            await connection.execute(_FREE)

    async def _measure(self, claimer: str, claim: Callable[[int], Awaitable[int]], claims: int) -> float:
        times = [await timed(partial(_all_of, claim, number)) for number in range(claims)]
        self.times.setdefault(claimer, []).extend(times)
        return median(times)

    async def _claim_for_a_lane(self, number: int) -> int:
        wish = self.wishes[number % len(self.wishes)]
        answers = await claim_together(self.stage.pool, self.worker_id, [wish])
        answer = answers[wish.organization_id]
        assert isinstance(answer, list), answer
        return len(answer)

    async def _claim_oldest(self, _: int) -> int:
        async with acquire(self.stage.pool) as connection:
            return len(await connection.fetch(_OLDEST_FIRST, A_CLAIM, self.worker_id))


@asynccontextmanager
async def backlog(ground: Ground, door: Door, *, on: int, off: int) -> AsyncIterator[Backlog]:
    """So many items of organisations that are on, and before them `off` items of others that are off."""
    half = ground.size(100, 20)
    crowds = Crowd(0, half), Crowd(half, half)
    async with stage(ground, door) as own:
        begin = time.monotonic()
        for crowd in crowds:
            await introduce(own, crowd)
        await _load(own, *crowds, on, off)
        await switch_all(own, crowds[0], enabled=True)
        ground.tell(f"  {on + off:,} items loaded in {time.monotonic() - begin:.0f} s")
        adapter = await _adapter(own, crowds[0])
        try:
            yield Backlog(on + off, own, crowds[0], adapter)
        finally:
            await adapter.connector.close()


async def _load(own: Stage, busy: Crowd, idle: Crowd, on: int, off: int) -> None:
    connection = await connect(own.url)
    try:
        await connection.execute("set statement_timeout = 0")
        await connection.execute(_INDEX_OF_OLDEST_FIRST)
        async with indexes_made_afterwards(connection, on + off):
            await load_pending(connection, idle, 1, off)
            await load_pending(connection, busy, off + 1, on)
        await settle_down(connection)
    finally:
        await connection.close()


async def _adapter(own: Stage, crowd: Crowd) -> Adapter:
    """All organisations are configured alike, so one serves them all: nothing is sent with it."""
    adapters = Adapters({plain_erp.KIND: plain_erp.factory}, Vault(KEY), Environment())
    async with acquire(own.pool) as connection:
        return await adapters.make(connection, crowd.names[0], plain_erp.KIND)


async def _all_of(claim: Callable[[int], Awaitable[int]], number: int) -> None:
    found = await claim(number)
    assert found == A_CLAIM, f"Claimed {found} instead of {A_CLAIM}."


_INDEX_OF_OLDEST_FIRST = "create index peer_oldest_first on item (seq) where state = 'pending'"
_OLDEST_FIRST = """
with oldest as (
    select i.organization_id, i.reimbursement_id
    from item i
    join connector c using (organization_id)
    where i.state = 'pending' and i.due_at <= clock_timestamp() and c.enabled and c.suspended_at is null
    order by i.seq
    limit $1
    for update of i skip locked
)
update item i
set state = 'sending', attempt = i.attempt + 1, connector = 'plain', reference = 'R' || i.seq,
    changed_at = clock_timestamp(), claimed_at = clock_timestamp(), claimed_by = $2, fence = 0
from oldest o
where i.organization_id = o.organization_id and i.reimbursement_id = o.reimbursement_id
returning i.content
"""
_NOT_SENT = "update item set state = 'pending', fence = null, claimed_by = null where state = 'sending'"
_FREE = "update lane set leased_by = null, leased_until = 'epoch'"
