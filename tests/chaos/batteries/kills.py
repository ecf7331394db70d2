"""kill -9 of workers: at random moments and at every named point of the code, while work flows."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import cycle, islice

from tests.chaos.arena import Arena
from tests.chaos.battery import Battery, Control
from tests.chaos.nursery import ForkedWorker
from tests.chaos.oracle import Harm
from tests.chaos.points import POINTS, Blow, Deed
from tests.chaos.traffic import traffic
from tests.chaos.variants import Variant
from tests.scene import ALL_ROLES, PATIENCE
from worker.settings import WorkerRole

POSTING = frozenset({WorkerRole.DISPATCH})
READING = frozenset({WorkerRole.INTAKE, WorkerRole.OUTBOX, WorkerRole.SCHEDULE})
AT_RANDOM = "at_random"
SHARE_OF_POINTS = 0.7
LONGEST_PASSAGE = 2
SECONDS_TO_THE_POINT = 5.0
"""Lanes come once the dead one's lease is over, partitions once its session is."""
LONGEST_LIFE = 1.5
"""Of a worker that is killed at a random moment."""


async def strike(arena: Arena, size: int) -> None:
    """Four places where a worker runs, dies and is started again: one reads, two post, one has all roles."""
    blows = _plan(arena, round(size * SHARE_OF_POINTS))
    reading = [blow for blow in blows if POINTS[blow.point].is_intake]
    posting = [blow for blow in blows if not POINTS[blow.point].is_intake]
    async with traffic(arena):
        await asyncio.gather(
            _keep_killing(arena, READING, reading),
            _keep_killing(arena, POSTING, posting[::2]),
            _keep_killing(arena, POSTING, posting[1::2]),
            _keep_killing(arena, ALL_ROLES, [None] * (size - len(blows))),
        )


def _plan(arena: Arena, size: int) -> list[Blow]:
    """Every point about equally often."""
    names = islice(cycle(arena.random.sample(sorted(POINTS), len(POINTS))), size)
    return [Blow(name, Deed.KILL, arena.random.randint(1, LONGEST_PASSAGE)) for name in names]


async def _keep_killing(arena: Arena, roles: frozenset[WorkerRole], blows: Sequence[Blow | None]) -> None:
    """None: at a random moment."""
    for blow in blows:
        worker = arena.worker(roles, blow)
        name = await _end(arena, worker, blow)
        if not worker.has_crashed:
            arena.fault(name)


async def _end(arena: Arena, worker: ForkedWorker, blow: Blow | None) -> str:
    """Where it died: at its point, or at a random moment where it did not come there in time."""
    patience = SECONDS_TO_THE_POINT if blow else arena.random.uniform(0.1, LONGEST_LIFE)
    try:
        await asyncio.wait_for(worker.ended.wait(), patience)
    except TimeoutError:
        await worker.kill()
    return blow.point if blow and worker.struck.is_set() else AT_RANDOM


async def _kill_each_at(arena: Arena, size: int, point: str) -> None:
    """For controls: one approval, one worker that dies over it at the point, again and again."""
    for _ in range(size):
        worker = arena.worker(blow=Blow(point, Deed.KILL))
        await arena.approve(next(house for house in arena.houses if house.erp == "xledger"))
        async with asyncio.timeout(PATIENCE):
            await worker.ended.wait()
        arena.fault(point)


_before_storing = partial(_kill_each_at, point="batch_fetched")
_before_settling = partial(_kill_each_at, point="answer_arrived")


async def _off_amid_posting(arena: Arena, size: int) -> None:
    """Business Central takes two requests for a document; off is asked for while the first is under way."""
    arena.worker()
    erp = arena.ground.erps["business_central"]
    for house in [one for one in arena.houses if one.erp == "business_central"][:size]:
        await erp.hold(["create_invoice"])
        await arena.approve(house)
        await erp.wait_held(1)
        await arena.toggle(house, False)
        await arena.is_off(house)
        before = len(await erp.ledger())
        await erp.release()
        with suppress(TimeoutError):
            await erp.wait_ledger(before + 2, timeout=5)
        arena.fault("off_amid_posting")


BATTERY = Battery(
    name="kills",
    title="kill -9 of workers, at random moments and at named points",
    size=500,
    short=6,
    kinds=16,
    strike=strike,
    controls=(
        Control(Variant.COMMITS_BEFORE_STORING, Harm.LOST, _before_storing, size=1, patience=4),
        Control(Variant.RESENDS_BLINDLY, Harm.DOUBLED, _before_settling, size=1),
        Control(Variant.ABANDONS_NOTHING, Harm.UNRESOLVED, _before_settling, size=1),
        Control(Variant.OFF_AT_ONCE, Harm.LATE, _off_amid_posting, size=1),
    ),
)
