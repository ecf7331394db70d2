"""`python -m deploy.local run` as a process, watched from outside: what it says, and what it leaves."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local.processes import accepts_connections

REPOSITORY = Path(__file__).resolve().parents[2]
EMBEDDED = {"BROKER": "embedded", "DATABASE": "embedded"}
END_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Left:
    """What a run had, and may not leave."""

    folder: Path
    processes: list[psutil.Process]
    ports: set[int]

    def assert_nothing_is_there(self) -> None:
        _becomes_true(lambda: not any(map(_alive, self.processes)))
        assert not [process for process in self.processes if _alive(process)]
        assert not self.folder.exists()
        assert not [port for port in self.ports if accepts_connections(port)]


@dataclass(slots=True)
class Run:
    """`said` is what came on standard output so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def until(self, text: str) -> str:
        """The first line that holds it."""
        for line in self.process.stdout or ():
            self.said.append(line.rstrip("\n"))
            if text in line:
                return self.said[-1]
        raise AssertionError(f"it ended without {text!r}: {self.text}")

    def to_the_end(self) -> int:
        """The exit status."""
        self.said += [line.rstrip("\n") for line in self.process.stdout or ()]
        return self.process.wait(END_SECONDS)

    def what_it_has(self) -> Left:
        children = psutil.Process(self.process.pid).children(recursive=True)
        [folder] = [line[-1] for line in map(_command_of, children) if any(part.endswith("reaper.py") for part in line)]
        return Left(Path(folder), children, {port for child in children for port in _ports(child)})

    def as_soon_as_it_listens(self) -> Left:
        """The earliest moment at which there is a service to end."""
        children = psutil.Process(self.process.pid).children
        _becomes_true(lambda: any(map(_ports, children(recursive=True))))
        return self.what_it_has()

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def cells_of(self, *names: str) -> list[str]:
        """The cells of the table's row that starts with them."""
        rows = [re.split(r"\s{2,}", line) for line in self.said]
        return next(row for row in rows if tuple(row[: len(names)]) == names)


@contextmanager
def a_run(*arguments: str, **environ: str) -> Iterator[Run]:
    """Standard error goes where standard output goes, so that a traceback is seen."""
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "run", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environ,
    ) as process:
        try:
            yield Run(process)
        finally:
            process.kill()


def _ports(process: psutil.Process) -> set[int]:
    try:
        listening = process.net_connections(kind="tcp")
    except psutil.Error:
        return set()
    return {each.laddr.port for each in listening if each.status == psutil.CONN_LISTEN}


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _becomes_true(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not question() and time.monotonic() < deadline:
        time.sleep(0.05)
