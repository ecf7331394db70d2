"""The temporary folder of one run: it owns every process started in it, and nothing outlives it."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from deploy.local import reaper
from deploy.local.processes import Process, Program, User

PREFIX = "accounting-sync-"


class RunFolder:
    """A folder under the system's temporary one, and the processes that write there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._processes: list[Process] = []

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Leaving it, in whatever way, ends what runs in it and deletes it. After kill -9 the reaper does."""
        folder = cls(Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent())))
        folder.path.chmod(0o711)  # the unprivileged user of the database passes through
        watcher = _start_reaper(folder.path)
        try:
            yield folder
        finally:
            await folder._clear()
            await asyncio.to_thread(watcher.communicate)

    def start(self, program: Program) -> Process:
        """Start it; its log is `NAME.log` in the folder. The folder stops it if nobody did before."""
        process = Process(program, self.path)
        self._processes.append(process)
        return process

    def make(self, name: str, user: User | None = None) -> Path:
        """A new subfolder that only `user` (else ourselves) may read."""
        path = self.path / name
        path.mkdir(mode=0o700)
        if user:
            os.chown(path, user.uid, user.gid)
        return path

    async def _clear(self) -> None:
        # Killed, not asked: nothing here is kept, and an orderly end of a JVM costs seconds. What needs one
        # (PostgreSQL, for its shared memory) has had it from its own context manager.
        for process in reversed(self._processes):
            await process.kill()
        await asyncio.to_thread(reaper.remove, self.path)


def _start_reaper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", reaper.__file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # else whoever reads our output would wait for the reaper as well
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _parent() -> str | None:
    """The usual temporary folder, unless we are root and a server's unprivileged user cannot get there."""
    usual = Path(tempfile.gettempdir())
    if os.geteuid() != 0 or open_to_all(usual):
        return None
    return "/var/tmp"  # noqa: S108 -- mkdtemp makes a private folder with an unguessable name there


def open_to_all(path: Path) -> bool:
    """Whether every user of this machine may pass through `path` and all folders above it."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.resolve().parents))
