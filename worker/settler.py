"""Settlements of all lanes, written together: what is ready at once costs one commit."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog

from worker import telemetry
from worker.domain.retry import back_off
from worker.progress import LONGEST_REST, Beat, unwatched
from worker.store import items
from worker.store.database import DatabaseAwayError, Pool, acquire
from worker.store.items import AttemptKey, Settlement

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200
REFUSED = (asyncpg.PostgresError, asyncpg.InterfaceError)
"""What is left of asyncpg's errors once those that pass are translated."""


@dataclass(slots=True)
class _Waiting:
    settlement: Settlement
    done: asyncio.Future[bool]


class Settler:
    """An outcome is precious: it is written again and again until PostgreSQL has it."""

    def __init__(self, pool: Pool, worker_id: UUID, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._beat = beat
        self._worker_id = worker_id
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def settle(self, settlement: Settlement) -> bool:
        """Whether the item changed. False: it had moved on, and the outcome is kept as late evidence."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(settlement, done))
        return await done

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._run_once()

    async def _run_once(self) -> None:
        batch = [await self._first()]
        while not self._queue.empty() and len(batch) < MOST_AT_ONCE:
            batch.append(self._queue.get_nowait())
        try:
            changed = await self._write([waiting.settlement for waiting in batch])
        except REFUSED as error:
            await self._write_one_by_one(batch, error)
        else:
            for waiting in batch:
                _answer(waiting, changed)

    async def _first(self) -> _Waiting:
        """As soon as there is one."""
        while True:
            self._beat(rests=LONGEST_REST)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_REST):
                    return await self._queue.get()

    async def _write(self, settlements: Sequence[Settlement]) -> set[AttemptKey]:
        """Repeats while PostgreSQL is away; a reply that was lost changes nothing the second time."""
        failures = 0
        while True:
            try:
                async with acquire(self._pool) as connection:
                    return await items.settle(connection, self._worker_id, settlements)
            except DatabaseAwayError as error:
                failures += 1
                log.warning("not_settled_yet", count=len(settlements), error=str(error))
                delay = back_off(min(failures, 4), random.random())  # noqa: S311  # spreads, hides nothing
                self._beat(rests=delay.total_seconds() / 4)
                await asyncio.sleep(delay.total_seconds() / 4)

    async def _write_one_by_one(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """A settlement that PostgreSQL refuses is a bug of ours; it must not cost its neighbours theirs."""
        if len(batch) == 1:
            _fail(batch[0], error)
            return
        for waiting in batch:
            try:
                _answer(waiting, await self._write([waiting.settlement]))
            except REFUSED as own_error:
                _fail(waiting, own_error)


def _answer(waiting: _Waiting, changed: set[AttemptKey]) -> None:
    attempt = waiting.settlement.attempt
    verdict = waiting.settlement.verdict
    counter = telemetry.ATTEMPTS if waiting.settlement.kind == "settled" else telemetry.LOOK_UPS
    counter.labels(attempt.connector, verdict.outcome).inc()
    if not waiting.done.done():
        waiting.done.set_result(attempt.key in changed)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
