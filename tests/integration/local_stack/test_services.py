"""Both services together, and that nothing of them is left: no process, no port, no folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local.choice import MissingError
from deploy.local.machine import Machine
from deploy.local.processes import ServiceError, accepts_connections, free_port
from deploy.local.services import Services
from tests.integration.local_stack.round_trip import consume, produce

EMBEDDED = {**os.environ, "BROKER": "embedded", "DATABASE": "embedded"}
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Left:
    """What may not be left."""

    folder: Path
    ports: list[int]
    pids: list[int]

    def is_nothing(self) -> bool:
        return not (self.folder.exists() or any(map(_alive, self.pids)) or any(map(accepts_connections, self.ports)))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def becomes_true(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not question() and time.monotonic() < deadline:
        time.sleep(0.05)
    return question()


@contextmanager
def running(purpose: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], Left]]:
    command = [sys.executable, "-m", "tests.integration.local_stack.a_run", purpose]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ | environ) as run:
        try:
            up = next((line for line in run.stdout or () if line.startswith("up ")), None)
            assert up, run.stderr and run.stderr.read()
            found = json.loads(up[3:])
            yield run, Left(Path(found["folder"]), found["ports"], found["pids"])
        finally:
            run.kill()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def seen(services: Services, before: set[int]) -> Left:
    """What is up now and was not `before`: the whole session's services may be running beside."""
    ports = [int(services.bootstrap_servers.rpartition(":")[2])]
    return Left(services.folder.path, ports, sorted(children() - before))


async def test_nothing_is_left_after_a_normal_end_and_the_choice_was_told() -> None:
    told: list[str] = []
    before = children()
    async with Services.start("run", topics={"a": 1}, tell=told.append, environ=EMBEDDED) as services:
        left = seen(services, before)
        assert not left.is_nothing()
        await produce(services.bootstrap_servers, "a", [(b"k", b"v")])
        connection = await asyncpg.connect(services.database_url)
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()
    assert left.is_nothing()
    assert [line.partition(":")[0] for line in told] == ["Kafka", "PostgreSQL"]


async def test_nothing_is_left_after_an_exception() -> None:
    left: list[Left] = []
    before = children()

    async def fail() -> None:
        async with Services.start("run", environ=EMBEDDED) as services:
            left.append(seen(services, before))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert left[0].is_nothing()


async def test_one_service_that_fails_ends_the_other_and_says_why(
    monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    if machine.embedded_postgresql is None:
        pytest.skip("no embedded wheel on this machine")
    before = set(psutil.Process().children(recursive=True))
    monkeypatch.setattr("deploy.local.database.INITIAL", ("--no-such-option",))
    with pytest.raises(ServiceError, match=r"(?s)initdb failed with status 1.*no-such-option"):
        async with Services.start("run", environ=EMBEDDED):
            pytest.fail("it started")
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_ends_a_run_in_order(number: signal.Signals, status: int) -> None:
    with running("run", BROKER="embedded", DATABASE="embedded") as (run, left):
        run.send_signal(number)
        assert run.wait(timeout=SECONDS) == status
        assert left.is_nothing()


@pytest.mark.usefixtures("java", "jars")
def test_kill_9_of_the_parent_leaves_nothing(machine: Machine) -> None:
    if machine.postgresql is None:
        pytest.skip("no PostgreSQL programs on this machine")
    with running("test", BROKER="kafka", DATABASE="programs") as (run, left):
        assert len(left.pids) > 3
        shared_memory = [segment for pid in left.pids for segment in _shared_memory(pid)]
        run.kill()
        assert becomes_true(left.is_nothing)
        assert not [segment for segment in shared_memory if segment.exists()]


def _shared_memory(pid: int) -> set[Path]:
    """What a server has made outside its folder; Linux shows it."""
    try:
        mapped = psutil.Process(pid).memory_maps()
    except (psutil.Error, AttributeError):
        return set()
    return {Path(each.path) for each in mapped if each.path.startswith("/dev/shm/PostgreSQL.")}  # noqa: S108 -- Linux's own


async def test_given_addresses_are_used_and_left_alone() -> None:
    async with Services.start("run", topics={"a": 2}, environ=EMBEDDED) as given:
        addresses = {
            "SYNC_KAFKA_BOOTSTRAP_SERVERS": given.bootstrap_servers,
            "SYNC_DATABASE_URL": given.database_url,
        }
        async with Services.start("test", topics={"a": 2}, environ=os.environ | addresses) as services:
            assert services.bootstrap_servers == given.bootstrap_servers
            assert services.database_url == given.database_url
            assert services.broker.cluster is None
            assert services.database.cluster is None
            await produce(services.bootstrap_servers, "a", [(b"k", b"v")])
        assert len(await consume(given.bootstrap_servers, "a", 1)) == 1


async def test_given_addresses_that_do_not_answer_are_named_without_their_password() -> None:
    nowhere = {"SYNC_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "DATABASE": "embedded"}
    with pytest.raises(ServiceError, match="No broker answers at"):
        async with Services.start("run", environ=os.environ | nowhere):
            pytest.fail("it started")


async def test_a_given_database_that_refuses_does_not_show_its_password() -> None:
    url = f"postgresql://sync:hidden@127.0.0.1:{free_port()}/x"
    given = {"DATABASE": "environment", "SYNC_DATABASE_URL": url}
    with pytest.raises(ServiceError, match="SYNC_DATABASE_URL refuses") as refused:
        async with Services.start("run", environ=EMBEDDED | given):
            pytest.fail("it started")
    assert "hidden" not in str(refused.value)


async def test_a_forced_choice_that_is_not_here_starts_nothing() -> None:
    with pytest.raises(MissingError, match="BROKER=environment cannot be had here: set SYNC_KAFKA"):
        async with Services.start("run", environ={"PATH": os.environ["PATH"], "BROKER": "environment"}):
            pytest.fail("it started")
