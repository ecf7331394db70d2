"""Bringing a switch-off to its end where no worker does: all may be stopped for the very maintenance it is for."""

from datetime import timedelta
from uuid import uuid4

from worker.lanes import LaneKeeper
from worker.store.database import Pool, transaction
from worker.toggles import finish_switching_off

BRIEF_LEASE = timedelta(seconds=5)


async def quiesce(pool: Pool, organization_id: str, kind: str) -> None:
    """Takes the lane for a moment where its holder is gone, so that what was left on the wire is called unknown.

    Does nothing while a worker holds the lane: that one ends what is in flight.
    """
    keeper = LaneKeeper(pool, uuid4(), BRIEF_LEASE, capacity=1)
    for lane in await keeper.take([organization_id]):
        await keeper.give_back(lane, idle=True)
    async with transaction(pool) as connection:
        await finish_switching_off(connection, organization_id, kind)
