"""Time and the ERP's own doings: leases end, quarantines pass, requests are carried out late, imports decide."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.state import quiet_time
from tests.state.books import Books, Entry, Request, Status
from tests.state.model import House, Item
from tests.state.world import World
from worker.store.database import acquire


@dataclass(frozen=True)
class Fate:
    """What becomes of a request at last. `status` None: it is dropped. `is_visible`: look-ups see it at once."""

    status: Status | None
    is_visible: bool

    def befall(self, books: Books, request: Request) -> None:
        if self.status is None:
            request.is_alive = False
        elif books.refuses_duplicates:
            books.apply(request, Status.FINAL, is_visible=self.is_visible)
        else:
            books.apply(request, self.status, is_visible=self.is_visible)


DROPPED = Fate(None, is_visible=True)


async def end_lease(world: World, house: House) -> None:
    """Its holder did not renew it in time; whatever permit it had has ended before."""
    await _write(world, quiet_time.LEASE_IS_OVER, house.organization_id)
    house.is_leased = False
    for hand in world.hands:
        lane = hand.keeper.held.get(house.organization_id)
        if lane is not None and lane.fence == house.fence:
            lane.permit.extend(0.0)


async def make_due(world: World, house: House, item: Item) -> None:
    await _write(world, quiet_time.IS_DUE, house.organization_id, item.name)
    item.is_due = True


async def end_quarantine(world: World, house: House, item: Item, last_moment: Sequence[Fate]) -> None:
    """What was there is seen by look-ups from now on; what was on its way is carried out just before, or never."""
    await _write(world, quiet_time.QUARANTINE_IS_OVER, house.organization_id, item.name)
    item.is_due, item.is_quarantined = True, False
    books = world.books[house.kind]
    books.show_all(item.reference)
    fates = iter(last_moment)
    for request in books.alive(item.reference).values():
        next(fates, DROPPED).befall(books, request)


async def befall(_world: World, books: Books, request: Request, fate: Fate) -> None:
    """The ERP gets round to what is on its way."""
    fate.befall(books, request)


async def decide_import(_world: World, entry: Entry, status: Status) -> None:
    entry.status = status


async def alter(_world: World, entry: Entry) -> None:
    """Somebody corrects the document by hand, or corrects it back."""
    entry.alter()


async def age_import(world: World, house: House, item: Item) -> None:
    await _write(world, quiet_time.IMPORT_IS_OLD, house.organization_id, item.name)
    item.is_due = item.is_old = True


async def _write(world: World, statement: str, *arguments: object) -> None:
    async with acquire(world.bench.pool) as connection:
        await connection.execute(statement, *arguments)
