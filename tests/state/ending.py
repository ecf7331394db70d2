"""After the last fault: everything on, one worker, and time. All becomes final, or waits for a person (P9)."""

from tests.state import asking, passing, people, posting
from tests.state.books import Status
from tests.state.model import House
from tests.state.people import Person
from tests.state.posting import Answer
from tests.state.promises import sure
from tests.state.workers import Hand
from tests.state.world import World
from worker.domain.release import ReleasePolicy
from worker.domain.states import ItemState as S

MOST_ROUNDS = 8
PLENTY = 100


async def come_to_an_end(world: World) -> None:
    for hand in list(world.hands):
        await posting.crash(world, hand)
    for house in world.houses.values():
        await _recover(world, house)
    await world.verify_logs()
    world.states = dict.fromkeys(world.states)


async def _recover(world: World, house: House) -> None:
    if house.is_leased:
        await passing.end_lease(world, house)
    if not house.is_open:
        await people.switch(world, house, Person.GLOBAL_ADMIN, enabled=True)
    if house.policy is ReleasePolicy.NEXT_SYNC:
        await people.run_by_hand(world, house, Person.OWN_ADMIN)
    for _ in range(MOST_ROUNDS):
        if not _open(house):
            break
        await _go_round(world, world.hands[0], house)
    sure("P9", not _open(house), f"{_open(house)} of {house.kind} never come to an end")
    await people.finish_run(world, house)
    await people.switch(world, house, Person.OWN_ADMIN, enabled=False)


def _open(house: House) -> list[str]:
    open_ = house.in_order(S.PENDING, S.SENDING, S.CONFIRMING, S.UNKNOWN)
    return [f"{one.name} ({one.state})" for one in open_ if not one.for_person]


async def _go_round(world: World, hand: Hand, house: House) -> None:
    for item in house.quarantined():
        await passing.end_quarantine(world, house, item, [])
    for item in house.waiting():
        await passing.make_due(world, house, item)
    for item in house.in_order(S.CONFIRMING):
        await passing.age_import(world, house, item)
    for entry in world.books[house.kind].having(Status.STAGED):
        entry.status = Status.FINAL
    await posting.take_and_claim(world, hand, house, PLENTY)
    for flight in list(hand.flights):
        await posting.settle(world, hand, house, flight, Answer.SERVED, is_told_twice=False)
    if house.questions() and house.organization_id in hand.keeper.held:
        await asking.ask(world, hand, house)
        for look in list(hand.looks):
            await asking.finish(world, hand, look)
