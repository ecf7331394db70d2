"""A child program: it becomes ready, or says why not; it ends for certain."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import Process, Program, ServiceError, free_port, lost_port_race
from deploy.local.run_folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[3]
SECONDS = 60
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print('child', child.pid, flush=True); time.sleep(60)"
)


def python(folder: RunFolder, code: str) -> Process:
    return folder.start(Program(name="program", arguments=[sys.executable, "-c", code]))


async def test_what_dies_at_its_start_shows_the_end_of_its_log(folder: RunFolder) -> None:
    process = python(folder, "import sys; print('no such disk'); sys.exit(3)")
    with pytest.raises(ServiceError, match=r"(?s)program ended with status 3 .*no such disk"):
        await process.line("ready", timeout=SECONDS)


async def test_what_never_gets_ready_is_said_after_the_time_out(folder: RunFolder) -> None:
    process = python(folder, "import time; time.sleep(60)")
    with pytest.raises(ServiceError, match=r'did not say "ready" within 0.1 s'):
        await process.line("ready", timeout=0.1)


async def test_it_is_ready_once_its_port_accepts(folder: RunFolder) -> None:
    port = free_port()
    process = python(folder, f"import socket, time; s = socket.create_server(('', {port})); time.sleep(60)")
    await process.port(port, timeout=SECONDS)


async def test_what_ignores_the_signal_is_killed_after_the_grace(folder: RunFolder) -> None:
    process = python(folder, DEAF)
    await process.line("up", timeout=SECONDS)
    await process.stop(grace=0.1)
    assert not psutil.pid_exists(process.pid)


async def test_killing_takes_the_whole_group(folder: RunFolder) -> None:
    process = python(folder, PARENT)
    await process.line("child", timeout=SECONDS)
    child = psutil.Process(int(process.output().split()[1]))
    await process.kill()
    psutil.wait_procs([child], timeout=SECONDS)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_second_kill_does_not_touch_a_number_that_may_be_reused(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = python(folder, DEAF)
    await process.kill()
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("sent a signal to a group that is over"))
    await process.stop(signal.SIGTERM)


def test_a_free_port_is_outside_the_range_that_clients_are_given() -> None:
    assert all(20_000 <= free_port() < 32_000 for _ in range(50))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with their process")
def test_a_free_port_is_given_to_nobody_else_though_nothing_listens_there_yet() -> None:
    kept = free_port()
    ask = f"from deploy.local import processes; processes._keep_for_us({kept})"
    other = subprocess.run([sys.executable, "-c", ask], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert "Address already in use" in other.stderr


async def test_a_taken_port_is_recognised_as_a_lost_race(folder: RunFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = f"import socket; socket.create_server(('127.0.0.1', {taken.getsockname()[1]}))"
        with pytest.raises(ServiceError) as failure:
            await python(folder, code).finished(timeout=SECONDS)
    assert lost_port_race(failure.value)
