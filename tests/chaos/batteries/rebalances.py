"""Workers join and leave in quick succession, in order or by kill -9, so that the consumer group is never at rest."""

import asyncio

from tests.chaos.arena import Arena
from tests.chaos.battery import Battery, Control
from tests.chaos.nursery import ForkedWorker
from tests.chaos.oracle import Harm
from tests.chaos.points import Blow, Deed
from tests.chaos.traffic import Flow, traffic
from tests.chaos.variants import Variant

FEWEST = 1
MOST = 5
LONGEST_PAUSE = 2.0
SHARE_OF_KILLS = 0.4


async def strike(arena: Arena, size: int) -> None:
    """Between one and five workers, over four partitions of each topic: some get none."""
    workers = [arena.worker() for _ in range(2)]
    leaving: list[asyncio.Task[None]] = []
    async with traffic(arena, Flow(approvals=30)):
        for _ in range(size):
            await asyncio.sleep(arena.random.uniform(0.0, LONGEST_PAUSE))
            if _joins(arena, len(workers)):
                workers.append(arena.worker())
                arena.fault("join")
            else:
                worker = workers.pop(arena.random.randrange(len(workers)))
                leaving.append(asyncio.create_task(_end(arena, worker)))
    await asyncio.gather(*leaving)


def _joins(arena: Arena, number: int) -> bool:
    return number <= FEWEST or (number < MOST and arena.random.random() < 0.5)


async def _end(arena: Arena, worker: ForkedWorker) -> None:
    if arena.random.random() < SHARE_OF_KILLS:
        arena.fault("kill")
        await worker.kill()
        return
    arena.fault("leave")
    if not await worker.leave():
        arena.noticed.append(f"A worker did not leave in order. It said last: {worker.last_words()}")


async def _between_store_and_commit(arena: Arena, size: int) -> None:
    """For the control: what is stored is read again by the next member of the group."""
    for _ in range(size):
        worker = arena.worker(blow=Blow("batch_stored", Deed.KILL))
        await arena.approve(arena.random.choice(arena.houses), 3)
        await worker.ended.wait()
        arena.fault("batch_stored")


BATTERY = Battery(
    name="rebalances",
    title="workers join and leave the consumer group, in order and by kill -9",
    size=100,
    short=8,
    strike=strike,
    controls=(Control(Variant.COUNTS_AGAIN, Harm.DIFFERENT, _between_store_and_commit, size=1),),
    kinds=3,
)
