"""Emptying one lane: claim → post → settle, several at once, oldest first."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from connectors.contract import ConfigurationError, Limits
from worker.adapters import Adapter, Adapters
from worker.claimer import Claimer
from worker.claiming import Answer, Claimed, Closed, LostClaimError, Reconfigured, Wish
from worker.delivery import Delivery
from worker.domain.states import ItemState, Verdict, judge_outcome
from worker.lane_health import LaneHealth
from worker.lanes import Lane
from worker.progress import LONGEST_REST, Beat, Pulse, unwatched
from worker.reconcile import look_up_due
from worker.runs import finish_if_done, has_open_run
from worker.settlement import settlement_of
from worker.settler import Settler
from worker.store import connectors, items
from worker.store.database import DatabaseAwayError, Pool, acquire, transaction
from worker.suspension import probe
from worker.telemetry import failure
from worker.toggles import finish_switching_off
from worker.vault import VaultError

log = structlog.get_logger(__name__)

FIRST_CLAIM = 1
DATABASE_PAUSE = timedelta(seconds=1)
FAILED_LOOK_PAUSE = timedelta(seconds=10)
SHORTEST_LOOK = 0.1
SHORTEST_RESEND = 1.0
CLAIMABLE_AGAIN = frozenset({ItemState.PENDING, ItemState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every lane of this worker shares."""

    pool: Pool
    worker_id: UUID
    adapters: Adapters
    claimer: Claimer
    settler: Settler
    idle: timedelta
    pulse: Pulse = field(default_factory=Pulse)


