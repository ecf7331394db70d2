"""Ends what a process that stands still holds in PostgreSQL, where PostgreSQL itself would wait for it for ever.

A process that is stopped, or whose machine is gone without a word, may be between the preparation of a statement and
its execution. PostgreSQL then waits for it as for one that is at work, past every time-out that it has, and what the
transaction has locked, such as a connector that is to be switched off, stays locked.
"""

import asyncio
from datetime import timedelta

import structlog

from worker.progress import Beat, LoopName, unwatched
from worker.rounds import in_rounds
from worker.store import backends
from worker.store.database import IDLE_IN_TRANSACTION_SECONDS, Pool, acquire

log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=IDLE_IN_TRANSACTION_SECONDS)
"""As PostgreSQL's own with those that it can tell."""


class SilentSessions:
    """Looks again and again, in every worker that has the role, since any may be the one that stands still."""

    def __init__(self, pool: Pool, every: timedelta, beat: Beat = unwatched, patience: timedelta = PATIENCE) -> None:
        self._pool = pool
        self._every = every
        self._beat = beat
        self._patience = patience

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        await in_rounds(LoopName.SILENT_SESSIONS, self._run_once, stop, every=self._every, beat=self._beat)

    async def _run_once(self) -> None:
        async with acquire(self._pool) as connection:
            ended = await backends.end_silent(connection, self._patience)
        if ended:
            log.warning("silent_sessions_ended", count=len(ended))
