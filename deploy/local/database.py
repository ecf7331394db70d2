"""A PostgreSQL server of its own, from the server programs of this machine or of the embedded wheel."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import asyncpg

from deploy.local.processes import Process, Program, ServiceError, User, free_port, lost_port_race
from deploy.local.run_folder import RunFolder, open_to_all

OWNER = "sync"
DATABASE = "accounting_sync"
START_SECONDS = 60
STOP_SECONDS = 20
TRIES = 3
UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
}
INITIAL = ("--encoding=UTF8", "--locale=C", "--no-sync")
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """A folder with `initdb` and `postgres`, and their major version."""

    folder: Path
    version: int


class PostgresCluster:
    """One server. The owner named in the DSNs is its superuser."""

    def __init__(self, folder: RunFolder, programs: Path, user: User | None, *, durable: bool) -> None:
        self._folder = folder
        self._programs = programs
        self._user = user
        self._settings = SETTINGS if durable else SETTINGS | FORGETFUL
        self._home = folder.make("postgresql", user)
        self._password = secrets.token_urlsafe(24)
        self._port = free_port()
        self._process: Process | None = None

    @property
    def dsn(self) -> str:
        """Of the empty database `accounting_sync`."""
        return self._dsn(DATABASE)

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: RunFolder, programs: PostgresPrograms, *, durable: bool = True) -> AsyncIterator[Self]:
        """A server that answers. Not `durable`: fast, and a crash of the machine (not of it) loses data.

        Raises ServiceError.
        """
        user = unprivileged_user()
        reachable = await asyncio.to_thread(reachable_programs, folder, programs.folder, user)
        cluster = cls(folder, reachable, user, durable=durable)
        try:
            await cluster._initialise()
            await cluster._first_start()
            await create_database(cluster._dsn("postgres"), DATABASE)
            yield cluster
        finally:
            await cluster.crash()  # its data is deleted next; this way it still gives its shared memory back

    async def crash(self) -> None:
        """Immediate stop: no checkpoint, connections cut; the next start recovers from the log."""
        await self.stop(signal.SIGQUIT)

    async def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Fast stop: transactions are rolled back, a checkpoint is written."""
        if self._process:
            await self._process.stop(how, grace=STOP_SECONDS)

    async def restart(self) -> None:
        """Start it again on the same port and data; stops it first when it runs."""
        await self.stop()
        await self._run()

    async def _initialise(self) -> None:
        password_file = self._home / "password"
        password_file.write_text(self._password)
        if self._user:
            os.chown(password_file, self._user.uid, self._user.gid)
        owner = ("-U", OWNER, f"--pwfile={password_file}", "--auth=scram-sha-256")
        program = self._program("initdb", "-D", self._data, *owner, *INITIAL)
        await self._folder.start(program).finished(timeout=START_SECONDS)
        password_file.unlink()

    async def _first_start(self) -> None:
        for attempt in range(TRIES):
            try:
                await self._run()
            except ServiceError as error:
                if attempt + 1 == TRIES or not lost_port_race(error):
                    raise
                self._port = free_port()
            else:
                return

    async def _run(self) -> None:
        settings = self._settings | {"port": str(self._port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._folder.start(self._program("postgres", "-D", self._data, *options))
        await self._process.line("database system is ready to accept connections", timeout=START_SECONDS)

    def _program(self, name: str, *arguments: str | Path) -> Program:
        return Program(
            name=name,
            arguments=[self._programs / name, *arguments],
            environment=_environment(),
            user=self._user,
            # Also when we die: it ends its backends and gives shared memory back, which SIGKILL would not.
            stop_signal=signal.SIGQUIT,
        )

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _dsn(self, database: str) -> str:
        return f"postgresql://{OWNER}:{self._password}@127.0.0.1:{self._port}/{database}"


async def create_database(dsn: str, name: str, template: str | None = None) -> None:
    """`template`: a database to copy, with nobody connected. `dsn`: any other one of the server."""
    copied = f" TEMPLATE {_quoted(template)}" if template else ""
    await _execute(dsn, f"CREATE DATABASE {_quoted(name)}{copied}")


async def drop_database(dsn: str, name: str) -> None:
    """Cuts the connections that are still open to it; does nothing when it is gone already."""
    await _execute(dsn, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _environment() -> dict[str, str]:
    """Ours without PGPORT, PGDATA and their like, which would change the server; messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def unprivileged_user() -> User | None:
    """Whom PostgreSQL is run as: itself refuses root. None when we are nobody special."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` here.")


def reachable_programs(folder: RunFolder, programs: Path, user: User | None) -> Path:
    """`programs`, or a copy when `user` may not run them: a folder above may be closed, as /root is."""
    if user is None or open_to_all(programs / "postgres"):
        return programs
    home = folder.make("postgresql-programs", user)
    copied = _copied_installation(home, programs)
    for parent, folders, files in os.walk(home):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, user.uid, user.gid, follow_symlinks=False)
    return copied


def _copied_installation(home: Path, programs: Path) -> Path:
    """PREFIX/{bin,lib,share}, and the wheel's libraries where its programs look: ../../../NAME.libs."""
    prefix = programs.parent
    package = prefix.parent
    copy = home / package.name / prefix.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(prefix / part, copy / part, ignore=shutil.ignore_patterns("*.a"), symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return copy / programs.name
