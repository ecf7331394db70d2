"""No progress: the process says why and ends. A loop that does not come round, or an event loop that stands still.

What moves is judged elsewhere: `progress` knows the loops, `audit` the work.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import structlog

from worker import telemetry
from worker.progress import Overdue, Pulse, Stall, StalledError
from worker.rounds import pause

log = structlog.get_logger(__name__)

LOOKS_PER_STALL = 20
EXIT_STATUS = 1


def give_up(pulse: Pulse, stall: Stall) -> StalledError:
    """Says it once; the error is for the caller to raise, so that its loop ends and the process with it."""
    if pulse.stall is None:
        pulse.stall = stall
        log.critical("stalled", loop=stall.loop, subject=stall.subject, why=stall.why, at=list(stall.at))
    return StalledError(stall.loop)


class Watchdog:
    """Looks whether every loop comes round. It does nothing else, so that nothing can hold it up."""

    def __init__(self, pulse: Pulse, patience: timedelta) -> None:
        self._pulse = pulse
        self._patience = patience.total_seconds()
        self._interval = self._patience / LOOKS_PER_STALL

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises StalledError."""
        while not stop.is_set():
            before = time.monotonic()
            await pause(stop, self._interval)
            self._run_once(overslept=time.monotonic() - before - self._interval)

    def _run_once(self, overslept: float) -> None:
        if overslept > self._interval:
            self._pulse.forgive(overslept)
        for loop, age in self._pulse.ages().items():
            telemetry.LOOP_SECONDS.labels(loop).set(age)
        late = [one for one in self._pulse.overdue() if one.seconds > self._patience]
        if late:
            raise give_up(self._pulse, _stall(max(late, key=lambda one: one.seconds)))


def _stall(late: Overdue) -> Stall:
    subject = f" of {late.subject}" if late.subject else ""
    why = (
        f"The loop {late.loop}{subject} has not come round: it is {late.seconds:.0f} s late. "
        "It waits for what does not come; the log says where in the code. The process ends to be started anew."
    )
    return Stall(late.loop, late.subject, why, tuple(_places(late.task)) if late.task else ())


def _places(task: asyncio.Task[Any]) -> Iterator[str]:
    """Where a task waits, outermost first. `Task.get_stack` tells the outermost frame alone."""
    awaited: Any = task.get_coro()
    while frame := getattr(awaited, "cr_frame", None):
        yield f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}"  # noqa: PTH119  # frozen modules have no path
        awaited = awaited.cr_await


class BlockedLoopGuard:
    """A thread that ends the process when the event loop stands still, since then nobody else can.

    It waits in many short pieces: a process that was stopped as a whole (SIGSTOP) loses one of them and is not blamed.
    """

    def __init__(self, patience: timedelta) -> None:
        self._seconds = patience.total_seconds()
        self._done = threading.Event()

    def start(self) -> None:
        """From the thread of the running event loop."""
        arguments = (asyncio.get_running_loop(), threading.get_ident())
        threading.Thread(target=self._watch, args=arguments, name="blocked-loop-guard", daemon=True).start()

    def stop(self) -> None:
        self._done.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._done.wait(self._seconds / LOOKS_PER_STALL):
            if not self._comes_round(loop):
                self._leave(thread)

    def _comes_round(self, loop: asyncio.AbstractEventLoop) -> bool:
        answered = threading.Event()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # closed: the process is on its way out
            return True
        return (
            any(answered.wait(self._seconds / LOOKS_PER_STALL) for _ in range(LOOKS_PER_STALL)) or self._done.is_set()
        )

    def _leave(self, thread: int) -> None:
        why = (
            f"The event loop has stood still for {self._seconds:.0f} s: a call blocks the whole process. "
            "The log says where in the code. The process ends to be started anew."
        )
        frame = sys._current_frames().get(thread)
        places = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_stack(frame)[-8:]]
        log.critical("stalled", loop="event_loop", subject="", why=why, at=places)
        os._exit(EXIT_STATUS)
