"""Claims of all lanes, made together: what is wished for at once costs one commit."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from worker.claiming import Answer, Wish, claim, claim_together
from worker.progress import LONGEST_REST, Beat, unwatched
from worker.store.database import DatabaseAwayError, Pool
from worker.telemetry import failure

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 100
MOST_ITEMS_AT_ONCE = 500
"""Where ERPs take many documents in one request: a claim must neither last long nor hold the event loop up."""


@dataclass(slots=True)
class _Waiting:
    wish: Wish
    answer: asyncio.Future[Answer]


class _Counter:
    """Where wishes wait for their turn."""

    def __init__(self, beat: Beat) -> None:
        self._beat = beat
        self.queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def batch(self) -> list[_Waiting]:
        """As soon as there is one: whatever is there."""
        batch = [await self._one()]
        while not self.queue.empty() and len(batch) < MOST_AT_ONCE and _items(batch) < MOST_ITEMS_AT_ONCE:
            batch.append(self.queue.get_nowait())
        return batch

    async def _one(self) -> _Waiting:
        while True:
            self._beat(rests=LONGEST_REST)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_REST):
                    return await self.queue.get()


class Claimer:
    """A lane whose connector somebody holds, or whose items can't be read, is claimed for by itself.

    It must not hold up the others, nor fail them. Nor does a lane with nothing on the wire wait for those that are
    being drained: its claims are made beside theirs. An organisation's lane that was lost and leased again may wish
    twice at once: each wish has an answer of its own, so nothing is ever handed out twice.
    """

    def __init__(self, pool: Pool, worker_id: UUID, beat: Beat = unwatched, first_beat: Beat = unwatched) -> None:
        """`first_beat` is of the claims for lanes with nothing on the wire."""
        self._pool = pool
        self._worker_id = worker_id
        self._next = _Counter(beat)
        self._first = _Counter(first_beat)
        self._alone: set[asyncio.Task[None]] = set()

    async def claim(self, wish: Wish) -> Answer:
        """As `claiming.claim`, with others in one transaction. Raises DatabaseAwayError; LostClaimError in each lane
        that was claimed for together."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        counter = self._next if wish.is_under_way else self._first
        counter.queue.put_nowait(_Waiting(wish, answer))
        return await answer

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for counter in (self._next, self._first):
                    group.create_task(self._serve(counter))
        finally:
            for task in self._alone:
                task.cancel()
            await asyncio.gather(*self._alone, return_exceptions=True)

    async def _serve(self, counter: _Counter) -> None:
        while True:
            await self._run_once(counter)

    async def _run_once(self, counter: _Counter) -> None:
        batch = [waiting for waiting in await counter.batch() if not waiting.answer.done()]
        if batch:
            await self._claim(batch)

    async def _claim(self, batch: Sequence[_Waiting]) -> None:
        together = {waiting.wish.organization_id: waiting for waiting in batch}
        answers: dict[str, Answer] = {}
        try:
            wishes = [waiting.wish for waiting in together.values()]
            answers = await claim_together(self._pool, self._worker_id, wishes)
        except DatabaseAwayError as error:
            for waiting in batch:
                _fail(waiting, error)
            return
        except Exception as error:  # noqa: BLE001  # one lane's bug must not end the others: each is tried by itself
            log.error("claimed_one_by_one", lanes=len(batch), **failure(error))
        for name, answer in answers.items():
            _tell(together[name], answer)
        for waiting in batch:
            if not waiting.answer.done():
                self._start_alone(waiting)

    def _start_alone(self, waiting: _Waiting) -> None:
        task = asyncio.create_task(self._claim_alone(waiting))
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    async def _claim_alone(self, waiting: _Waiting) -> None:
        try:
            _tell(waiting, await claim(self._pool, self._worker_id, waiting.wish))
        except Exception as error:  # noqa: BLE001  # raised in the lane that asked, which knows what to do
            _fail(waiting, error)


def _items(batch: Sequence[_Waiting]) -> int:
    return sum(waiting.wish.limit for waiting in batch)


def _tell(waiting: _Waiting, answer: Answer) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(answer)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
