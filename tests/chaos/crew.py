"""Workers that are kept running, as an orchestrator does it: one that leaves unasked is replaced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from tests.chaos.arena import Arena
from tests.chaos.nursery import ForkedWorker
from tests.scene import ALL_ROLES


class Crew:
    """`changes` are of the workers' settings."""

    def __init__(self, arena: Arena, **changes: object) -> None:
        self._arena = arena
        self._changes = changes
        self._watching: dict[ForkedWorker, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, arena: Arena, number: int, **changes: object) -> AsyncIterator[Self]:
        """They run on when the block ends, unwatched."""
        crew = cls(arena, **changes)
        crew.start(number)
        try:
            yield crew
        finally:
            crew._look_away()

    def start(self, number: int) -> None:
        for _ in range(number):
            worker = self._arena.worker(ALL_ROLES, None, **self._changes)
            self._watching[worker] = asyncio.create_task(self._watch(worker))

    async def leave(self) -> None:
        """All, in order."""
        workers = list(self._watching)
        self._look_away()
        for worker, in_order in zip(workers, await asyncio.gather(*(one.leave() for one in workers)), strict=True):
            if not in_order:
                self._arena.noticed.append(f"A worker did not leave in order. It said last: {worker.last_words()}")

    def has_logged(self, text: str) -> bool:
        """Whether one that runs now has written this."""
        logs = [worker.order.log for worker in self._watching]
        return any(text in log.read_text(errors="replace") for log in logs if log.exists())

    def _look_away(self) -> None:
        for task in self._watching.values():
            task.cancel()
        self._watching = {}

    async def _watch(self, worker: ForkedWorker) -> None:
        await worker.ended.wait()
        del self._watching[worker]
        self.start(1)
