"""Fifty organisations are switched off and on without pause, while approvals pour in and workers die."""

import asyncio
from contextlib import suppress

from tests.chaos.arena import Arena, House, Needs
from tests.chaos.battery import Battery, Control
from tests.chaos.nursery import ForkedWorker
from tests.chaos.oracle import Harm
from tests.chaos.switchboard import Switchboard
from tests.chaos.variants import Variant

APPROVALS_A_TOGGLE = 25
TOGGLES_A_KILL = 40
SECONDS_A_TOGGLE = 0.1
LONGEST_PAUSE = 1.0
WORKERS = 2
AT_ONCE = 50
MOST_OPEN = 10_000
LOOK_SECONDS = 0.5
LATENESS_SECONDS = 2.0
DRAINING_SECONDS = 240.0
KILL = "kill_9"
LEASE_SECONDS = 4.0
"""Longer than elsewhere: two workers with fifty lanes on two cores would lose shorter ones to their own load."""


async def strike(arena: Arena, size: int) -> None:
    """So many toggles, spread over the approvals. Then everything is switched on and drained."""
    await _unhurry_xledger(arena)
    workers = [arena.worker() for _ in range(WORKERS)]
    board = Switchboard(arena)
    async with asyncio.TaskGroup() as group:
        group.create_task(_approve(arena, size * APPROVALS_A_TOGGLE))
        group.create_task(_toggle(board, workers, size))
    await arena.scene.all_read()
    await arena.all_on()
    await _drain(arena)
    arena.noticed += await board.audit()


async def _unhurry_xledger(arena: Arena) -> None:
    """The sandbox reads all its books for every look-up: fewer and larger ones are faster."""
    for house in [one for one in arena.houses if one.erp == "xledger"]:
        await arena.configure(house, check_after_seconds=1.5)


async def _approve(arena: Arena, number: int) -> None:
    """As fast as they are posted, but not faster than a backlog of `MOST_OPEN`."""
    while len(arena.approved) < number:
        new = [
            arena.draft(arena.random.choice(arena.houses)) for _ in range(min(AT_ONCE, number - len(arena.approved)))
        ]
        await arena.publish(new)
        if len(arena.approved) % MOST_OPEN < AT_ONCE:
            await _wait_until_open(arena, MOST_OPEN)


async def _wait_until_open(arena: Arena, most: int) -> None:
    while await arena.count_open() > most:  # noqa: ASYNC110  # asked at every change, the answer would cost the most
        await asyncio.sleep(LOOK_SECONDS)


async def _toggle(board: Switchboard, workers: list[ForkedWorker], size: int) -> None:
    """One for every so many approvals that are final, or after a while, where nothing becomes final because of them."""
    for done in range(1, size + 1):
        await board.toggle_any()
        if done % TOGGLES_A_KILL == 0:
            await _kill_one(board.arena, workers)
        await _until_final(board.arena, done * APPROVALS_A_TOGGLE)


async def _until_final(arena: Arena, number: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_PAUSE):
            while len(arena.approved) - await arena.count_open() < number:  # noqa: ASYNC110  # as above
                await asyncio.sleep(SECONDS_A_TOGGLE)


async def _kill_one(arena: Arena, workers: list[ForkedWorker]) -> None:
    await workers.pop(arena.random.randrange(len(workers))).kill()
    workers.append(arena.worker())
    arena.fault(KILL)


async def _drain(arena: Arena) -> None:
    with suppress(TimeoutError):  # the oracle says what is left
        async with asyncio.timeout(DRAINING_SECONDS):
            await _wait_until_open(arena, 0)


async def _off_while_held(arena: Arena, size: int) -> None:
    """For a control: the lane is idle, but held still, when its connector is switched off."""
    arena.worker()
    for house in arena.houses[:size]:
        (one,) = await arena.approve(house)
        await arena.scene.all_synced(one.reimbursement_id, organization_id=house.organization_id)
        await arena.scene.switch(False, house.organization_id, house.erp)
        await arena.is_off(house)
        await arena.approve(house)
        await _give_it_time(arena, house)
        arena.fault("off_while_held")


async def _off_amid_posting(arena: Arena, size: int) -> None:
    """For a control: Business Central takes two requests for a document; off is wished during the first."""
    arena.worker()
    erp = arena.ground.erps["business_central"]
    for house in [one for one in arena.houses if one.erp == "business_central"][:size]:
        await erp.hold(["create_invoice"])
        await arena.approve(house)
        await erp.wait_held(1)
        await arena.toggle(house, False)
        with suppress(TimeoutError):
            async with asyncio.timeout(LATENESS_SECONDS):
                await arena.is_off(house)
        await erp.release()
        await _give_it_time(arena, house)
        arena.fault("off_amid_posting")


async def _give_it_time(arena: Arena, house: House) -> None:
    """For two more requests that carry a reimbursement."""
    erp = arena.ground.erps[house.erp]
    before = len(await erp.ledger())
    with suppress(TimeoutError):
        await erp.wait_ledger(before + 2, timeout=LATENESS_SECONDS)


BATTERY = Battery(
    name="toggles",
    title="2,000 toggles of 50 organisations under 50,000 approvals and 50 kills -9",
    size=2000,
    short=40,
    strike=strike,
    controls=(
        Control(Variant.CLAIMS_WHILE_OFF, Harm.LATE, _off_while_held, size=1),
        Control(Variant.OFF_AT_ONCE, Harm.LATE, _off_amid_posting, size=1, is_short=False),
    ),
    kinds=5,
    needs=Needs(xledger=40, business_central=10, settings={"lease_seconds": LEASE_SECONDS}),
)
