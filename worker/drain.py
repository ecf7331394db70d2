"""Emptying one lane: claim → post → settle, several at once, oldest first."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never
from uuid import UUID

import structlog

from connectors.contract import (
    Accepted,
    ConfigurationError,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Rejected,
    Unavailable,
    Unknown,
)
from worker import telemetry
from worker.adapters import Adapter, Adapters
from worker.claiming import Claimed, Closed, Reconfigured, claim
from worker.domain.retry import back_off
from worker.domain.states import ItemState, judge_outcome
from worker.lanes import Lane
from worker.reconcile import confirm_due
from worker.runs import finish_if_done
from worker.settlement import settlement_of
from worker.settler import Settler
from worker.store import connectors, items
from worker.store import lanes as lane_store
from worker.store.database import DatabaseAwayError, Pool, acquire, transaction
from worker.toggles import finish_switching_off, suspend
from worker.vault import VaultError

log = structlog.get_logger(__name__)

FIRST_CLAIM = 1
DATABASE_PAUSE = timedelta(seconds=1)
SHORTEST_LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every lane of this worker shares."""

    pool: Pool
    worker_id: UUID
    adapters: Adapters
    settler: Settler
    idle: timedelta


class Drain:
    """The life of one held lane, until it has been idle for a while, is lost, or the worker stops."""

    def __init__(self, lane: Lane, workshop: Workshop, stop: asyncio.Event) -> None:
        self._lane = lane
        self._shop = workshop
        self._stop = stop
        self._adapter: Adapter | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._next_look: float | None = 0.0
        self._has_failed_delivery = False

    @property
    def is_idle(self) -> bool:
        return not self._in_flight

    @property
    def leaves_nothing(self) -> bool:
        """Whether every item that was claimed is settled; one that is not is for whoever leases the lane next."""
        return self.is_idle and not self._has_failed_delivery

    async def run(self) -> None:
        """Ends once nothing is on the wire any more."""
        idle_since = time.monotonic()
        while self._goes_on():
            self._lane.wake.clear()
            if await self._try_once():
                idle_since = time.monotonic()
            wait = self._patience(idle_since)
            if wait <= 0 and self.is_idle and not self._lane.wake.is_set():
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lane.wake.wait(), max(wait, 0.0))
        await self.finish()

    async def finish(self) -> None:
        """Lets what is on the wire come to its end."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        await self._drop_adapter()

    def _goes_on(self) -> bool:
        return self._lane.permit.is_valid() and not self._stop.is_set()

    async def _try_once(self) -> bool:
        """Whether there was anything to do. A database that is away is waited for."""
        try:
            return await self._run_once()
        except DatabaseAwayError as error:
            log.warning(
                "lane_waits_for_database",
                organization_id=self._lane.organization_id,
                error=str(error),
            )
            self._lane.pause(DATABASE_PAUSE)
            return True

    async def _run_once(self) -> bool:
        if self._lane.is_paused():
            return True
        claimed = await self._claim()
        match claimed:
            case Closed():
                await self._close()
                return False
            case Reconfigured(kind):
                await self._reconfigure(kind)
                return True
        await self._confirm()
        for one in claimed:
            self._start(one)
        if not claimed and self.is_idle:
            await self._finish_run()
        return bool(claimed) or not self.is_idle

    async def _claim(self) -> list[Claimed] | Closed | Reconfigured:
        room = (self._adapter.connector.limits.concurrency if self._adapter else FIRST_CLAIM) - len(self._in_flight)
        if room <= 0:
            return []
        return await claim(
            self._shop.pool,
            self._shop.worker_id,
            self._lane.organization_id,
            self._lane.fence,
            self._adapter,
            room,
        )

    async def _close(self) -> None:
        """The connector is off or suspended: once nothing is on the wire, it is off."""
        if not self.is_idle:
            return
        async with transaction(self._shop.pool) as connection:
            for view in await connectors.views(connection, self._lane.organization_id):
                if not view.enabled and view.quiesced_at is None:
                    await finish_switching_off(connection, self._lane.organization_id, view.kind)
        await self._drop_adapter()

    async def _reconfigure(self, kind: str) -> None:
        """Requests on the wire keep the adapter they were made with; the next claim waits for them."""
        if not self.is_idle:
            return
        await self._drop_adapter()
        try:
            async with acquire(self._shop.pool) as connection:
                self._adapter = await self._shop.adapters.make(connection, self._lane.organization_id, kind)
        except (ConfigurationError, VaultError) as error:
            await self._suspend(kind, str(error))
        self._lane.wake.set()

    async def _confirm(self) -> None:
        """Looks at staged imports when the next is due (monotonic seconds; None: there are none)."""
        if self._adapter is None or self._next_look is None or time.monotonic() < self._next_look:
            return
        hindrance = await confirm_due(self._shop.pool, self._shop.settler, self._lane.organization_id, self._adapter)
        if hindrance is not None:
            await self._heed(hindrance, self._adapter.kind)
        async with acquire(self._shop.pool) as connection:
            due_in = await items.next_confirmation(connection, self._lane.organization_id)
        self._next_look = None if due_in is None else time.monotonic() + max(due_in.total_seconds(), SHORTEST_LOOK)

    def _start(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._deliver(claimed))
        self._in_flight.add(task)
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._lane.wake.set()
        if not task.cancelled() and task.exception():
            self._has_failed_delivery = True
            self._lane.permit.revoke()
            log.error(
                "delivery_failed",
                organization_id=self._lane.organization_id,
                error=type(task.exception()).__name__,
            )

    async def _deliver(self, claimed: Claimed) -> None:
        """post → settle, and what the lane learns from it."""
        outcome = await self._outcome(claimed)
        delay = self._back_off(outcome)
        verdict = judge_outcome(outcome, delay)
        attempt = claimed.attempt
        changed = await self._shop.settler.settle(settlement_of(attempt, ItemState.SENDING, verdict))
        self._lane.pause(delay)  # from now on, so that the item is due again by then and keeps its place
        log.info(
            "attempt_settled",
            organization_id=attempt.organization_id,
            reimbursement_id=attempt.reimbursement_id,
            connector=attempt.connector,
            attempt=attempt.attempt,
            outcome=verdict.outcome,
            late=not changed,
        )
        await self._heed(outcome, attempt.connector)

    async def _outcome(self, claimed: Claimed) -> PostOutcome:
        if isinstance(claimed.posting, Rejected):
            return claimed.posting
        if self._adapter is None:
            return NotSent("The connector was closed before anything was sent.")
        with telemetry.POST_SECONDS.labels(claimed.attempt.connector).time():
            return await _post(self._adapter, claimed.posting, self._lane.permit)

    def _back_off(self, outcome: PostOutcome | NotSent | Unavailable) -> timedelta:
        """The delay that an outcome asks for; a lane that waits already is not made to wait longer."""
        if not isinstance(outcome, NotSent):
            return timedelta()
        if not self._lane.is_paused():
            self._lane.failures += 1
            self._lane.pause(back_off(self._lane.failures, random.random(), outcome.retry_after))  # noqa: S311  # spreads, hides nothing
        return timedelta(seconds=max(self._lane.paused_until - time.monotonic(), 0))

    async def _heed(self, outcome: PostOutcome | NotSent | Unavailable, kind: str) -> None:
        match outcome:
            case NotSent():
                delay = self._back_off(outcome)
                async with acquire(self._shop.pool) as connection:
                    await lane_store.pause(
                        connection, self._lane.organization_id, self._lane.fence, delay, self._lane.failures
                    )
            case Unavailable(reason):
                await self._suspend(kind, reason)
            case Unknown():
                pass
            case Accepted(_, check_after):
                self._look_by(time.monotonic() + check_after.total_seconds())
                await self._recover()
            case Posted() | Rejected():
                await self._recover()
            case _:
                assert_never(outcome)

    def _look_by(self, moment: float) -> None:
        self._next_look = moment if self._next_look is None else min(self._next_look, moment)

    async def _recover(self) -> None:
        """The ERP answers again."""
        if not self._lane.failures:
            return
        self._lane.failures = 0
        async with acquire(self._shop.pool) as connection:
            await lane_store.clear_failures(connection, self._lane.organization_id, self._lane.fence)

    async def _suspend(self, kind: str, reason: str) -> None:
        async with transaction(self._shop.pool) as connection:
            if await suspend(connection, self._lane.organization_id, kind, reason):
                log.warning("connector_suspended", organization_id=self._lane.organization_id, connector=kind)

    async def _finish_run(self) -> None:
        async with transaction(self._shop.pool) as connection:
            await finish_if_done(connection, self._lane.organization_id)

    def _patience(self, idle_since: float) -> float:
        """Seconds to wait for a wake; 0 or less: the lane has been idle long enough."""
        now = time.monotonic()
        if self._lane.is_paused():
            return self._lane.paused_until - now
        look = None if self._next_look is None or self._adapter is None else max(self._next_look - now, SHORTEST_LOOK)
        if not self.is_idle:
            return look or self._shop.idle.total_seconds()
        if look is None and self._lane.is_wanted_elsewhere:
            return 0.0
        return look or idle_since + self._shop.idle.total_seconds() - now

    async def _drop_adapter(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            await adapter.connector.close()


async def _post(adapter: Adapter, posting: Posting, permit: Permit) -> PostOutcome:
    """An adapter raises only for bugs; what it had sent by then nobody knows."""
    try:
        return await adapter.connector.post(posting, permit)
    except Exception as error:  # noqa: BLE001  # whatever it is, the outcome is unknown and must be recorded as such
        log.error("adapter_failed", connector=adapter.kind, error=type(error).__name__)
        return Unknown(f"The adapter failed with {type(error).__name__}.")
