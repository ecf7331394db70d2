"""Who is signed in on the screens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from worker.domain.switching import Actor, Role
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("sessions")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """`idle`: since a person was last seen; `longest`: since they signed in, whatever they do."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class NewSession:
    """`id_token` is sealed."""

    id_hash: bytes
    issuer: str
    actor: Actor
    name: str
    id_token: bytes


@dataclass(frozen=True, slots=True)
class FoundSession:
    actor: Actor
    name: str
    is_to_be_noted: bool


async def begin(connection: Connection, session: NewSession) -> None:
    await connection.execute(
        _SQL["begin"],
        session.id_hash,
        session.issuer,
        session.actor.id,
        session.actor.role,
        sorted(session.actor.organizations),
        session.name,
        session.id_token,
    )


async def find(connection: Connection, id_hash: bytes, issuer: str, lifetimes: Lifetimes) -> FoundSession | None:
    row = await connection.fetchrow(_SQL["find"], id_hash, issuer, lifetimes.idle, lifetimes.longest)
    if row is None:
        return None
    actor = _actor(row["actor_id"], row["role"], row["organizations"])
    return FoundSession(actor, row["name"], row["is_to_be_noted"])


async def note(connection: Connection, id_hash: bytes, lifetimes: Lifetimes) -> None:
    await connection.execute(_SQL["note"], id_hash, lifetimes.idle)


async def end(connection: Connection, id_hash: bytes) -> bytes | None:
    """The sealed ID token of the session that is over; None: there was none."""
    id_token: bytes | None = await connection.fetchval(_SQL["end"], id_hash)
    return id_token


async def sweep(connection: Connection, lifetimes: Lifetimes) -> int:
    """How many were deleted."""
    status = await connection.execute(_SQL["sweep"], lifetimes.idle, lifetimes.longest)
    return int(status.rpartition(" ")[2])


def _actor(actor_id: str, role: str, organizations: Sequence[str]) -> Actor:
    return Actor(actor_id, Role(role), frozenset(organizations))
