"""One child program: its own process group, its log in a file, an end that is certain.

Children are `subprocess.Popen`, not asyncio's: they outlive the event loop they were started in, as
session-wide test fixtures need, and a uid can be dropped under uvloop as well.
"""

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02
TAIL_LINES = 15
# Below every usual range of client ports. A port that bind(0) gives lies inside that range: while a broker is
# down, a client that reconnects in a loop is sooner or later given it as its own, and the restart fails.
PORTS = range(20_000, 32_000)

_KEPT: list[socket.socket] = []
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServiceError(Exception):
    """A service did not start, or ended by itself. The text is for people and holds the end of the log."""


@dataclass(frozen=True, slots=True)
class User:
    """An account of this machine that a server is run as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start. `environment` replaces ours; `stop_signal` is also sent when our own process dies."""

    name: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str] | None = None
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    working_directory: Path = field(default=Path("/"))


class Process:
    """A started program. Start it from the main thread: on Linux it dies with the thread that started it."""

    def __init__(self, program: Program, folder: Path) -> None:
        """`folder` gets `NAME.log` (a restart appends) and, while it runs, `NAME.pid` for the reaper."""
        self.program = program
        self.log = folder / f"{program.name}.log"
        self._pid_file = folder / f"{program.name}.pid"
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._over = False
        self._child = self._spawn()
        self._pid_file.write_text(f"{self._child.pid} {int(program.stop_signal)}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        user = self.program.user
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(argument) for argument in self.program.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.program.environment,
                cwd=self.program.working_directory,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,
                # Popen runs this after the uid has changed; before, the change would clear the signal again.
                preexec_fn=_dying_with_us(self.program.stop_signal),  # noqa: PLW1509 -- no other way to prctl
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def output(self) -> str:
        """What it has written since this start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def line(self, text: str, *, timeout: float) -> None:
        """Wait until the log holds `text`. Raises ServiceError when it ends or `timeout` s pass first."""
        await self._until(lambda: text in self.output(), f'did not say "{text}"', timeout)

    async def port(self, port: int, *, timeout: float) -> None:
        """Wait until loopback `port` accepts a connection. Raises ServiceError like `line`."""
        await self._until(lambda: accepts_connections(port), f"did not open port {port}", timeout)

    async def finished(self, *, timeout: float) -> None:
        """Wait for a program that ends by itself. Raises ServiceError when it fails or takes longer."""
        if not await self._ended_within(timeout):
            raise self.failure(f"was not done within {timeout:g} s")
        await self.kill()
        if self._child.returncode != 0:
            raise self.failure(f"failed with {_status(self._child.returncode)}")

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    async def stop(self, how: signal.Signals | None = None, *, grace: float = 10) -> None:
        """Ask it to end, by its own signal or `how`; kill the whole group after `grace` s."""
        if self.running:
            self._child.send_signal(how or self.program.stop_signal)
            await self._ended_within(grace)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the group: also to what its leader left behind."""
        if self._over:  # the number may be another program's by now, and the file that of a restart
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._pid_file.unlink(missing_ok=True)
        self._over = True

    def failure(self, what: str) -> ServiceError:
        """A ServiceError that ends with the last lines of the log."""
        lines = [line for line in self.output().splitlines() if line.strip()][-TAIL_LINES:]
        said = "".join(f"\n    {line}" for line in lines) or "\n    (nothing)"
        return ServiceError(f"{self.program.name} {what}. It said last:{said}")

    async def _until(self, ready: Callable[[], bool], complaint: str, timeout: float) -> None:
        if not await _becomes_true(lambda: ready() or not self.running, timeout):
            raise self.failure(f"{complaint} within {timeout:g} s")
        if not self.running:
            raise self.failure(f"ended with {_status(self._child.returncode)} while starting")

    async def _ended_within(self, seconds: float) -> bool:
        return await _becomes_true(lambda: not self.running, seconds)


async def _becomes_true(question: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def free_port() -> int:
    """A loopback TCP port that nothing listens on now, and that no other run of ours gets until this process ends.

    A program that is not ours may still be faster.
    """
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _keep_for_us(port)
            return port


def _keep_for_us(port: int) -> None:
    """By a name on this machine that ends with the process. Raises OSError where another process has it already.

    Between the choice and the start, and while a server is down for a moment, nothing listens on its port: without
    this, runs beside each other take each other's now and then.
    """
    if sys.platform == "linux":  # elsewhere there are no such names
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0accounting-sync-port-{port}")
        except OSError:
            name.close()
            raise
        _KEPT.append(name)


def lost_port_race(error: ServiceError) -> bool:
    """Whether a service failed because another took its port between the choice and the start."""
    return "ddress already in use" in str(error)


def accepts_connections(port: int, host: str = "127.0.0.1", timeout: float = 1) -> bool:
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def _status(returncode: int) -> str:
    return f"status {returncode}" if returncode >= 0 else signal.Signals(-returncode).name


def _dying_with_us(how: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:  # macOS has no such call: there the reaper alone ends what we leave behind
        return None
    libc, parent, number = _LIBC, os.getpid(), int(how)

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above: no signal would ever come
            os._exit(1)

    return before_exec
