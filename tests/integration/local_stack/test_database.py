"""PostgreSQL from server programs and from the embedded wheel."""

import os
import shutil
import socket
from pathlib import Path

import asyncpg
import pytest

from deploy.local.database import PostgresCluster, PostgresPrograms, create_database, drop_database
from deploy.local.machine import Machine
from deploy.local.processes import free_port
from deploy.local.run_folder import RunFolder, open_to_all

AS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["postgresql", "embedded_postgresql"])
def programs(request: pytest.FixtureRequest, machine: Machine) -> PostgresPrograms:
    found: PostgresPrograms | None = getattr(machine, request.param)
    if found is None:
        pytest.skip(f"no {request.param} on this machine")
    return found


@pytest.fixture
def any_programs(machine: Machine) -> PostgresPrograms:
    found = machine.postgresql or machine.embedded_postgresql
    if found is None:
        pytest.skip("no PostgreSQL on this machine")
    return found


async def fetch(dsn: str, query: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_was_committed_survives_a_crash(folder: RunFolder, programs: PostgresPrograms) -> None:
    async with PostgresCluster.start(folder, programs) as cluster:
        dsn = cluster.dsn
        assert int(await fetch(dsn, "SHOW server_version_num")) // 10_000 == programs.version
        assert [await fetch(dsn, f"SHOW {name}") for name in ("fsync", "max_connections")] == ["on", "200"]
        await execute(dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        await cluster.crash()
        with pytest.raises(OSError, match="onnect"):
            await asyncpg.connect(dsn)
        await cluster.restart()
        assert (cluster.dsn, await fetch(dsn, "SELECT n FROM kept")) == (dsn, "7")


async def test_databases_are_copied_from_a_template_and_dropped_while_in_use(
    folder: RunFolder, programs: PostgresPrograms
) -> None:
    async with PostgresCluster.start(folder, programs, durable=False) as cluster:
        assert await fetch(cluster.dsn, "SHOW fsync") == "off"
        await create_database(cluster.dsn, "template")
        template = cluster.dsn.rpartition("/")[0] + "/template"
        await execute(template, "CREATE TABLE copied (n int)")
        await create_database(cluster.dsn, 'a "b"', template="template")
        copied = await asyncpg.connect(cluster.dsn, database='a "b"')
        assert await copied.fetchval("SELECT count(*) FROM copied") == 0
        await drop_database(cluster.dsn, 'a "b"')
        await drop_database(cluster.dsn, 'a "b"')
        copied.terminate()


async def test_nobody_gets_in_without_the_password(folder: RunFolder, any_programs: PostgresPrograms) -> None:
    async with PostgresCluster.start(folder, any_programs, durable=False) as cluster:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(cluster.dsn, password="guessed")


@pytest.mark.skipif(not AS_ROOT, reason="only root has to become somebody else")
async def test_the_wheel_runs_from_a_folder_that_only_root_may_enter(
    folder: RunFolder, machine: Machine, tmp_path: Path
) -> None:
    wheel = machine.embedded_postgresql
    if wheel is None:
        pytest.skip("no embedded wheel on this machine")
    package = wheel.folder.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for source in (wheel.folder.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, closed / source.relative_to(package.parent), symlinks=True)
    programs = PostgresPrograms(closed / wheel.folder.relative_to(package.parent), wheel.version)
    assert not open_to_all(programs.folder)
    async with PostgresCluster.start(folder, programs, durable=False) as cluster:
        assert await fetch(cluster.dsn, "SELECT 1") == "1"


async def test_a_port_lost_to_another_program_is_chosen_again(
    folder: RunFolder, any_programs: PostgresPrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr("deploy.local.database.free_port", lambda: next(ports, None) or free_port())
        async with PostgresCluster.start(folder, any_programs, durable=False) as cluster:
            assert f":{taken.getsockname()[1]}/" not in cluster.dsn
