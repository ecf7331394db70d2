"""What workers do: lease, claim, send, settle, crash. The ERP's part of each answer comes from the books."""

from enum import StrEnum
from typing import assert_never

from connectors.contract import NotSent, Posting, PostOutcome, Rejected, Unavailable, Unknown
from tests.state import passing
from tests.state.books import Books, Request, Status
from tests.state.model import House
from tests.state.promises import sure
from tests.state.quiet_time import HOUR
from tests.state.workers import Flight, Hand
from tests.state.world import World
from worker.claiming import Claimed, Closed, Reconfigured, Wish, claim
from worker.domain.states import ItemState, judge_outcome
from worker.lanes import Lane
from worker.settlement import settlement_of
from worker.store.database import transaction
from worker.suspension import suspend


class Answer(StrEnum):
    """What an attempt is met with. What can't be, since the ERP has done something else by now, is no answer."""

    SERVED = "served"
    STAGED = "staged"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    NONE = "no answer"


async def take(_world: World, hand: Hand, house: House) -> None:
    has_dead_holder = house.holder is not None
    must = not house.is_leased and (has_dead_holder or house.has_work())
    may = not house.is_leased and (must or house.suspended)
    lanes = await hand.keeper.take([house.organization_id])
    sure("P9", bool(lanes) or not must, f"nobody gets the lane of {house.kind}, and it has work")
    sure("P6", may or not lanes, f"the lane of {house.kind} is taken, and it is not free or has no work")
    if lanes:
        house.lease(hand.worker_id)
        sure("P6", lanes[0].fence == house.fence, f"the fence is {lanes[0].fence}, not {house.fence}")


async def take_over(world: World, hand: Hand, house: House, limit: int) -> None:
    """The holder did not renew in time, and goes on as if it had; the next one begins."""
    await passing.end_lease(world, house)
    await take(world, hand, house)
    await post_next(world, hand, house, limit)


async def renew(world: World, hand: Hand) -> None:
    kept = {one.organization_id for one in world.houses.values() if _is_still_held(hand, one)}
    await hand.keeper.renew()
    valid = {name for name, lane in hand.keeper.held.items() if lane.permit.is_valid()}
    sure("P6", valid == kept, f"{sorted(valid)} may be sent to, not {sorted(kept)}")


async def give_back(_world: World, hand: Hand, house: House) -> None:
    lane = hand.keeper.held[house.organization_id]
    is_idle = all(flight.lane is not lane for flight in hand.flights)
    await hand.keeper.give_back(lane, idle=is_idle)
    if is_idle and (house.holder, house.fence) == (hand.worker_id, lane.fence):
        house.holder, house.is_leased = None, False


async def post_next(world: World, hand: Hand, house: House, limit: int) -> None:
    """A claim; with another adapter, where the worker's was made from an older configuration."""
    lane = hand.keeper.held[house.organization_id]
    claimed = await _claim(world, hand, house, lane, limit)
    if isinstance(claimed, Reconfigured):
        is_stale = hand.versions.get(house.kind) != house.version
        sure("model", is_stale, f"the configuration of {house.kind} is still {house.version}")
        hand.versions[house.kind] = house.version
        claimed = await _claim(world, hand, house, lane, limit)
    may = house.is_open and house.holds(hand.worker_id, lane.fence)
    sure("P3", may or isinstance(claimed, Closed), f"something is claimed for {house.kind}, which is {house.phase}")
    if may:
        _compare(house, claimed, limit)
        hand.flights += [Flight(one, _posting(one), lane) for one in _list(claimed)]


async def take_and_claim(world: World, hand: Hand, house: House, limit: int) -> None:
    if house.organization_id not in hand.keeper.held:
        await take(world, hand, house)
    if house.organization_id in hand.keeper.held:
        await post_next(world, hand, house, limit)


async def post(world: World, hand: Hand, house: House, answer: Answer, *, is_told_twice: bool) -> None:
    """One attempt from its claim to its end."""
    await take_and_claim(world, hand, house, 1)
    await world.check()
    mine = [flight for flight in hand.flights if flight.lane is hand.keeper.held.get(house.organization_id)]
    if mine:
        await settle(world, hand, house, mine[-1], answer, is_told_twice=is_told_twice)


async def _claim(
    world: World, hand: Hand, house: House, lane: Lane, limit: int
) -> list[Claimed] | Closed | Reconfigured:
    adapter = world.adapter(hand, house)
    return await claim(world.bench.pool, hand.worker_id, Wish(house.organization_id, lane.fence, adapter, limit))


