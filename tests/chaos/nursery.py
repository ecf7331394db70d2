"""Worker processes without the second that Python needs to start: a server that has imported the worker forks them.

Each is a real process with a pid of its own, which runs `run_worker` as the command does. It can be told to kill or
stop itself at a point of its code (`points.py`), or to be broken (`variants.py`): both wrap functions by name.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from tests.chaos.points import Blow, Deed, lay
from tests.chaos.variants import Variant, break_worker
from worker.settings import Settings

PR_SET_PDEATHSIG = 1
SECONDS_TO_DIE = 30.0
"""What a worker promises: its grace, and a few seconds to settle what has no answer by then."""
_IMPORTED = ["tests.chaos.nursery", "worker.bootstrap", "connectors.xledger", "connectors.business_central", "uvloop"]


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. `log` is appended to."""

    settings: Settings
    log: Path
    blow: Blow | None = None
    variant: Variant | None = None


class ForkedWorker:
    """A running worker. `ended` is set when the process is gone, `struck` when it came to the point of its blow."""

    def __init__(self, order: Order, process: multiprocessing.process.BaseProcess, bell: Connection) -> None:
        self.order = order
        self.ended = asyncio.Event()
        self.struck = asyncio.Event()
        self._was_told = False
        self._process = process
        self._bell = bell
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(process.sentinel, self._on_end)
        self._loop.add_reader(bell.fileno(), self._on_bell)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def has_crashed(self) -> bool:
        """Whether it ended by itself: nobody told it to, and its blow did not."""
        blow = self.order.blow
        was_blown = blow is not None and blow.deed is Deed.KILL and self.struck.is_set()
        return self.ended.is_set() and not self._was_told and not was_blown

    def last_words(self) -> str:
        """The end of its log, in one line."""
        lines = self.order.log.read_text("utf-8", errors="replace").splitlines() if self.order.log.exists() else []
        return lines[-1][-300:] if lines else "nothing"

    def pause(self) -> None:
        """SIGSTOP: as when a machine hangs or a container is frozen."""
        self._send(signal.SIGSTOP)

    def wake(self) -> None:
        self._send(signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer does."""
        self._tell()
        self._send(signal.SIGKILL)
        await self.ended.wait()

    async def leave(self, within: float = SECONDS_TO_DIE) -> bool:
        """SIGTERM. Answers whether it left in order and in time; otherwise it was killed.

        One that had not yet begun to heed signals is ended by SIGTERM itself: nothing was under way in it.
        """
        self._tell()
        self._send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended.wait(), within)
        except TimeoutError:
            await self.kill()
            return False
        return self._process.exitcode in {0, -signal.SIGTERM}

    def _tell(self) -> None:
        """What had ended before that has ended by itself."""
        self._was_told |= not self.ended.is_set()

    def _send(self, number: signal.Signals) -> None:
        if not self.ended.is_set():
            os.kill(self.pid, number)

    def _on_end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self.ended.set()

    def _on_bell(self) -> None:
        """Something was written, or the other end is gone."""
        self._loop.remove_reader(self._bell.fileno())
        try:
            self._bell.recv_bytes()
            self.struck.set()
        except EOFError:
            pass
        self._bell.close()


class Nursery:
    """Forks workers; `folder` takes their logs. Whatever still runs at the end is killed."""

    def __init__(self, folder: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_IMPORTED)
        self._folder = folder
        self._numbers = count(1)
        self._children: list[ForkedWorker] = []

    def start(self, settings: Settings, blow: Blow | None = None, variant: Variant | None = None) -> ForkedWorker:
        log = self._folder / f"worker-{next(self._numbers)}.log"
        order = Order(settings.model_copy(update={"log_format": "json"}), log, blow, variant)
        bell, rope = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_live, args=(order, rope))
        process.start()
        rope.close()
        worker = ForkedWorker(order, process, bell)
        self._children.append(worker)
        return worker

    def last_words(self) -> str:
        """Who runs and who has ended, and the end of each log."""
        return "\n".join(
            f"Worker {one.pid} {'has ended' if one.ended.is_set() else 'runs'}. It said last: {one.last_words()}"
            for one in self._children
        )

    async def let_leave(self) -> list[str]:
        """SIGTERM to all that run. Answers a sentence for each that did not leave in order, or had crashed before."""
        crashed = [worker for worker in self._children if worker.has_crashed]
        running = [worker for worker in self._children if not worker.ended.is_set()]
        left = await asyncio.gather(*(worker.leave() for worker in running))
        stayed = [worker for worker, in_order in zip(running, left, strict=True) if not in_order]
        return [
            *(f"A worker ended by itself. It said last: {worker.last_words()}" for worker in crashed),
            *(f"A worker did not leave in order. It said last: {worker.last_words()}" for worker in stayed),
        ]

    async def clear(self) -> None:
        """Also those that are paused: SIGKILL reaches them."""
        await asyncio.gather(*(worker.kill() for worker in self._children))
        self._children = []


def _live(order: Order, rope: Connection) -> None:
    """What the forked process does. Nothing was started before the fork: neither a thread nor an event loop."""
    import uvloop

    from worker.bootstrap import run_worker
    from worker.telemetry import configure_logging

    _die_with_the_nursery()
    _write_to(order.log)
    if order.variant is not None:
        break_worker(order.variant)
    if order.blow is not None:
        lay(order.blow, rope)
    configure_logging(order.settings.log_format)
    sys.exit(uvloop.run(run_worker(order.settings)))


def _die_with_the_nursery() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _write_to(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(file, number)
