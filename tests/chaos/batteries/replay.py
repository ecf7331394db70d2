"""Both topics are read again from the start, by the same group without its offsets and by new ones: nothing happens."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

from tests.chaos.arena import Arena, House
from tests.chaos.battery import Battery, Control
from tests.chaos.crew import Crew
from tests.chaos.groups import all_committed, delete_group, note_changes, standing
from tests.chaos.oracle import Harm
from tests.chaos.variants import Variant

APPROVALS_A_TIME = 250
APPROVALS_OF_A_CONTROL = 8
TOGGLES = 3
WORKERS = 2
FINISHING_SECONDS = 120.0
CALMING_SECONDS = 5.0
"""Where nothing happens, nothing is waited for."""


async def strike(arena: Arena, size: int) -> None:
    await _fill(arena, arena.houses, size * APPROVALS_A_TIME)
    await _read_again(arena, size)


async def _few(arena: Arena, size: int) -> None:
    """For the controls: at the ERP that takes a document twice."""
    await _fill(arena, [one for one in arena.houses if one.erp == "xledger"], APPROVALS_OF_A_CONTROL)
    await _read_again(arena, size)


async def _fill(arena: Arena, houses: Sequence[House], number: int) -> None:
    """Approvals and toggles, all of them done with. The last house is off at the end; the topic's last word is on."""
    async with Crew.of(arena, WORKERS) as crew:
        for house in houses:
            await arena.approve(house, max(1, number // len(houses)))
            for _ in range(TOGGLES):
                await arena.toggle(house, False)
                await arena.toggle(house, True)
        await arena.scene.all_read()
        await arena.scene.until(arena.is_final, FINISHING_SECONDS)
        last = houses[-1]
        await arena.scene.switch(False, last.organization_id, last.erp)
        await arena.is_off(last)
        await arena.scene.nothing_to_publish()
        await crew.leave()


async def _read_again(arena: Arena, size: int) -> None:
    own = arena.scene.settings.kafka_group_id
    for number, is_new in zip(range(size), cycle((False, True)), strict=False):
        before = await standing(arena)
        group = f"{own}-{number}" if is_new else own
        if not is_new:
            await delete_group(arena, own)
        async with Crew.of(arena, WORKERS, kafka_group_id=group) as crew:
            await all_committed(arena, group)
            with suppress(TimeoutError):
                await arena.scene.until(arena.is_final, CALMING_SECONDS)
            await crew.leave()
        arena.fault("new_group" if is_new else "offsets_deleted")
        note_changes(arena, before, await standing(arena))


BATTERY = Battery(
    name="replay",
    title="both topics are read again from the start, three times by the same group, three times by a new one",
    size=6,
    short=2,
    strike=strike,
    controls=(
        Control(Variant.FORGETS_ITEMS, Harm.DOUBLED, _few, size=1),
        Control(Variant.FORGETS_TOGGLES, Harm.DIFFERENT, _few, size=1),
    ),
    kinds=2,
)