class Drain:
    """The life of one held lane, until it has been idle for a while, is lost, or the worker stops."""

    def __init__(self, lane: Lane, workshop: Workshop, stop: asyncio.Event) -> None:
        self._lane = lane
        self._shop = workshop
        self._stop = stop
        self._health = LaneHealth(workshop.pool, lane)
        self._beat: Beat = unwatched
        self._adapter: Adapter | None = None
        self._in_flight: dict[asyncio.Task[None], Delivery] = {}
        self._reading: asyncio.Task[None] | None = None
        self._next_look: float | None = 0.0
        self._next_resend: float | None = None
        """Monotonic, as `_next_look`; None: there is none. It counts only while there is room, or a full lane would ask
        without end for what it can't take."""
        self._has_failed_delivery = False
        self._is_closed = False
        self._turn_ends = time.monotonic() + workshop.idle.total_seconds()
        self.may_have_lost_claim = False
        """Whether items may be `sending` of which this drain does not know: nobody sends or settles them, and only who
        leases the lane anew finds them."""

    @property
    def is_idle(self) -> bool:
        return not self._in_flight and self._reading is None

    @property
    def leaves_nothing(self) -> bool:
        """Whether every item that was claimed is settled; one that is not is for whoever leases the lane next."""
        return not self._in_flight and not self._has_failed_delivery

    async def run(self, beat: Beat = unwatched) -> None:
        """Ends once nothing is on the wire any more."""
        self._beat = beat
        idle_since = time.monotonic()
        while self._goes_on():
            self._lane.wake.clear()
            if await self._try_once():
                idle_since = time.monotonic()
            wait = self._patience(idle_since)
            if wait <= 0 and self.is_idle and not self._lane.wake.is_set():
                break
            rest = min(max(wait, 0.0), LONGEST_REST)
            self._beat(rests=rest)
            await self._rest(rest)
        await self.finish()

    async def _rest(self, seconds: float) -> None:
        """Until woken. What becomes due by itself is looked for whenever the time is over."""
        try:
            async with asyncio.timeout(seconds):  # wait_for would make a task each time
                await self._lane.wake.wait()
        except TimeoutError:
            self._lane.has_news = True

    async def finish(self) -> None:
        """Lets what is on the wire come to its end; what only reads is broken off."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        while self._in_flight:
            self._beat(rests=LONGEST_REST)
            await asyncio.wait(self._in_flight, timeout=LONGEST_REST)
        await self._drop_adapter()

    def give_up(self) -> None:
        """The worker leaves: what has no answer by now is settled as what it is."""
        for delivery in self._in_flight.values():
            delivery.give_up()

    def _goes_on(self) -> bool:
        """After a delivery that failed, or a claim that was lost, what is on the wire comes to its end, and then the
        lease: whoever has it next calls the item unknown. The permit holds until then, or one bad item would turn its
        neighbours back for ever."""
        has_lost_sight = self._has_failed_delivery or self.may_have_lost_claim
        return self._lane.permit.is_valid() and not self._stop.is_set() and not has_lost_sight

    async def _try_once(self) -> bool:
        """Whether there was anything to do. A database that is away is waited for."""
        try:
            is_busy = await self._run_once()
        except LostClaimError as error:
            self._log_wait(error)
            self._lane.wake.set()  # ends the drain, and has the lane looked at once it is given back
            return True
        except DatabaseAwayError as error:
            self._wait_for_database(error)
            return True
        self._beat(in_vain=False)
        return is_busy

    async def _run_once(self) -> bool:
        if self._lane.is_paused() or self._has_had_its_turn():
            return True
        claimed = await self._claim()
        self._is_closed = isinstance(claimed, Closed)
        match claimed:
            case Closed():
                await self._close()
                return not self.is_idle
            case Reconfigured(kind):
                await self._reconfigure(kind)
                return True
        self._look_up()
        for one in claimed:
            self._start(one)
        if not claimed and self.is_idle:
            await self._finish_run()
        return bool(claimed) or not self.is_idle

    async def _claim(self) -> Answer:
        room = self._room
        self._expect_resends()
        if room <= 0 or not self._lane.has_news:
            return []
        self._lane.has_news = False  # before the claim: what is told meanwhile may be too late for it
        answer: Answer | None = None
        try:
            is_under_way = bool(self._in_flight)
            wish = Wish(self._lane.organization_id, self._lane.fence, self._adapter, room, is_under_way)
            self.may_have_lost_claim = True  # also where this is cancelled meanwhile
            answer = await self._shop.claimer.claim(wish)
            self.may_have_lost_claim = False
        except DatabaseAwayError as error:
            self.may_have_lost_claim = isinstance(error, LostClaimError)
            raise
        finally:
            self._lane.has_news |= not isinstance(answer, list) or len(answer) >= room
        return answer

    @property
    def _room(self) -> int:
        return (self._adapter.connector.limits.concurrency if self._adapter else FIRST_CLAIM) - len(self._in_flight)

    def _expect_resends(self) -> None:
        """The claim takes what is due to be sent again; when the next one is, is asked after it."""
        if self._room > 0 and self._next_resend is not None and time.monotonic() >= self._next_resend:
            self._next_resend, self._next_look = None, 0.0
            self._lane.has_news = True

    async def _close(self) -> None:
        """The connector is off or suspended: once nothing is on the wire it is off, or tried now and then."""
        if not self.is_idle:
            return
        async with transaction(self._shop.pool) as connection:
            for view in await connectors.views(connection, self._lane.organization_id):
                if not view.enabled and view.quiesced_at is None:
                    await finish_switching_off(connection, self._lane.organization_id, view.kind)
            suspended = await connectors.due_probe(connection, self._lane.organization_id)
        await self._drop_adapter()
        if suspended is not None:
            self._read(probe(self._shop.pool, self._shop.adapters, self._lane.organization_id, suspended))

    async def _reconfigure(self, kind: str) -> None:
        """Requests on the wire keep the adapter they were made with; the next claim waits for them."""
        if not self.is_idle:
            return
        await self._drop_adapter()
        try:
            async with acquire(self._shop.pool) as connection:
                self._adapter = await self._shop.adapters.make(connection, self._lane.organization_id, kind)
        except (ConfigurationError, VaultError) as error:
            await self._health.suspend(kind, str(error))
        self._next_look = 0.0
        self._lane.wake.set()

    def _look_up(self) -> None:
        """Asks about open questions, beside the posting, when the next is due (monotonic; None: there are none)."""
        is_due = self._next_look is not None and time.monotonic() >= self._next_look
        if self._adapter is not None and self._reading is None and is_due:
            self._read(self._ask(self._adapter))

    async def _ask(self, adapter: Adapter) -> None:
        lane = self._lane
        hindrance = await look_up_due(self._shop.pool, self._shop.settler, lane.organization_id, adapter)
        if hindrance is not None:
            delay = self._health.learn(hindrance)
            await self._health.record(hindrance, adapter, delay)
        async with acquire(self._shop.pool) as connection:
            due = await items.next_due(connection, lane.organization_id, adapter.kind)
        self._next_look = _moment(due.look, SHORTEST_LOOK)
        self._next_resend = _moment(due.resend, SHORTEST_RESEND)

    def _plan(self, verdict: Verdict, limits: Limits) -> None:
        """When an item that is open is dealt with next, by the same rule as `due_looks` and `due_resends`."""
        if not verdict.is_open or verdict.due_in is None:
            return
        moment = _moment(verdict.due_in)
        if verdict.state is ItemState.UNKNOWN and limits.refuses_duplicates and not verdict.is_resent_no_more:
            self._next_resend = _earlier(self._next_resend, moment)
        else:
            self._next_look = _earlier(self._next_look, moment)

    def _read(self, work: Coroutine[None, None, None]) -> None:
        self._reading = asyncio.create_task(work)
        self._reading.add_done_callback(self._has_read)

    def _has_read(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        self._lane.tell()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DatabaseAwayError):
            self._wait_for_database(error)
        elif error is not None:
            log.error("look_up_failed", organization_id=self._lane.organization_id, **failure(error))
            self._lane.pause(FAILED_LOOK_PAUSE)

    def _start(self, claimed: Claimed) -> None:
        delivery = Delivery(claimed, self._lane.permit)
        task = asyncio.create_task(self._deliver(delivery))
        self._in_flight[task] = delivery
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task)
        self._lane.wake.set()
        if not task.cancelled() and task.exception():
            self._has_failed_delivery = True
            log.error(
                "delivery_failed",
                organization_id=self._lane.organization_id,
                error=type(task.exception()).__name__,
            )

    async def _deliver(self, delivery: Delivery) -> None:
        """post → settle, and what the lane learns from it."""
        attempt, adapter = delivery.claimed.attempt, delivery.claimed.adapter
        outcome = await delivery.outcome()
        is_of_the_erp = delivery.tells_of_the_erp(outcome)
        delay = self._health.learn(outcome) if is_of_the_erp else timedelta()
        limits = adapter.connector.limits
        verdict = judge_outcome(outcome, delay, limits, attempt.attempt, in_doubt=attempt.in_doubt)
        changed = await self._shop.settler.settle(settlement_of(attempt, ItemState.SENDING, verdict))
        self._lane.has_news |= verdict.state in CLAIMABLE_AGAIN
        self._lane.pause(delay)  # from now on, so that the item is due again by then and keeps its place
        self._plan(verdict, limits)
        log.info(
            "attempt_settled",
            organization_id=attempt.organization_id,
            reimbursement_id=attempt.reimbursement_id,
            connector=attempt.connector,
            attempt=attempt.attempt,
            outcome=verdict.outcome,
            late=not changed,
        )
        if is_of_the_erp:
            await self._health.record(outcome, adapter, delay)

    async def _finish_run(self) -> None:
        async with acquire(self._shop.pool) as connection:
            if await has_open_run(connection, self._lane.organization_id):
                async with connection.transaction():
                    await finish_if_done(connection, self._lane.organization_id)

    def _wait_for_database(self, error: DatabaseAwayError) -> None:
        self._log_wait(error)
        self._lane.pause(DATABASE_PAUSE)
        self._beat(in_vain=True)

    def _log_wait(self, error: DatabaseAwayError) -> None:
        log.warning("lane_waits_for_database", organization_id=self._lane.organization_id, error=str(error))

    def _has_had_its_turn(self) -> bool:
        """Others wait for a lane to be free, and this one has been held for a while, however much of it is left."""
        return self._lane.is_wanted_elsewhere and time.monotonic() >= self._turn_ends

    def _is_to_make_room(self) -> bool:
        """Also where its ERP wants patience, which is on record by then: that is as long for whoever takes it next."""
        waits_for_erp = self._lane.is_wanted_elsewhere and self._lane.is_paused() and self._lane.failures > 0
        return self.is_idle and (waits_for_erp or self._has_had_its_turn())

    def _patience(self, idle_since: float) -> float:
        """Seconds to wait for a wake; 0 or less: the lane has been idle long enough."""
        now = time.monotonic()
        if self._is_to_make_room():
            return 0.0
        if self._has_had_its_turn():
            return LONGEST_REST
        if self._lane.is_paused():
            return self._lane.paused_until - now
        idle = self._shop.idle.total_seconds()
        next_due = _earlier(self._next_look, self._next_resend if self._room > 0 else None)
        until_due = idle if next_due is None else max(next_due - now, SHORTEST_LOOK)
        if not self.is_idle:
            return min(until_due, idle)
        if self._adapter is not None and until_due < idle:
            return until_due
        return 0.0 if self._is_closed or self._lane.is_wanted_elsewhere else idle_since + idle - now

    async def _drop_adapter(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            await adapter.connector.close()


def _moment(due_in: timedelta | None, least: float = 0.0) -> float | None:
    """Monotonic seconds; what is overdue is waited for a little, so that nothing comes round without a pause."""
    return None if due_in is None else time.monotonic() + max(due_in.total_seconds(), least)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
