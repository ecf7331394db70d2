"""Connections to PostgreSQL: one pool with every time-out set, and what counts as "the database is away"."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

OwnConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 30.0
APPLICATION = "accounting-sync"
IDLE_IN_TRANSACTION_SECONDS = 60
_SERVER_SETTINGS = {
    "application_name": APPLICATION,
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
}

_SCOPE: ContextVar[frozenset[str] | None] = ContextVar("scope", default=None)
_LIMIT = """
    select set_config('accounting_sync.organizations', $1, true),
           set_config('role', 'accounting_sync_organization', true)
"""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    # "Protocol is in the failed state": the server has ended the connection, and asyncpg has not seen its end yet.
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.CannotConnectNowError,
)


class DatabaseAwayError(Exception):
    """What passes: connection lost, server stopping or full, a deadlock, a time-out. The work is repeated by key.

    The text is the type of the error alone, since PostgreSQL's own texts quote values.
    """


@contextmanager
def translated() -> Iterator[None]:
    """Foreign errors become ours here and nowhere else; errors of our own making fly as they are."""
    try:
        yield
    except Exception as error:
        if _is_away(error):
            raise DatabaseAwayError(type(error).__name__) from error
        raise


def _is_away(error: Exception) -> bool:
    """asyncpg's DataError is an InterfaceError too, but says that an argument of ours was wrong."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    return isinstance(error, _AWAY)


async def open_pool(dsn: str, size: int = 10) -> Pool:
    """Raises DatabaseAwayError where PostgreSQL can't be reached."""
    with translated():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            command_timeout=COMMAND_SECONDS,
            server_settings=_SERVER_SETTINGS,
            reset=_leave_as_it_is,
        )


async def _leave_as_it_is(_: object) -> None:
    """Nothing of ours outlives its transaction, so asyncpg's own query after each use would undo nothing, and cost a
    round trip and a commit. A transaction that is still open is rolled back before this is called."""


async def connect(dsn: str) -> OwnConnection:
    """A connection of its own, for LISTEN and for migrations. Raises DatabaseAwayError."""
    with translated():
        return await asyncpg.connect(dsn, timeout=ACQUIRE_SECONDS, server_settings=_SERVER_SETTINGS)


def limit_to(organizations: frozenset[str] | None) -> None:
    """From here on, whatever this task asks of the database touches the rows of these organisations alone (None: all).

    The second wall: PostgreSQL's row-level security holds also where a service forgets to ask who is asking.
    """
    _SCOPE.set(organizations)


@contextmanager
def unlimited() -> Iterator[None]:
    """For what the system itself writes down amid a limited request, such as a stranger's try in another's log."""
    token = _SCOPE.set(None)
    try:
        yield
    finally:
        _SCOPE.reset(token)


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Raises DatabaseAwayError, also for what happens to the connection while it is held."""
    with translated():
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            if _SCOPE.get() is None:
                yield connection
            else:
                async with _limited(connection):
                    yield connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction. An error must fly out of it: COMMIT of a failed one is a ROLLBACK, and nothing says so."""
    async with acquire(pool) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def _limited(connection: Connection) -> AsyncIterator[None]:
    """The limit ends with the transaction, so that the connection goes back to the pool without it."""
    async with connection.transaction():
        await connection.fetchrow(_LIMIT, ",".join(sorted(_SCOPE.get() or ())))
        yield


async def fetch_one(connection: Connection, statement: str, *arguments: object) -> asyncpg.Record:
    """The row of a statement that always answers one."""
    row = await connection.fetchrow(statement, *arguments)
    if row is None:
        raise LookupError("a statement that always answers a row answered none")
    return row
