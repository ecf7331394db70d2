"""What a battery is, and how one is played: strike → settle → gather → judge → row of the table."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.arena import Arena, Needs
from tests.chaos.ground import Ground
from tests.chaos.oracle import Harm, Judgement, judge
from tests.chaos.variants import Variant
from tests.chaos.witness import gather

Strike = Callable[[Arena, int], Awaitable[None]]
"""Injects so many faults while work flows, and counts each with `arena.fault`. Workers may run on, faults may not."""

SETTLING_SECONDS = 60.0
CONTROL_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Control:
    """A broken variant that the battery must catch: `caught_by` has to be above zero.

    Its strike aims at the one situation in which the variant does harm; the worker as shipped must come through it.
    Its patience ends early, since what is broken may never come to an end. In the tests if `is_short`.
    """

    variant: Variant
    caught_by: Harm
    strike: Strike
    size: int
    patience: float = CONTROL_SECONDS
    is_short: bool = True

    @property
    def patience_for_harm(self) -> float:
        """What is done once more has to be done first, however slow the machine; and it comes to an end by itself."""
        return SETTLING_SECONDS if self.caught_by in {Harm.DOUBLED, Harm.DIFFERENT} else self.patience


@dataclass(frozen=True, slots=True)
class Battery:
    """`size` is the number of faults in full, `short` in the tests' short form. `patience` bounds the recovery (P9).

    `kinds`: how many different faults must have struck in full.
    """

    name: str
    title: str
    size: int
    short: int
    strike: Strike
    controls: Sequence[Control]
    needs: Needs = field(default_factory=Needs)
    patience: float = SETTLING_SECONDS
    kinds: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `caught_by` is None but for a control; `recovery` in seconds, None: it never came."""

    battery: str
    worker: str
    size: int
    kinds: int
    approved: int
    struck: Mapping[str, int]
    harm: Judgement
    recovery: float | None
    seconds: float
    caught_by: Harm | None = None

    @property
    def faults(self) -> int:
        return sum(self.struck.values())

    @property
    def is_as_it_should_be(self) -> bool:
        if self.caught_by is not None:
            return len(self.harm[self.caught_by]) > 0 and not self.harm[Harm.CRASHED]
        is_complete = self.faults >= self.size and len(self.struck) >= self.kinds
        return is_complete and self.recovery is not None and not any(self.harm.values())


@dataclass(frozen=True, slots=True)
class _Round:
    battery: str
    worker: str
    needs: Needs
    strike: Strike
    size: int
    patience: float
    kinds: int = 1
    variant: Variant | None = None
    caught_by: Harm | None = None


async def play(ground: Ground, battery: Battery, size: int, seed: int) -> Row:
    """The battery itself, on the worker as it is shipped."""
    kinds = battery.kinds if size >= battery.size else 1
    return await _play(
        ground,
        _Round(battery.name, "as shipped", battery.needs, battery.strike, size, battery.patience, kinds),
        seed,
    )


async def play_aimed(ground: Ground, battery: Battery, control: Control, seed: int) -> Row:
    """What the control does, on the worker as it is shipped: the harm must be the variant's, not the strike's."""
    return await _play(
        ground,
        _Round(battery.name, "as shipped, likewise", battery.needs, control.strike, control.size, battery.patience),
        seed,
    )


async def play_control(ground: Ground, battery: Battery, control: Control, seed: int) -> Row:
    return await _play(
        ground,
        _Round(
            battery=battery.name,
            worker=control.variant,
            needs=battery.needs,
            strike=control.strike,
            size=control.size,
            patience=control.patience_for_harm,
            variant=control.variant,
            caught_by=control.caught_by,
        ),
        seed,
    )


async def _play(ground: Ground, round_: _Round, seed: int) -> Row:
    start = time.monotonic()
    async with Arena.open(ground, round_.needs, seed, round_.variant) as arena:
        try:
            await round_.strike(arena, round_.size)
        except TimeoutError as error:
            error.add_note(ground.nursery.last_words())
            raise
        recovery = await _settle(arena, round_.patience)
        return Row(
            battery=round_.battery,
            worker=round_.worker,
            size=round_.size,
            kinds=round_.kinds,
            approved=len(arena.approved),
            struck=dict(arena.struck),
            harm=judge(await gather(arena)),
            recovery=recovery,
            seconds=time.monotonic() - start,
            caught_by=round_.caught_by,
        )


async def _settle(arena: Arena, patience: float) -> float | None:
    """One more worker, everything on, and time. Seconds from the last fault until all is final; None: it never was."""
    last_fault = arena.last_fault
    arena.worker()
    try:
        async with asyncio.timeout(patience):
            await arena.scene.all_read(patience)
            await arena.all_on()
            await arena.scene.until(arena.is_final, patience)
    except TimeoutError:
        return None
    return time.monotonic() - last_fault
