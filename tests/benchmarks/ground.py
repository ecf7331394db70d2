"""What all sections stand on: the services of one run, a fresh database for each measurement, the peers' Python."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from deploy.local.database import create_database, drop_database
from deploy.local.services import Services
from worker.store.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
PEERS_LOCK = PEERS / "requirements.lock"
PEERS_VENV = ROOT / ".cache" / "benchmark-peers"
_NUMBERS = count(1)


@dataclass(frozen=True)
class Ground:
    """`quick`: small numbers and one round, to see that it works; its figures mean nothing."""

    services: Services
    quick: bool
    tell: Callable[[str], None]
    peers_python: Path

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3

    def size(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    @asynccontextmanager
    async def database(self, *, migrated: bool = True) -> AsyncIterator[str]:
        """The address of an empty database, dropped at the end. `migrated`: with the worker's own tables."""
        name = f"bench_{next(_NUMBERS)}"
        await create_database(self.services.database_url, name)
        url = self.services.database_url.rsplit("/", 1)[0] + "/" + name
        try:
            if migrated:
                connection = await asyncpg.connect(url)
                try:
                    await migrate(connection)
                finally:
                    await connection.close()
            yield url
        finally:
            await drop_database(self.services.database_url, name)


async def make_peers_venv(tell: Callable[[str], None]) -> Path:
    """The Python of a virtual environment with the peers, as pinned in their own lock. Made once."""
    python, stamp = PEERS_VENV / "bin" / "python", PEERS_VENV / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == PEERS_LOCK.read_bytes():
        return python
    tell("Installing the peers into an environment of their own, once")
    await _run([sys.executable, "-m", "venv", "--clear", str(PEERS_VENV)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    await _run([*pip, "--require-hashes", "-r", str(PEERS_LOCK)])
    stamp.write_bytes(PEERS_LOCK.read_bytes())
    return python


async def _run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=os.environ)
    if await process.wait():
        raise RuntimeError(f"{Path(command[0]).name} failed, see above.")
