"""Starts, watches and stops the loops. One that ends by itself ends the process, so that somebody starts it again."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta

import structlog

from worker.telemetry import failure

log = structlog.get_logger(__name__)

Loop = Callable[[asyncio.Event], Coroutine[None, None, None]]


class Supervisor:
    """Runs the loops by name until one fails or a signal asks to stop."""

    def __init__(self, loops: Mapping[str, Loop], grace: timedelta) -> None:
        """`grace`: how long the other loops may take to stop once one has failed; what hangs may never stop."""
        self._loops = loops
        self._grace = grace
        self.stop = asyncio.Event()

    async def run(self) -> int:
        """The process's exit status: 0 when asked to stop, 1 when a loop failed. A second signal leaves at once."""
        self._heed_signals()
        tasks = {asyncio.create_task(loop(self.stop), name=name) for name, loop in self._loops.items()}
        asked = asyncio.create_task(self.stop.wait())
        await asyncio.wait({*tasks, asked}, return_when=asyncio.FIRST_COMPLETED)
        ended_early = [task for task in tasks if task.done()] if not self.stop.is_set() else []
        self.stop.set()
        if ended_early:
            await self._leave_by_force(tasks)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for task, result in zip(tasks, results, strict=True):
            if isinstance(result, BaseException):
                log.error("loop_failed", loop=task.get_name(), **failure(result))
        for task in ended_early:
            log.error("loop_ended", loop=task.get_name())
        return 1 if ended_early or any(isinstance(result, BaseException) for result in results) else 0

    async def _leave_by_force(self, tasks: set[asyncio.Task[None]]) -> None:
        """Ends the process where loops are still there after the grace."""
        _, hung = await asyncio.wait(tasks, timeout=self._grace.total_seconds())
        if hung:
            log.error("loops_did_not_stop", loops=sorted(task.get_name() for task in hung))
            os._exit(1)

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.stop.is_set():
            os._exit(1)
        log.info("stopping")
        self.stop.set()
