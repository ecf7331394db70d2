"""The migration runner: plain SQL files, each in one transaction, applied once and never changed afterwards.

`NNNN_name.pre.sql` runs before new code starts and must suit the old code; `.post.sql` runs once no old code is left.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from worker.store.database import Connection

_LOCK_KEY = 7_305_118_113
_NAME = re.compile(r"^(?P<version>\d{4})_[a-z0-9_]+\.(pre|post)\.sql$")
_LEDGER = """
create table if not exists schema_migration (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""


NO_TABLES = "The database has no tables yet. Run: accounting-sync migrate up"


class MigrationError(Exception):
    """The database and the migrations don't fit together; the text says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration and when it was applied; None: it waits."""

    version: int
    name: str
    applied_at: datetime | None


def shipped() -> list[Migration]:
    """The migrations of this version, in order. Raises MigrationError for a file with an unusable name or number."""
    found = [
        _migration(path.name, path.read_text(encoding="utf-8"))
        for path in files("worker.store").joinpath("migrations").iterdir()
        if path.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("The migrations are not numbered 0001, 0002, … without gaps.")
    return found


async def migrate(connection: Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Applies what waits and answers it. Two processes at once: the second waits, then finds nothing to do."""
    await _require_utf8(connection)
    wanted = shipped() if migrations is None else migrations
    await connection.execute("set lock_timeout = 0; set statement_timeout = 0")
    await connection.execute("select pg_advisory_lock($1)", _LOCK_KEY)
    try:
        await connection.execute(_LEDGER)
        waiting = _waiting(wanted, await _applied(connection))
        for migration in waiting:
            await _apply(connection, migration)
        return waiting
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK_KEY)
        await connection.execute("reset lock_timeout; reset statement_timeout")


async def status(connection: Connection) -> list[Standing]:
    """Every shipped migration with its time. Reads only, also on an empty database."""
    exists = await connection.fetchval("select to_regclass('schema_migration') is not null")
    applied = await _applied(connection) if exists else {}
    _waiting(shipped(), applied)
    return [
        Standing(m.version, m.name, applied[m.version].applied_at if m.version in applied else None) for m in shipped()
    ]


async def require(connection: Connection, migrations: Sequence[Migration] | None = None) -> None:
    """Raises MigrationError where what this version needs at its start is missing: the tables, or a `.pre` migration.

    What a newer version has added is no hindrance, nor is a `.post` that waits: in an upgrade both work side by side.
    """
    may_look = await connection.fetchval("select has_table_privilege(to_regclass('schema_migration'), 'select')")
    if may_look is None:
        raise MigrationError(NO_TABLES)
    if not may_look:
        return  # a worker whose user was granted its own tables alone
    applied = await _applied(connection)
    wanted = shipped() if migrations is None else migrations
    lacking = [one for one in wanted if one.name.endswith(".pre.sql") and one.version not in applied]
    if lacking and not applied:
        raise MigrationError(NO_TABLES)
    if lacking:
        raise MigrationError(
            f"The database lacks {lacking[0].name}, which this version needs. Run: accounting-sync migrate up"
        )


async def _require_utf8(connection: Connection) -> None:
    encoding = await connection.fetchval("show server_encoding")
    if encoding != "UTF8":
        raise MigrationError(f"The database's encoding is {encoding}, not UTF8. Make it anew with UTF8.")


@dataclass(frozen=True, slots=True)
class _Applied:
    checksum: str
    applied_at: datetime


def _migration(name: str, sql: str) -> Migration:
    match = _NAME.match(name)
    if not match:
        raise MigrationError(f"{name} is not named like 0001_name.pre.sql.")
    return Migration(int(match["version"]), name, sql)


async def _applied(connection: Connection) -> dict[int, _Applied]:
    rows = await connection.fetch("select version, checksum, applied_at from schema_migration")
    return {row["version"]: _Applied(row["checksum"], row["applied_at"]) for row in rows}


def _waiting(wanted: Sequence[Migration], applied: dict[int, _Applied]) -> list[Migration]:
    unknown = sorted(set(applied) - {migration.version for migration in wanted})
    if unknown:
        raise MigrationError(
            f"The database has migration {unknown[-1]:04}, which this version does not know. Use a newer one."
        )
    for migration in wanted:
        if migration.version in applied and applied[migration.version].checksum != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied. Restore it and add a new migration."
            )
    return [migration for migration in wanted if migration.version not in applied]


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into schema_migration (version, name, checksum) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.checksum,
        )
