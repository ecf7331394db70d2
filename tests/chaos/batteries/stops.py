"""SIGSTOP of workers for longer than session and lease, then SIGCONT: none may send in a lane that it has lost."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from tests.chaos.arena import LEASE_SECONDS, SHORTEST_SESSION, Arena, House
from tests.chaos.battery import Battery, Control
from tests.chaos.nursery import ForkedWorker
from tests.chaos.oracle import Harm
from tests.chaos.points import Blow, Deed
from tests.chaos.traffic import Flow, traffic
from tests.chaos.variants import Variant
from tests.scene import PATIENCE

PLACES = 2
LONGER_THAN_BOTH = 1.6 * max(LEASE_SECONDS, SHORTEST_SESSION)
SECONDS_TO_THE_POINT = 4.0
SECONDS_AWAKE = 0.8
SECONDS_TO_SEND = 3.0
"""Awake, a worker that means to send does it at once; one that is broken so that it will is waited for."""
BEFORE_SENDING = "about_to_leave"
"""Between claim and send: the permit is asked after it."""
POINTS = (BEFORE_SENDING, "claim_committed", "lease_renewed", "outcome_known", "batch_stored", "outbox_published")
AT_RANDOM = "at_random"


async def strike(arena: Arena, size: int) -> None:
    """Two of three workers stand still every now and then, also at once; the third goes on."""
    steady = arena.worker()
    left = iter(range(size))
    async with traffic(arena, Flow(toggle_every=0.5)):
        await asyncio.gather(*(_keep_stopping(arena, left) for _ in range(PLACES)))
    await steady.leave()


async def _keep_stopping(arena: Arena, left: Iterator[int]) -> None:
    for _ in left:
        worker = arena.worker(blow=_blow(arena))
        name = await _stop(arena, worker)
        await asyncio.sleep(arena.random.uniform(1.0, 1.6) * LONGER_THAN_BOTH)
        worker.wake()
        arena.fault(name)
        await asyncio.sleep(SECONDS_AWAKE)
        await (worker.kill() if arena.random.random() < 0.5 else worker.leave())


def _blow(arena: Arena) -> Blow | None:
    """A quarter before sending, half at the other points, a quarter at a random moment."""
    kind = arena.random.randrange(4)
    if kind == 0:
        return None
    point = BEFORE_SENDING if kind == 1 else arena.random.choice(POINTS)
    return Blow(point, Deed.STOP, arena.random.randint(1, 3))


async def _stop(arena: Arena, worker: ForkedWorker) -> str:
    """Where it stands still: at its point, or wherever it is after a while."""
    blow = worker.order.blow
    try:
        await asyncio.wait_for(
            worker.struck.wait(), SECONDS_TO_THE_POINT if blow else arena.random.uniform(0.2, SECONDS_TO_THE_POINT)
        )
    except TimeoutError:
        worker.pause()
    return blow.point if blow and worker.struck.is_set() else AT_RANDOM


async def _wake_when_it_is_off(arena: Arena, size: int) -> None:
    """For the control: stopped before sending; off, by another worker; awake again."""
    for house in arena.random.sample(list(arena.houses), size):
        sleeper, _ = await arena.asleep(house, BEFORE_SENDING)
        other = arena.worker()
        await arena.toggle(house, False)
        await arena.is_off(house)
        await _wake_and_watch(arena, house, sleeper)
        await asyncio.gather(sleeper.kill(), other.kill())
        await arena.all_on()


async def _wake_when_it_was_sent_again(arena: Arena, size: int) -> None:
    """For the control: stopped before sending; looked up twice and sent again by another worker; awake again."""
    for house in [one for one in arena.houses if one.erp == "xledger"][:size]:
        sleeper, approved = await arena.asleep(house, BEFORE_SENDING)
        other = arena.worker()
        await arena.scene.all_synced(approved.reimbursement_id, organization_id=house.organization_id)
        await _wake_and_watch(arena, house, sleeper)
        await asyncio.gather(sleeper.kill(), other.kill())


async def _wake_and_watch(arena: Arena, house: House, sleeper: ForkedWorker) -> None:
    erp = arena.ground.erps[house.erp]
    before = len(await erp.ledger())
    sleeper.wake()
    with suppress(TimeoutError):
        await erp.wait_ledger(before + 1, timeout=PATIENCE if arena.variant else SECONDS_TO_SEND)
    arena.fault(BEFORE_SENDING)


BATTERY = Battery(
    name="stops",
    title="workers stand still for longer than session and lease, and wake up",
    size=40,
    short=3,
    strike=strike,
    kinds=4,
    controls=(
        Control(Variant.SENDS_FOR_EVER, Harm.LATE, _wake_when_it_is_off, size=1),
        Control(Variant.SENDS_FOR_EVER, Harm.DOUBLED, _wake_when_it_was_sent_again, size=1, is_short=False),
    ),
)
