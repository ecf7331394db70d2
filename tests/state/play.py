"""Plays the machine: examples × steps, from a seed that is printed and can be given."""

import asyncio
import gc
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import asyncpg
import uvloop
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from deploy.local.database import create_database, drop_database
from tests.state.machine import States
from tests.state.quiet_time import STANDS_STILL
from tests.state.world import Workbench
from worker.store.database import Connection, Pool
from worker.store.migrate import migrate

STEPS = 50
SETTINGS = {"timezone": "UTC", "lock_timeout": "10s", "jit": "off"}
NOT_SHRUNK = (Phase.generate,)
SHRUNK = (Phase.generate, Phase.shrink)


@contextmanager
def workbench(server: str) -> Iterator[Workbench]:
    """A database of its own on the server, one pool, and one loop for all examples."""
    name = f"states_{secrets.token_hex(6)}"
    url = server.rsplit("/", 1)[0] + "/" + name
    with _rare_collections(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_prepare(server, name, url))
        pool = runner.run(_open_pool(url))
        try:
            yield Workbench(runner.get_loop(), pool)
        finally:
            pool.terminate()
            runner.run(drop_database(server, name))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """The collector takes a sixth of the time where it looks at all that Hypothesis keeps again and again."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _prepare(server: str, name: str, url: str) -> None:
    await create_database(server, name)
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
        await connection.execute(STANDS_STILL)
    finally:
        await connection.close()


async def _open_pool(url: str) -> Pool:
    """As the product's, but for what would take half of the time here: a connection is not reset between two steps."""
    return await asyncpg.create_pool(
        url, min_size=1, max_size=3, max_inactive_connection_lifetime=0, reset=_as_it_is, server_settings=SETTINGS
    )


async def _as_it_is(connection: Connection) -> None:
    pass


def play(
    bench: Workbench,
    examples: int,
    of: int | None = None,
    phases: tuple[Phase, ...] = SHRUNK,
    only: Sequence[str] = (),
) -> None:
    """Raises AssertionError with the shortest steps that break a promise. `of`: the seed, else one by chance."""
    chosen = secrets.randbelow(1_000_000) if of is None else of
    sys.stdout.write(f"States: {examples} × {STEPS} steps, SEED={chosen}\n")
    States.bench, States.only = bench, only
    rules = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=phases,
        deadline=None,
        derandomize=False,
        database=None,
        print_blob=True,
        verbosity=Verbosity.normal,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(chosen)(States), settings=rules)
