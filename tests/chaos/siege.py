"""One ERP under fire: wave after wave, a fault for every organisation that works, with approvals for it to strike."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from connectors.contract import Posted, Posting, PostingLine
from connectors.xledger.settings import SHORTEST_QUARANTINE
from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.chaos.arena import Arena, House
from tests.chaos.erp_faults import BY_ADDRESS, LONGEST_LAG, TOKEN, Fault, Kind, rules
from tests.chaos.ground import TIME_SCALE
from tests.chaos.oracle import FINAL, Approved
from worker.bootstrap import make_adapters
from worker.domain.states import DIFFERENT_DOCUMENT
from worker.store.database import acquire

APPROVALS_EACH = 3
WAVE_SECONDS = 3.0
LOOKS_A_SECOND = 20
LAG_LASTS = 6.0
MOST_TRIES = 8
PATIENCE = 60.0
LONGEST_SUSPENSION = 180.0


@dataclass(frozen=True, slots=True)
class Armed:
    """A rule at the sandbox: for which house, and as what its strikes count."""

    house: House
    kind: Kind
    rule: FaultRule


@dataclass
class Siege:
    """The ERP's last house is for what ends in dispute: it has nothing else under way meanwhile."""

    arena: Arena
    erp: Erp
    addresses: Mapping[Kind, str]
    left: deque[Fault]
    _lags: list[tuple[float, FaultRule]] = field(default_factory=list)

    async def run(self) -> None:
        """What struck nothing comes again."""
        for _ in range(MOST_TRIES * len(self.left)):
            if not self.left:
                break
            wave = await self._next_wave()
            struck = await self._strike(wave)
            self.left.extend(fault for house, fault in wave.items() if not struck[house])
        assert not self.left, f"These struck nothing: {self.left}"
        await self._sandbox.set_faults()

    @property
    def _sandbox(self) -> SandboxProcess:
        return self.arena.ground.erps[self.erp]

    @property
    def _houses(self) -> list[House]:
        return [one for one in self.arena.houses if one.erp == self.erp]

    async def _next_wave(self) -> dict[House, Fault]:
        """All houses that a fault is left for may be suspended; each is probed the later the more it was refused."""
        async with asyncio.timeout(LONGEST_SUSPENSION):
            while not (wave := self._wave(await self._not_suspended())):  # noqa: ASYNC110  # probes give no signal
                await asyncio.sleep(1 / LOOKS_A_SECOND)
        return wave

    async def _not_suspended(self) -> list[House]:
        rows = await self.arena.scene.fetch("select organization_id from connector where suspended_at is not null")
        suspended = {row["organization_id"] for row in rows}
        return [one for one in self._houses if one.organization_id not in suspended]

    def _wave(self, houses: Sequence[House]) -> dict[House, Fault]:
        wave: dict[House, Fault] = {}
        for house in houses:
            is_disputed = house == self._houses[-1]
            fault = next((one for one in self.left if one.is_for_a_person == is_disputed), None)
            if fault is not None:
                self.left.remove(fault)
                wave[house] = fault
        return wave

    async def _strike(self, wave: Mapping[House, Fault]) -> Counter[House]:
        """How often each fault struck."""
        armed = [one for house, fault in wave.items() for one in self._arm(house, fault)]
        await self._sandbox.set_faults(*(one.rule for one in armed), *self._lags_now())
        if any(fault.request == TOKEN for fault in wave.values()):
            await self._sandbox.change_settings(withdraw_tokens=True)
        played = await asyncio.gather(*(self._play(house, fault) for house, fault in wave.items()))
        await self._have_struck(len(armed))
        struck = Counter[House](dict(zip(wave, played, strict=True)))
        for house, number in struck.items():
            self._count(wave[house].kind, number)
        for one, number in zip(armed, await self._sandbox.struck(), strict=False):
            self._count(one.kind, number)
            struck[one.house] += number if one.kind is wave[one.house].kind else 0
        return struck

    def _arm(self, house: House, fault: Fault) -> list[Armed]:
        if fault.kind in BY_ADDRESS or fault.kind is Kind.DUPLICATE:
            return []
        own, *others = rules(fault, house.tenant, self.arena.random)
        self._lags += [(time.monotonic() + LAG_LASTS, rule) for rule in others if rule.action is Action.LAG]
        leading = [rule for rule in others if rule.action is not Action.LAG]
        kinds = [fault.kind if rule.action is own.action else Kind.RESET_BEFORE for rule in leading]
        return [
            Armed(house, fault.kind, own),
            *(Armed(house, kind, rule) for kind, rule in zip(kinds, leading, strict=True)),
        ]

    def _lags_now(self) -> list[FaultRule]:
        """They outlast their wave, since look-ups come a quarantine later."""
        self._lags = [(end, rule) for end, rule in self._lags if end > time.monotonic()]
        return [rule for _, rule in self._lags]

    def _count(self, kind: Kind, number: int) -> None:
        for _ in range(number):
            self.arena.fault(kind)

    async def _play(self, house: House, fault: Fault) -> int:
        """Work for the fault to strike. Answers how often something struck that is no rule of the sandbox."""
        if fault.kind in BY_ADDRESS:
            return await move_away(self.arena, house, self.addresses[fault.kind])
        if fault.kind is Kind.DUPLICATE:
            return await book_by_hand(self.arena, house)
        if fault.is_for_a_person:
            await dispute(self.arena, house)
        else:
            await self.arena.approve(house, APPROVALS_EACH)
        return 0

    async def _have_struck(self, number: int) -> None:
        """Each of the first so many rules; or a while has passed: a house that backs off may not come round in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAVE_SECONDS):
                while 0 in (await self._sandbox.struck())[:number]:  # noqa: ASYNC110  # another program's state
                    await asyncio.sleep(1 / LOOKS_A_SECOND)


async def move_away(arena: Arena, house: House, address: str) -> int:
    """Its connector is configured with an address where no ERP is, until that has failed a few times."""

    async def failures() -> int:
        return int(
            await arena.scene.value(
                "select count(*) from attempt_entry where organization_id = $1 and outcome = 'not_sent'",
                house.organization_id,
            )
        )

    async def has_failed() -> bool:
        return await failures() > before

    before = await failures()
    home = await _settings(arena, house)
    await _stand_at(arena, house, {**home, **_at(arena, house, address)})
    await arena.approve(house, APPROVALS_EACH)
    with suppress(TimeoutError):
        await arena.scene.until(has_failed, 2 * WAVE_SECONDS)
    await _stand_at(arena, house, home)
    return await failures() - before


async def _settings(arena: Arena, house: House) -> dict[str, object]:
    place = house.organization_id, house.erp
    settings: dict[str, object] = json.loads(
        await arena.scene.value("select settings from connector where (organization_id, kind) = ($1, $2)", *place)
    )
    return settings


async def _stand_at(arena: Arena, house: House, settings: Mapping[str, object]) -> None:
    """Past the service, which refuses another address while something may be at this one: it is the network that plays
    tricks here, and no person who moves to another ledger."""
    await arena.scene.fetch(
        "update connector set settings = $3::json, version = version + 1 where (organization_id, kind) = ($1, $2)",
        house.organization_id,
        house.erp,
        json.dumps(settings),
    )
    await arena.scene.fetch("select pg_notify('accounting_sync_lane', $1)", house.organization_id)


def _at(arena: Arena, house: House, address: str) -> dict[str, object]:
    if house.erp == "xledger":
        return {"base_url": f"{address}/graphql", "quarantine_seconds": SHORTEST_QUARANTINE}
    if arena.random.random() < 0.5:
        return {"base_url": f"{address}/v2.0"}
    return {"token_url": f"{address}/oauth2/v2.0/token"}


async def dispute(arena: Arena, house: House) -> None:
    """The sandbox states every amount wrongly meanwhile: one more than it is, and what is owed is below zero there."""
    step = Decimal(-1) if house.erp == "xledger" else Decimal(1)
    drafts = [arena.draft(house) for _ in range(APPROVALS_EACH)]
    await _settled(arena, [replace(one, disputed=one.total + step) for one in drafts])


async def book_by_hand(arena: Arena, house: House) -> int:
    """Somebody was faster, with the same amount or another one, and by now look-ups see it; ours is a duplicate."""
    one = arena.draft(house)
    if arena.random.random() < 0.5:
        one = replace(one, disputed=one.total + 1)
    if not await _book(arena, house, one):
        return 0
    await asyncio.sleep(LONGEST_LAG * TIME_SCALE)
    await _settled(arena, [one])
    return 1


async def _book(arena: Arena, house: House, one: Approved) -> bool:
    async with acquire(arena.scene.pool) as connection:
        adapter = await make_adapters(arena.scene.settings).make(connection, house.organization_id, house.erp)
    day, total = date(2026, 11, 20), one.disputed or one.total
    line = PostingLine("7140", total, "By hand", tax_code="0")
    posting = Posting(one.reference, "10023", "NOK", total, day, day, "By hand", "2930", [line])
    try:
        return isinstance(await adapter.connector.post(posting, _ByHand()), Posted)
    finally:
        await adapter.connector.close()


class _ByHand:
    """A person needs no lease."""

    def is_valid(self) -> bool:
        return True


async def _settled(arena: Arena, new: Sequence[Approved]) -> None:
    """Approved, and then either final or waiting for a person."""
    await arena.publish(new)
    names = [one.reimbursement_id for one in new]

    async def are_settled() -> bool:
        return bool(
            await arena.scene.value(
                "select count(*) from item where organization_id = $1 and reimbursement_id = any($2) "
                "and (state = any($3) or reason_code = $4)",
                new[0].organization_id,
                names,
                list(FINAL),
                DIFFERENT_DOCUMENT,
            )
            == len(new)
        )

    await arena.scene.until(are_settled, PATIENCE)