def _compare(house: House, claimed: list[Claimed] | Closed | Reconfigured, limit: int) -> None:
    expected = [(one.name, one.attempt) for one in house.claim(limit)]
    found = [(one.attempt.reimbursement_id, one.attempt.attempt) for one in _list(claimed)]
    sure("P9", found == expected, f"{found} are claimed ({type(claimed).__name__}), not {expected}")


def _list(claimed: list[Claimed] | Closed | Reconfigured) -> list[Claimed]:
    return claimed if isinstance(claimed, list) else []


def _posting(claimed: Claimed) -> Posting:
    assert isinstance(claimed.posting, Posting), claimed.posting
    return claimed.posting


async def send(world: World, house: House, flight: Flight) -> None:
    """As an adapter does it: above the first attempt it looks first; the permit is asked at the last moment."""
    books = world.books[house.kind]
    if flight.posting.attempt > 1:
        flight.known = books.settled_earlier(flight.posting)
    if flight.known is None and not flight.lane.permit.is_valid():
        flight.known = NotSent("The lane is lost.")
    if flight.known is None:
        is_off = not house.enabled and house.quiesced
        sure("P3", not is_off, f"{flight.name} leaves for {house.kind}, which is off")
        flight.request = books.receive(flight.posting)


async def settle(
    world: World, hand: Hand, house: House, flight: Flight, answer: Answer, *, is_told_twice: bool
) -> None:
    """The attempt comes to its end; where the reply of PostgreSQL is lost, it is told twice."""
    outcome = await _outcome(world, house, flight, answer)
    attempt = flight.claimed.attempt
    item = house.items[attempt.reimbursement_id]
    limits = flight.claimed.adapter.connector.limits
    verdict = judge_outcome(outcome, HOUR, limits, attempt.attempt, in_doubt=attempt.in_doubt)
    for _ in range(1 + is_told_twice):
        before = f"{item.state} at attempt {item.attempt}"
        changed = await hand.settler.settle(settlement_of(attempt, ItemState.SENDING, verdict))
        expected = item.settle(attempt.attempt, ItemState.SENDING, verdict)
        sure("P6", changed == expected, f"{flight.name} is {verdict.outcome}, its item {before}: changed {changed}")
    hand.flights.remove(flight)
    if isinstance(outcome, Unavailable):
        await _suspend(world, house, outcome)


async def _suspend(world: World, house: House, outcome: Unavailable) -> None:
    async with transaction(world.bench.pool) as connection:
        is_new = await suspend(connection, house.organization_id, house.kind, outcome.reason)
    sure("model", is_new == house.is_open, f"{house.kind} is suspended since now: {is_new}")
    house.suspended |= house.enabled


async def _outcome(world: World, house: House, flight: Flight, answer: Answer) -> PostOutcome:
    refusal = _refusal(answer)
    if flight.request is None and flight.known is None:
        if refusal is not None and answer is not Answer.REJECTED:
            return refusal  # what is refused before anything left
        await send(world, house, flight)
    if flight.request is None:
        return flight.known or Unknown("Nothing is known.")
    return _reply(world.books[house.kind], flight.request, answer, refusal)


def _reply(books: Books, request: Request, answer: Answer, refusal: PostOutcome | None) -> PostOutcome:
    if refusal is not None and request.is_alive:
        request.is_alive = False
        return refusal
    if request.is_alive and answer in {Answer.SERVED, Answer.STAGED}:
        is_staged = answer is Answer.STAGED and not books.refuses_duplicates
        books.apply(request, Status.STAGED if is_staged else Status.FINAL, is_visible=True)
    if request.is_alive or answer is Answer.NONE:
        return Unknown("No answer came.")
    return books.answer(request) or Unknown("The answer was not readable.")


def _refusal(answer: Answer) -> PostOutcome | None:
    match answer:
        case Answer.NOT_SENT:
            return NotSent("The ERP asks for patience.")
        case Answer.REJECTED:
            return Rejected("closed_period", "2025 is closed.")
        case Answer.UNAVAILABLE:
            return Unavailable("The credentials have expired.")
        case Answer.SERVED | Answer.STAGED | Answer.NONE:
            return None
        case _:
            assert_never(answer)


async def crash(world: World, hand: Hand) -> None:
    """All it held in its hands is forgotten; what left for the ERP is on its way."""
    await hand.crash()
    world.hands[hand.number] = await Hand.start(world.bench.pool, hand.number)


def _is_still_held(hand: Hand, house: House) -> bool:
    lane = hand.keeper.held.get(house.organization_id)
    return lane is not None and house.holds(hand.worker_id, lane.fence)
