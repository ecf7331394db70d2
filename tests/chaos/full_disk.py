"""A disk that can be filled: the tables that grow most are moved to a small file system in memory.

The write-ahead log stays where it is: PostgreSQL answers a full disk there by stopping, which is another fault.
Where the right to mount is missing, there is no such disk, and the table of faults says so.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg

from deploy.local.database import unprivileged_user
from deploy.local.run_folder import RunFolder

SIZE = "24m"
FILE_SYSTEM = "tmpfs"
GROWING = ("item", "attempt_entry", "outbox", "toggle_event", "sync_log", "dead_letter")
CHUNK = bytes(64 * 1024)


class SmallDisk:
    """`fill` takes what is left of it, `free` gives that back."""

    def __init__(self, place: Path) -> None:
        self._ballast = place / "ballast"

    @classmethod
    @asynccontextmanager
    async def mounted(cls, folder: RunFolder, dsn: str) -> AsyncIterator[Self | None]:
        """None where this process may not mount. The tables go there, and come back at the end."""
        place = folder.make("small-disk")
        if not await asyncio.to_thread(_mount, place):
            place.rmdir()
            yield None
            return
        try:
            await _move(dsn, _space(place))
            disk = cls(place)
            yield disk
            disk.free()
            await _move(dsn, None)
        finally:
            await asyncio.to_thread(_unmount, place)
            place.rmdir()

    async def fill(self) -> None:
        await asyncio.to_thread(self._fill)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def _fill(self) -> None:
        size = len(CHUNK)
        with self._ballast.open("ab", buffering=0) as ballast:
            while size:
                try:
                    ballast.write(CHUNK[:size])
                except OSError:
                    size //= 2


def _mount(place: Path) -> bool:
    if os.geteuid() != 0:
        return False
    options = f"size={SIZE},mode=0711"
    command = ["mount", "-t", FILE_SYSTEM, "-o", options, FILE_SYSTEM, str(place)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _unmount(place: Path) -> None:
    """Lazily: PostgreSQL may still hold files open there if this run failed."""
    subprocess.run(["umount", "--lazy", place], check=True)


def _space(place: Path) -> Path:
    """A folder of PostgreSQL's own."""
    space = place / "space"
    space.mkdir(mode=0o700)
    if user := unprivileged_user():
        os.chown(space, user.uid, user.gid)
    return space


async def _move(dsn: str, space: Path | None) -> None:
    """To the folder, or back to where PostgreSQL keeps its tables by itself."""
    connection = await asyncpg.connect(dsn)
    try:
        if space:
            await connection.execute(f"create tablespace small location '{space}'")
        target = "small" if space else "pg_default"
        for table in GROWING:
            await connection.execute(f"alter table {table} set tablespace {target}")
        for index in await connection.fetch("select indexname from pg_indexes where tablename = any($1)", GROWING):
            await connection.execute(f"alter index {index['indexname']} set tablespace {target}")
        if not space:
            await connection.execute("checkpoint")
            await connection.execute("drop tablespace small")
    finally:
        await connection.close()
