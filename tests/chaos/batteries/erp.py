"""Both ERPs, and the roads to them, fail in 22 ways while approvals flow; then every item becomes final by itself."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.sandboxes.ledger import documents_per_reference
from tests.chaos.arena import Arena, Needs
from tests.chaos.bad_addresses import as_listed, bad_addresses
from tests.chaos.battery import Battery, Control
from tests.chaos.erp_faults import ADD, LOOK, READ_TIMEOUT_SECONDS, Fault, Kind, faults
from tests.chaos.ground import LONGEST_REQUEST_LIFE
from tests.chaos.oracle import Harm
from tests.chaos.siege import Siege, dispute
from tests.chaos.variants import Variant

HOUSES_EACH = 4
WORKERS = 2
ERPS: Sequence[Erp] = ("xledger", "business_central")
SUSPENDING = frozenset({Kind.UNAUTHORIZED})
"""They cost a house ten seconds, so they come first."""
UNTIL_DOUBLED = 2.6
LAG = FaultRule(action=Action.LAG, seconds=0.9 * LONGEST_REQUEST_LIFE)
LATEST = FaultRule(action=Action.LATE_APPLY, kind=ADD, times=1, seconds=0.95 * LONGEST_REQUEST_LIFE)
RESET_AFTER = FaultRule(action=Action.CUT_AFTER, kind=ADD, times=1)


async def strike(arena: Arena, size: int) -> None:
    async with bad_addresses() as addresses:
        _allow(arena, addresses)
        for _ in range(WORKERS):
            arena.worker()
        plan = _plan(arena, size)
        sieges = [Siege(arena, erp, addresses, deque(one for one in plan if one.erp == erp)) for erp in ERPS]
        await asyncio.gather(*(siege.run() for siege in sieges))


def _allow(arena: Arena, addresses: Mapping[Kind, str]) -> None:
    settings = arena.scene.settings
    hosts = settings.erp_allowed_hosts | {as_listed(address) for address in addresses.values()}
    arena.scene = replace(arena.scene, settings=settings.model_copy(update={"erp_allowed_hosts": hosts}))


def _plan(arena: Arena, size: int) -> list[Fault]:
    """Every kind at every ERP before any comes again."""
    plan: list[Fault] = []
    while len(plan) < size:
        turn = [fault for erp in ERPS for fault in faults(erp, arena.random)]
        arena.random.shuffle(turn)
        plan += turn
    return sorted(plan[:size], key=lambda fault: fault.kind not in SUSPENDING)


async def _one_by_one(arena: Arena, size: int, *rules: FaultRule) -> None:
    """For controls at the ERP that takes a reference twice; the first rule is the fault."""
    arena.worker()
    xledger = arena.ground.erps["xledger"]
    for house in [one for one in arena.houses if one.erp == "xledger"][:size]:
        before = (await xledger.requests()).get(ADD, 0)
        await xledger.set_faults(*rules)
        (one,) = await arena.approve(house)
        await xledger.wait_requests(ADD, before + 1)
        await _wait_for_the_double(xledger, one.reference)
        arena.fault(rules[0].action)


async def _wait_for_the_double(erp: SandboxProcess, reference: str) -> None:
    """The ERP may make it long after the worker believes that all is well."""
    with suppress(TimeoutError):
        async with asyncio.timeout(UNTIL_DOUBLED):
            lines = await erp.ledger()
            while documents_per_reference(lines)[reference] < 2:
                lines = await erp.wait_ledger(len(lines) + 1)


async def _late(arena: Arena, size: int) -> None:
    await _one_by_one(arena, size, LATEST)


async def _late_and_unseen(arena: Arena, size: int) -> None:
    await _one_by_one(arena, size, LATEST, LAG)


async def _reset_after(arena: Arena, size: int) -> None:
    await _one_by_one(arena, size, RESET_AFTER)


async def _reset_after_and_unseen(arena: Arena, size: int) -> None:
    await _one_by_one(arena, size, RESET_AFTER, LAG)


async def _wrong_amount(arena: Arena, size: int) -> None:
    arena.worker()
    await arena.ground.erps["xledger"].set_faults(FaultRule(action=Action.WRONG_AMOUNT, kind=LOOK))
    for house in [one for one in arena.houses if one.erp == "xledger"][:size]:
        await dispute(arena, house)
        arena.fault(Kind.WRONG_AMOUNT)


BATTERY = Battery(
    name="erp",
    title="both ERPs and the roads to them fail in 22 ways",
    size=252,
    short=14,
    strike=strike,
    controls=(
        Control(Variant.NO_QUARANTINE, Harm.DOUBLED, _late, size=1),
        Control(Variant.LOOKS_NOTHING_UP, Harm.DOUBLED, _reset_after, size=1, is_short=False),
        Control(Variant.LOOKS_UP_ONCE, Harm.DOUBLED, _late_and_unseen, size=1, is_short=False),
        Control(Variant.UNKNOWN_AS_NOT_SENT, Harm.DOUBLED, _reset_after_and_unseen, size=1),
        Control(Variant.COMPARES_NOTHING, Harm.UNRESOLVED, _wrong_amount, size=1),
    ),
    kinds=len(Kind),
    needs=Needs(HOUSES_EACH, HOUSES_EACH, connector={"read_timeout_seconds": READ_TIMEOUT_SECONDS}),
)
