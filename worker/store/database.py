"""Connections to PostgreSQL: one pool with every time-out set, and what counts as "the database is away"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

OwnConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 30.0
_SERVER_SETTINGS = {
    "application_name": "accounting-sync",
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}

DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.CannotConnectNowError,
)
"""Errors that pass: connection lost, server stopping or full, a deadlock, a time-out. The work is repeated by key."""


async def open_pool(dsn: str, size: int = 10) -> Pool:
    """Raises one of `DATABASE_AWAY` where PostgreSQL can't be reached."""
    return await asyncpg.create_pool(
        dsn, min_size=1, max_size=size, command_timeout=COMMAND_SECONDS, server_settings=_SERVER_SETTINGS
    )


async def connect(dsn: str) -> OwnConnection:
    """A connection of its own, for LISTEN and for migrations."""
    return await asyncpg.connect(dsn, timeout=ACQUIRE_SECONDS, server_settings=_SERVER_SETTINGS)


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        yield connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction. An error must fly out of it: COMMIT of a failed one is a ROLLBACK, and nothing says so."""
    async with acquire(pool) as connection, connection.transaction():
        yield connection


async def fetch_one(connection: Connection, statement: str, *arguments: object) -> asyncpg.Record:
    """The row of a statement that always answers one."""
    row = await connection.fetchrow(statement, *arguments)
    if row is None:
        raise LookupError("a statement that always answers a row answered none")
    return row
