"""The peers and limits of the intake benchmark: each a program of its own, on a table and in a group of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import asyncpg

from deploy.local.processes import Process, Program
from tests.benchmarks.ground import PEERS, Ground
from tests.benchmarks.intake_watch import Subject, rows, rows_a_second, watch

PAUSE = 0.25
TABLES = """
create table record (
    stored_at timestamptz not null default clock_timestamp(),
    value bytea not null
);
create table approval (
    organization_id text not null,
    reimbursement_id text not null,
    approved_at timestamptz not null,
    currency text not null,
    total_minor bigint not null,
    content text not null,
    stored_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, reimbursement_id)
)
"""
_NUMBERS = count(1)

Start = Callable[[str], Subject]
"""Starts a subject that stores into the database of this address."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Records stored a second; microseconds of CPU in the subject's own process for each."""

    rate: float
    cpu: float


async def measure_peer(ground: Ground, start: Start, wanted: int, table: str = "approval") -> Speed:
    """From an empty table until so many records are in it."""
    async with ground.database(migrated=False) as url:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(TABLES)
            return await _measure(connection, start(url), wanted, table)
        finally:
            await connection.close()


async def _measure(connection: asyncpg.Connection, peer: Subject, wanted: int, table: str) -> Speed:
    try:
        run = await watch(peer, partial(rows, connection, table), wanted, PAUSE)
    finally:
        await peer.kill()
    return Speed(await rows_a_second(connection, table, "stored_at"), run.cpu_per_record)


def start_program(ground: Ground, name: str, how: str, topic: str, url: str) -> Process:
    """`peers/intake_NAME.py HOW`, with a new group."""
    number = next(_NUMBERS)
    program = PEERS / f"intake_{name}.py"
    group = f"{name}-{how}-{number}"
    arguments: list[str | Path] = [
        ground.peers_python,
        program,
        how,
        ground.services.bootstrap_servers,
        topic,
        group,
        url,
    ]
    return ground.services.folder.start(Program(name=group, arguments=arguments))
