"""What upstream services and people do: approve, switch, ask for runs, configure, decide."""

from enum import StrEnum
from itertools import count

from tests.events import Message, approval
from tests.integration.worker.rows import CHANNELS, Record
from tests.scene import ADMIN
from tests.state.model import House, Item, Vendor
from tests.state.promises import sure
from tests.state.world import World, configure
from worker import decisions, runs
from worker.batch import store_batch
from worker.decisions import Decided
from worker.domain.switching import Actor, Role, Toggle, Verdict
from worker.runs import WORKER, RunRefused
from worker.store.database import transaction
from worker.suspension import ANSWERS_AGAIN
from worker.toggles import apply_toggle, finish_switching_off

_OFFSETS = count()


class Person(StrEnum):
    GLOBAL_ADMIN = "global admin"
    OWN_ADMIN = "own admin"
    STRANGER = "stranger"

    def actor(self, house: House) -> Actor:
        if self is Person.GLOBAL_ADMIN:
            return ADMIN
        own = house.organization_id if self is Person.OWN_ADMIN else "somebody-else"
        return Actor(f"user-of-{own}", Role.ORGANIZATION_ADMIN, frozenset({own}))


class Copy(StrEnum):
    """How an approval comes again."""

    SAME = "duplicates"
    CONFLICTING = "dead_letters"


async def approve(world: World, house: House, amounts: list[str]) -> None:
    """New approvals, in one batch."""
    names = [f"{house.kind[0].upper()}-{house.arrived + place}" for place in range(1, len(amounts) + 1)]
    for name, amount in zip(names, amounts, strict=True):
        house.approve(name, amount)
    await _take_in(world, "approvals", *(_message(house, house.items[name]) for name in names))


async def approve_again(world: World, house: House, item: Item, copy: Copy) -> None:
    amount = item.amount if copy is Copy.SAME else f"9{item.amount}"
    await _take_in(world, copy, _message(house, item, amount))


def _message(house: House, item: Item, amount: str | None = None) -> Message:
    return approval(item.name, house.organization_id, amount or item.amount)


async def _take_in(world: World, fate: str, *messages: Message) -> None:
    records = [Record("approved", 0, next(_OFFSETS), one.key, one.value, one.headers) for one in messages]
    (tally,) = (await store_batch(world.bench.pool, records, CHANNELS)).values()
    counted = {name: getattr(tally, name) for name in ("approvals", "duplicates", "dead_letters")}
    sure("P1", counted == dict.fromkeys(counted, 0) | {fate: len(records)}, f"{counted}, not {len(records)} {fate}")


async def switch(world: World, house: House, person: Person, *, enabled: bool) -> None:
    if person is Person.STRANGER:
        expected = Verdict.REFUSED
    else:
        is_so_already = house.enabled == enabled and not house.suspended
        expected = Verdict.UNCHANGED if is_so_already else Verdict.APPLIED
    toggle = Toggle(house.organization_id, house.kind, enabled, "a test", person.actor(house))
    async with transaction(world.bench.pool) as connection:
        toggled = await apply_toggle(connection, toggle, "http")
    if expected is Verdict.APPLIED:
        house.switch(enabled)
    sure("toggle", toggled.decision.verdict is expected, f"{toggled.decision.sentence}, not {expected}")
    sure("toggle", toggled.phase == house.phase, f"{house.kind} is said to be {toggled.phase}, not {house.phase}")


async def finish_off(world: World, house: House) -> None:
    async with transaction(world.bench.pool) as connection:
        is_off_now = await finish_switching_off(connection, house.organization_id, house.kind)
    sure("P3", is_off_now == house.finish_switching_off(), f"{house.kind} is called off: {is_off_now}")


async def run_by_hand(world: World, house: House, person: Person) -> None:
    async with transaction(world.bench.pool) as connection:
        run = await runs.request_run(connection, house.organization_id, person.actor(house), "http")
    is_refused = person is Person.STRANGER or not house.enabled
    sure("P3", isinstance(run, RunRefused) == is_refused, f"a run by a {person} while {house.phase}: {run}")
    if not is_refused:
        house.suspended = False
        house.start_run()


async def finish_run(world: World, house: House) -> None:
    async with transaction(world.bench.pool) as connection:
        run = await runs.finish_if_done(connection, house.organization_id)
    sure("model", (run is not None) == house.is_run_done(), f"the run of {house.kind} is finished: {run}")
    if run is not None:
        house.run_mark = None


async def resume(world: World, house: House) -> None:
    """As a probe does it that was answered."""
    async with transaction(world.bench.pool) as connection:
        await runs.resume(connection, house.organization_id, WORKER, "worker", ANSWERS_AGAIN)
    house.suspended = False


async def reconfigure(world: World, house: House, vendor: Vendor) -> None:
    """The claimant is another vendor from now on, or only the version is another."""
    house.configure(vendor)
    await configure(world.bench, house)


async def decide(world: World, house: House, item: Item, person: Person, *, retries: bool) -> None:
    """A person sends an item round again, or says that it was handled elsewhere."""
    may = person is not Person.STRANGER
    expected = (house.retry(item) if retries else house.hand_over(item)) if may else None
    choice = decisions.retry if retries else decisions.hand_over
    async with transaction(world.bench.pool) as connection:
        decided = await choice(
            connection, house.organization_id, item.name, actor=person.actor(house), reason="a test", source="http"
        )
    state = decided.state if isinstance(decided, Decided) else None
    sure("P6", state == expected, f"a {person} brings {item.name} to {state}, not {expected}")
