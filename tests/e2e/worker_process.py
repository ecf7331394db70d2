"""A real worker: the command in a process of its own, which can be asked to leave, or killed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from deploy.local.processes import Process, Program, free_port
from deploy.local.run_folder import RunFolder
from worker.settings import Settings

COMMAND = Path(sys.executable).with_name("accounting-sync")
RUN = (COMMAND, "worker", "run")
SECONDS_TO_START = 60.0
POLL_SECONDS = 0.05
_NUMBERS = count(1)


class WorkerProcess:
    """`accounting-sync worker run` with the settings as environment; its log is a file in the folder."""

    def __init__(self, folder: RunFolder, settings: Settings, command: Sequence[str | Path] = RUN) -> None:
        self.probes = f"http://{settings.http_host}:{settings.probe_port}"
        self._process: Process = folder.start(
            Program(
                name=f"worker-{next(_NUMBERS)}",
                arguments=list(command),
                environment={**_without_settings(), **environment_of(settings)},
                working_directory=folder.path,
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.running

    def output(self) -> str:
        return self._process.output()

    async def ready(self) -> None:
        """Raises AssertionError with its log where it ends, or is not ready in time."""
        async with aiohttp.ClientSession() as http, asyncio.timeout(SECONDS_TO_START):
            while not await _answers(http, f"{self.probes}/readyz"):
                assert self.is_running, self.output()
                await asyncio.sleep(POLL_SECONDS)

    async def says(self, text: str) -> None:
        """Waits until its log holds the text."""
        await self._process.line(text, timeout=SECONDS_TO_START)

    def send(self, number: signal.Signals) -> None:
        self._process.send(number)

    async def leave(self, within: float) -> None:
        """SIGTERM, and no harder word: raises ServiceError where it takes longer or does not end with status 0."""
        self.send(signal.SIGTERM)
        await self.ends(within)

    async def ends(self, within: float) -> None:
        """By itself: raises ServiceError where it takes longer or does not end with status 0."""
        await self._process.finished(timeout=within)

    async def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer does."""
        await self._process.kill()


@asynccontextmanager
async def worker_process(
    folder: RunFolder, settings: Settings, *, command: Sequence[str | Path] = RUN, **changes: object
) -> AsyncIterator[WorkerProcess]:
    """A worker that is ready, with a probe port of its own."""
    own = settings.model_copy(update={"probe_port": free_port(), "log_format": "json", **changes})
    process = WorkerProcess(folder, own, command)
    try:
        await process.ready()
        yield process
    finally:
        await process.kill()


def log_of(worker: WorkerProcess) -> list[dict[str, Any]]:
    """Its own events; libraries say a line of their own now and then."""
    return [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]


def environment_of(settings: Settings) -> dict[str, str]:
    """What to set so that the command reads the same settings."""
    return {f"SYNC_{name.upper()}": _text(value) for name, value in settings if value is not None}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return ",".join(sorted(map(str, value))) if isinstance(value, frozenset) else str(value)


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")}


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.status == HTTPStatus.OK
    except aiohttp.ClientConnectionError:
        return False
