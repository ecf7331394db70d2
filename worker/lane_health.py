"""What outcomes teach a lane about the way to its ERP: back-off, recovery, suspension."""

import random
import time
from datetime import timedelta
from typing import assert_never

import structlog

from connectors.contract import Accepted, NotSent, Posted, PostOutcome, Rejected, Unavailable, Unknown
from worker.adapters import Adapter
from worker.domain.retry import back_off
from worker.lanes import Lane
from worker.store import connectors
from worker.store import lanes as lane_store
from worker.store.database import Pool, acquire, transaction
from worker.suspension import suspend

log = structlog.get_logger(__name__)


class LaneHealth:
    """Of one held lane. `learn` is at once and in memory, `record` makes it last."""

    def __init__(self, pool: Pool, lane: Lane) -> None:
        self._pool = pool
        self._lane = lane
        self._may_have_refusals = True

    def learn(self, outcome: PostOutcome) -> timedelta:
        """The delay that an outcome asks for; a lane that waits already is not made to wait longer."""
        if not isinstance(outcome, NotSent):
            return timedelta()
        if not self._lane.is_paused():
            self._lane.failures += 1
            self._lane.pause(back_off(self._lane.failures, random.random(), outcome.retry_after))  # noqa: S311  # spreads, hides nothing
        return timedelta(seconds=max(self._lane.paused_until - time.monotonic(), 0))

    async def record(self, outcome: PostOutcome, adapter: Adapter, delay: timedelta) -> None:
        """What came of a request that was made through the adapter."""
        match outcome:
            case NotSent():
                await self._pause(delay)
            case Unavailable(reason):
                await self.suspend(adapter.kind, reason, adapter.version)
            case Unknown():
                pass
            case Posted() | Accepted():
                await self._recover()
                await self._forget_refusals(adapter.kind)
            case Rejected():
                await self._recover()
            case _:
                assert_never(outcome)

    async def suspend(self, kind: str, reason: str, version: int | None = None) -> None:
        """The ERP refuses everything; the administrator's flag stays as it is. Requests on the wire outlive the
        credentials that they were made with, so what they tell is of their `version` alone."""
        self._may_have_refusals = True
        async with transaction(self._pool) as connection:
            if await suspend(connection, self._lane.organization_id, kind, reason, version):
                log.warning("connector_suspended", organization_id=self._lane.organization_id, connector=kind)

    async def _pause(self, delay: timedelta) -> None:
        lane = self._lane
        async with acquire(self._pool) as connection:
            await lane_store.pause(connection, lane.organization_id, lane.fence, delay, lane.failures)

    async def _recover(self) -> None:
        """The ERP answers again."""
        if not self._lane.failures:
            return
        self._lane.failures = 0
        async with acquire(self._pool) as connection:
            await lane_store.clear_failures(connection, self._lane.organization_id, self._lane.fence)

    async def _forget_refusals(self, kind: str) -> None:
        """Asked for once a lease: only a suspension can add to them."""
        if not self._may_have_refusals:
            return
        self._may_have_refusals = False
        async with acquire(self._pool) as connection:
            await connectors.forget_refusals(connection, self._lane.organization_id, kind)
