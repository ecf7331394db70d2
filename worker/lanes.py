"""Lane leases of this worker: taken, renewed together, given back. Only the holder posts for an organisation."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from schemas.outcome import ReimbursementOutcomeUnknown
from worker import telemetry
from worker.clock import passing
from worker.store import lanes, outbox
from worker.store.database import Pool, acquire, transaction
from worker.store.lanes import AbandonedItem, LeasedLane
from worker.telemetry import failure

log = structlog.get_logger(__name__)

SAFETY = 0.8
"""The share of a lease in which its holder sends; the rest covers what passes between a check and the first byte."""


class LeasePermit:
    """Leave to send until the lease's deadline on the clock of `passing`, counted from before it was asked for."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._is_revoked = False

    def is_valid(self) -> bool:
        return not self._is_revoked and passing() < self._deadline

    def extend(self, deadline: float) -> None:
        """What was revoked stays so."""
        self._deadline = deadline

    def revoke(self) -> None:
        self._is_revoked = True


@dataclass(slots=True)
class Lane:
    """A held lane. `failures` are the ERP's in a row; nothing is claimed before `paused_until` (monotonic seconds).

    `is_wanted_elsewhere`: this worker holds as many as it may, so one that is idle, waits for its ERP, or has had its
    turn is to be given back.
    `has_news`: there may be something to claim that the last claim did not see.
    """

    organization_id: str
    fence: int
    failures: int
    paused_until: float
    permit: LeasePermit
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_wanted_elsewhere: bool = False
    has_news: bool = True

    def tell(self) -> None:
        """Somebody says that there is something to do."""
        self.has_news = True
        self.wake.set()

    def is_paused(self) -> bool:
        return time.monotonic() < self.paused_until

    def pause(self, delay: timedelta) -> None:
        self.paused_until = max(self.paused_until, time.monotonic() + delay.total_seconds())


class LaneKeeper:
    """The lanes that this worker holds."""

    def __init__(self, pool: Pool, worker_id: UUID, lease: timedelta, capacity: int) -> None:
        self._pool = pool
        self._worker_id = worker_id
        self._lease = lease
        self._capacity = capacity
        self.held: dict[str, Lane] = {}

    @property
    def is_full(self) -> bool:
        return len(self.held) >= self._capacity

    async def take(self, hints: Iterable[str] | None) -> list[Lane]:
        """Leases what is free and has something to do; what an earlier holder left on the wire becomes `unknown`.

        A lane where that can't be written down costs the others nothing: it is not held, and its lease ends by itself.
        """
        room = self._capacity - len(self.held)
        if room <= 0:
            self._ask_for_room()
            return []
        deadline = self._deadline()
        async with acquire(self._pool) as connection:
            leased = await lanes.lease(connection, self._worker_id, self._lease, hints, room)
        fresh = [_lane(one, LeasePermit(deadline)) for one in leased]
        are_held = await asyncio.gather(*map(self._begin_to_hold, fresh))
        telemetry.LANES_HELD.set(len(self.held))
        return [lane for lane, is_held in zip(fresh, are_held, strict=True) if is_held]

    async def _begin_to_hold(self, lane: Lane) -> bool:
        """Whether it is held. What is held is renewed for as long as it is, so it must be handed out to somebody."""
        try:
            await self._abandon_leftovers(lane)
        except Exception as error:  # noqa: BLE001  # one lane's bug must not end the others; the lane is tried again
            log.error("lane_not_taken", organization_id=lane.organization_id, **failure(error))
            return False
        self.held[lane.organization_id] = lane
        return True

    async def renew(self) -> None:
        """Extends every lease; a lane that is no longer ours loses its permit at once."""
        if not self.held:
            return
        deadline = self._deadline()
        asked_for = list(self.held.values())
        fences = {lane.organization_id: lane.fence for lane in asked_for}
        async with acquire(self._pool) as connection:
            kept = await lanes.renew(connection, self._worker_id, self._lease, fences)
        for lane in filter(self._holds, asked_for):
            if lane.organization_id in kept:
                lane.permit.extend(deadline)
            else:
                self._lose(lane)

    async def give_back(self, lane: Lane, *, idle: bool, leaves_lost: bool = False) -> None:
        """`idle`: nothing is on the wire, so the lane is free at once; otherwise its lease has to end first.

        `leaves_lost`: items may be `sending` that nobody sends. The lane is free at once too, but as one whose holder
        is gone: it is taken again for their sake, whether or not anything else waits.

        It counts as held until then, or until it is dropped: a wake that comes meanwhile finds it, and is not lost.
        """
        lane.permit.revoke()
        if idle:
            free = lanes.end_lease if leaves_lost else lanes.release
            async with acquire(self._pool) as connection:
                await free(connection, lane.organization_id, lane.fence, self._worker_id)
        self.drop(lane)

    def drop(self, lane: Lane) -> None:
        """Its lease ends by itself, where it has not been given back."""
        if self._holds(lane):
            del self.held[lane.organization_id]
        telemetry.LANES_HELD.set(len(self.held))

    def _holds(self, lane: Lane) -> bool:
        """False also where the lane was lost and has been leased anew."""
        return self.held.get(lane.organization_id) is lane

    def _ask_for_room(self) -> None:
        for lane in self.held.values():
            lane.is_wanted_elsewhere = True
            lane.wake.set()

    def _deadline(self) -> float:
        return passing() + self._lease.total_seconds() * SAFETY

    def _lose(self, lane: Lane) -> None:
        log.warning("lane_lost", organization_id=lane.organization_id, fence=lane.fence)
        lane.permit.revoke()
        lane.wake.set()

    async def _abandon_leftovers(self, lane: Lane) -> None:
        async with transaction(self._pool) as connection:
            left = await lanes.abandon_sending(connection, lane.organization_id, lane.fence, self._worker_id)
            for item in left:
                log.warning(
                    "outcome_unknown",
                    organization_id=item.organization_id,
                    reimbursement_id=item.reimbursement_id,
                )
                await outbox.write(connection, _unknown(item))


def _lane(leased: LeasedLane, permit: LeasePermit) -> Lane:
    paused_until = time.monotonic() + leased.pause.total_seconds()
    return Lane(leased.organization_id, leased.fence, leased.failures, paused_until, permit)


def _unknown(item: AbandonedItem) -> ReimbursementOutcomeUnknown:
    return ReimbursementOutcomeUnknown(
        organization_id=item.organization_id,
        reimbursement_id=item.reimbursement_id,
        connector=item.connector,
        attempt=item.attempt,
        since=item.claimed_at,
    )
