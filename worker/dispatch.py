"""Who drains which lane: wakes and polls lead to leases, each leased lane gets a drain of its own."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from worker.drain import Drain, Workshop
from worker.lanes import Lane, LaneKeeper
from worker.progress import LoopName
from worker.rounds import pause
from worker.store import connectors
from worker.store.database import DatabaseAwayError, acquire, transaction
from worker.telemetry import failure
from worker.toggles import finish_switching_off

log = structlog.get_logger(__name__)

RENEWALS_PER_LEASE = 4
SETTLING_SECONDS = 5.0


class Dispatcher:
    """This worker's share of all lanes."""

    def __init__(
        self, keeper: LaneKeeper, workshop: Workshop, *, lease: timedelta, poll: timedelta, shutdown: timedelta
    ) -> None:
        """`shutdown`: how long calls in flight get to come to their end once the worker is asked to stop."""
        self._shutdown = shutdown
        self._keeper = keeper
        self._shop = workshop
        self._lease = lease
        self._poll = poll
        self._beat = workshop.pulse.of(LoopName.DISPATCH)
        self._hints: set[str] = set()
        self._look_at_all = True
        self._next_look = 0.0
        self._woken = asyncio.Event()
        self._drains: dict[asyncio.Task[None], Drain] = {}

    def wake(self, organization_id: str | None) -> None:
        """Called for each notification; None: look at every lane."""
        if organization_id is None:
            self._look_at_all = True
            for lane in self._keeper.held.values():
                lane.tell()
        elif organization_id in self._keeper.held:
            self._keeper.held[organization_id].tell()
            return
        else:
            self._hints.add(organization_id)
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then what is on the wire gets a few seconds to come to its end."""
        work = (self._keep_renewing(), self._shop.claimer.run(), self._shop.settler.run())
        endless = [asyncio.create_task(one) for one in work]
        for task in endless:
            task.add_done_callback(lambda _: self._woken.set())
        stopping = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                _raise_if_ended(endless)
                await self._try_once(stop)
            await self._let_finish()
        finally:
            for task in (*endless, stopping):
                task.cancel()
            await asyncio.gather(*endless, stopping, return_exceptions=True)

    async def _try_once(self, stop: asyncio.Event) -> None:
        try:
            await self._run_once(stop)
            self._beat(in_vain=False)
        except DatabaseAwayError as error:
            log.warning("lanes_wait_for_database", error=str(error))
            self._beat(rests=1.0, in_vain=True)
            self._look_at_all = True
            await pause(stop, 1.0)

    async def _run_once(self, stop: asyncio.Event) -> None:
        hints = self._hints_at(time.monotonic())
        self._woken.clear()
        if hints is None or hints:
            for lane in await self._keeper.take(hints):
                self._start(lane, stop)
            self._look_at_all |= self._keeper.is_full
        if hints is None:
            await self._finish_switching_off()
        wait = max(self._next_look - time.monotonic(), 0.0)
        self._beat(rests=wait)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), wait)

    def _hints_at(self, now: float) -> set[str] | None:
        """Whose lanes to look at; None: all. That comes round with every poll, however often somebody wakes us."""
        hints = None if self._look_at_all or now >= self._next_look else self._hints
        if hints is None:
            self._next_look = now + self._poll.total_seconds()
        self._hints, self._look_at_all = set(), False
        return hints

    def _start(self, lane: Lane, stop: asyncio.Event) -> None:
        drain = Drain(lane, self._shop, stop)
        task = asyncio.create_task(self._drain(lane, drain, stop))
        self._drains[task] = drain
        task.add_done_callback(self._drains.pop)

    async def _drain(self, lane: Lane, drain: Drain, stop: asyncio.Event) -> None:
        try:
            with self._shop.pulse.watching(LoopName.DRAIN, lane.organization_id) as beat:
                await drain.run(beat)
        except Exception as error:  # noqa: BLE001  # one lane's bug must not end the others; the lane is tried again
            log.error("drain_failed", organization_id=lane.organization_id, **failure(error))
            await drain.finish()
        finally:
            await self._give_back(lane, drain, stop)

    async def _give_back(self, lane: Lane, drain: Drain, stop: asyncio.Event) -> None:
        """Tried again while PostgreSQL is away, or whoever is next would wait for the end of the lease, for nothing. A
        wake that came too late for the drain is kept for them."""
        try:
            while not await self._is_given_back(lane, drain) and not stop.is_set():
                await pause(stop, 1.0)
        finally:
            self._keeper.drop(lane)
        if lane.is_wanted_elsewhere:
            self._look_at_all = True
            self._woken.set()
        elif lane.wake.is_set():
            self.wake(lane.organization_id)

    async def _is_given_back(self, lane: Lane, drain: Drain) -> bool:
        try:
            await self._keeper.give_back(lane, idle=drain.leaves_nothing, leaves_lost=drain.may_have_lost_claim)
        except DatabaseAwayError as error:
            log.warning("lane_not_given_back", organization_id=lane.organization_id, error=str(error))
            return False
        return True

    async def _finish_switching_off(self) -> None:
        """For connectors whose last item on the wire was settled by nobody's drain."""
        async with acquire(self._shop.pool) as connection:
            idle = await connectors.idle_switching_off(connection)
        for organization_id, kind in idle:
            async with transaction(self._shop.pool) as connection:
                await finish_switching_off(connection, organization_id, kind)

    async def _keep_renewing(self) -> None:
        pause = self._lease.total_seconds() / RENEWALS_PER_LEASE
        beat = self._shop.pulse.of(LoopName.RENEWAL)
        while True:
            beat(rests=pause)
            await asyncio.sleep(pause)
            try:
                await self._keeper.renew()
            except DatabaseAwayError as error:
                log.warning("leases_not_renewed", error=str(error))

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()
        for lane in self._keeper.held.values():
            lane.wake.set()

    async def _let_finish(self) -> None:
        """What has no answer by the end of the grace is given up and settled as unknown; what can't even be settled
        stays `sending`, for whoever leases the lane next."""
        if not self._drains:
            return
        _, late = await asyncio.wait(self._drains, timeout=self._shutdown.total_seconds())
        for task in late:
            self._drains[task].give_up()
        if late:
            log.warning("calls_given_up", lanes=len(late))
            _, late = await asyncio.wait(late, timeout=SETTLING_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _raise_if_ended(endless: Sequence[asyncio.Task[None]]) -> None:
    """Without claiming, settling or renewing every lane would wait for ever in a process that looks alive."""
    for task in endless:
        if task.done():
            task.result()
