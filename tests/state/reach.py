"""What a step can be done to: by a name for the trace, the step's arguments."""

from collections.abc import Callable, Mapping

from tests.state.books import Books, Entry, Request, Status
from tests.state.model import House, Item
from tests.state.workers import Flight, Hand, Look
from tests.state.world import World
from worker.domain.states import ItemState as S

Reach = Callable[[World], Mapping[str, tuple[object, ...]]]

ENOUGH = 2


def houses(world: World) -> dict[str, tuple[House]]:
    return {house.kind: (house,) for house in world.houses.values()}


def houses_with_room(world: World) -> dict[str, tuple[House]]:
    return {name: found for name, found in houses(world).items() if len(found[0].in_order(S.PENDING)) < ENOUGH}


def leased_houses(world: World) -> dict[str, tuple[House]]:
    return {name: found for name, found in houses(world).items() if found[0].is_leased}


def hands(world: World) -> dict[str, tuple[Hand]]:
    return {f"worker {hand.number}": (hand,) for hand in world.hands}


def hands_and_houses(world: World) -> dict[str, tuple[Hand, House]]:
    return {f"worker {hand.number}, {house.kind}": (hand, house) for hand in world.hands for house in _houses(world)}


def lanes(world: World) -> dict[str, tuple[Hand, House]]:
    """Whose each worker takes itself to hold."""
    found = hands_and_houses(world).items()
    return {name: (hand, house) for name, (hand, house) in found if house.organization_id in hand.keeper.held}


def askable(world: World) -> dict[str, tuple[Hand, House]]:
    """Lanes with something to ask the ERP, whether that may be asked now or not."""
    return {name: found for name, found in lanes(world).items() if found[1].questions()}


def others(world: World) -> dict[str, tuple[Hand, House]]:
    """Leased lanes, each with a worker that is not its holder."""
    found = hands_and_houses(world).items()
    return {name: pair for name, pair in found if pair[1].is_leased and pair[1].holder != pair[0].worker_id}


def items(world: World) -> dict[str, tuple[House, Item]]:
    return _named(world, lambda house: house.in_order(*S))


def troubled(world: World) -> dict[str, tuple[House, Item]]:
    return _named(world, lambda house: house.in_order(S.REJECTED, S.UNKNOWN))


def staged_items(world: World) -> dict[str, tuple[House, Item]]:
    return _named(world, lambda house: house.in_order(S.CONFIRMING))


def waiting(world: World) -> dict[str, tuple[House, Item]]:
    return _named(world, lambda house: house.waiting())


def quarantined(world: World) -> dict[str, tuple[House, Item]]:
    return _named(world, lambda house: house.quarantined())


def flights(world: World) -> dict[str, tuple[Hand, House, Flight]]:
    by_id = {house.organization_id: house for house in _houses(world)}
    return {
        f"{flight.name} by worker {hand.number}": (hand, by_id[flight.claimed.attempt.organization_id], flight)
        for hand in world.hands
        for flight in hand.flights
    }


def unsent(world: World) -> dict[str, tuple[House, Flight]]:
    return {name: (house, flight) for name, (_, house, flight) in flights(world).items() if flight.is_unsent}


def looks(world: World) -> dict[str, tuple[Hand, Look]]:
    return {
        f"{look.house.kind} by worker {hand.number}, {place}": (hand, look)
        for hand in world.hands
        for place, look in enumerate(hand.looks)
    }


def requests(world: World) -> dict[str, tuple[Books, Request]]:
    return {name: (books, one) for books in world.books.values() for name, one in books.alive().items()}


def staged_entries(world: World) -> dict[str, tuple[Entry]]:
    return _entries(world, Status.STAGED)


def documents(world: World) -> dict[str, tuple[Entry]]:
    return _entries(world, Status.FINAL)


def _houses(world: World) -> list[House]:
    return list(world.houses.values())


def _named(world: World, choose: Callable[[House], list[Item]]) -> dict[str, tuple[House, Item]]:
    return {item.name: (house, item) for house in _houses(world) for item in choose(house)}


def _entries(world: World, status: Status) -> dict[str, tuple[Entry]]:
    return {one.document.number: (one,) for books in world.books.values() for one in books.having(status)}
