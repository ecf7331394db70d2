"""Scheduled runs: one worker starts each, and one that was missed is caught up once."""

import asyncio
from datetime import timedelta

import structlog

from worker.domain.schedule import InvalidScheduleError, next_run_after
from worker.progress import Beat, LoopName, unwatched
from worker.rounds import in_rounds
from worker.runs import WORKER, start_run
from worker.store import connectors
from worker.store.connectors import DueSchedule
from worker.store.database import Connection, Pool, transaction
from worker.store.runs import RunKind

log = structlog.get_logger(__name__)


class Scheduler:
    """Looks for runs that are due."""

    def __init__(self, pool: Pool, poll: timedelta, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._poll = poll
        self._beat = beat

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        await in_rounds(LoopName.SCHEDULE, self._run_once, stop, every=self._poll, beat=self._beat)

    async def _run_once(self) -> None:
        while await self._start_one():
            self._beat()

    async def _start_one(self) -> bool:
        """Of those that are due; whether there was one."""
        async with transaction(self._pool) as connection:
            due = await connectors.next_due_schedule(connection)
            if due is None:
                return False
            await start_due_run(connection, due)
        return True


async def start_due_run(connection: Connection, due: DueSchedule) -> None:
    """The next time is counted from now, so that however many were missed, one catches up."""
    locked = await connectors.lock(connection, due.organization_id)
    flag = next(one.flag for one in locked if one.flag.kind == due.kind)
    if not flag.suspended:
        await start_run(connection, due.organization_id, flag, RunKind.SCHEDULE, WORKER, "worker")
    try:
        following = next_run_after(due.schedule, due.time_zone, due.now)
    except InvalidScheduleError:
        log.error("schedule_not_understood", organization_id=due.organization_id, connector=due.kind)
        following = due.now + timedelta(days=1)
    await connectors.set_next_run(connection, due.organization_id, due.kind, following)
