"""Sessions of the screens: kept here, so that signing out ends them wherever a copy of the cookie is.

A session is what the provider said at sign-in. A role that is taken away there counts here from the next sign-in on,
at the latest when SYNC_SESSION_SECONDS are over.
"""

import asyncio
import hashlib
import secrets
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus

import structlog
from fastapi import Request

from worker.admin.caller import Caller, Door
from worker.admin.cookies import SESSION
from worker.admin.problems import ProblemError
from worker.domain.switching import Actor
from worker.progress import Beat, LoopName, unwatched
from worker.rounds import in_rounds
from worker.store import sessions
from worker.store.database import DatabaseAwayError, Pool, acquire, unlimited
from worker.store.sessions import FoundSession, Lifetimes, NewSession
from worker.vault import Vault, VaultError

log = structlog.get_logger(__name__)

BYTES_OF_AN_ID = 32
LONGEST_ID = 64
SEALED_AS = "ID token"
LIVE = "x-live"
"""The header of requests that a page makes by itself: they keep nobody signed in."""


class Sessions:
    """Identifies the caller by the cookie of the screens."""

    def __init__(self, pool: Pool, vault: Vault, issuer: str, lifetimes: Lifetimes) -> None:
        self._pool = pool
        self._vault = vault
        self._issuer = issuer
        self._lifetimes = lifetimes

    async def __call__(self, request: Request) -> Caller | None:
        session_id = request.cookies.get(SESSION, "")
        if not session_id or len(session_id) > LONGEST_ID:
            return None
        try:
            found = await self._find(_hash(session_id), is_seen=LIVE not in request.headers)
        except DatabaseAwayError:
            raise database_away() from None
        return Caller(found.actor, found.name, Door.SESSION) if found else None

    async def begin(self, actor: Actor, name: str, id_token: str) -> str:
        """The new session's id, for the cookie alone. Raises DatabaseAwayError."""
        session_id = secrets.token_urlsafe(BYTES_OF_AN_ID)
        sealed = self._vault.seal(SEALED_AS, id_token)
        with unlimited():
            async with acquire(self._pool) as connection:
                await sessions.begin(connection, NewSession(_hash(session_id), self._issuer, actor, name, sealed))
        return session_id

    async def end(self, session_id: str | None) -> str | None:
        """Its ID token, to sign out at the provider with; None where there is none. Raises DatabaseAwayError."""
        if not session_id or len(session_id) > LONGEST_ID:
            return None
        with unlimited():
            async with acquire(self._pool) as connection:
                sealed = await sessions.end(connection, _hash(session_id))
        with suppress(VaultError):
            return self._vault.unseal(SEALED_AS, sealed) if sealed else None
        return None

    async def _find(self, id_hash: bytes, *, is_seen: bool) -> FoundSession | None:
        with unlimited():
            async with acquire(self._pool) as connection:
                found = await sessions.find(connection, id_hash, self._issuer, self._lifetimes)
                if found and found.is_to_be_noted and is_seen:
                    await sessions.note(connection, id_hash, self._lifetimes)
        return found


class SessionSweeper:
    """Deletes what has expired, so that nothing of it is kept."""

    def __init__(self, pool: Pool, lifetimes: Lifetimes, every: timedelta, beat: Beat = unwatched) -> None:
        self._pool = pool
        self._lifetimes = lifetimes
        self._every = every
        self._beat = beat

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        await in_rounds(LoopName.SESSIONS, self._run_once, stop, every=self._every, beat=self._beat)

    async def _run_once(self) -> None:
        async with acquire(self._pool) as connection:
            count = await sessions.sweep(connection, self._lifetimes)
        if count:
            log.info("sessions_swept", count=count)


def _hash(session_id: str) -> bytes:
    """A plain hash is enough for 256 random bits: nobody can try them."""
    return hashlib.sha256(session_id.encode()).digest()


def database_away() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database-away",
        "The database can't be reached, so nothing was done. Try again in a moment.",
        headers={"Retry-After": "5"},
    )
