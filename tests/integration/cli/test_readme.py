"""Every command of the README does what a newcomer expects of it: it works as it stands there."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from deploy.local.configurations import configuration
from tests.events import approval
from tests.integration.cli.command import PROGRAM, CommandLine
from tests.integration.worker.rows import take_in
from tests.scene import Scene
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
RUN_BY_CI = {"make check", "make test", "make run ONCE=1", "make bench QUICK=1"}


@pytest.mark.asyncio(loop_scope="session")
async def test_the_commands_of_the_worker_work_as_they_stand_there(scene: Scene, sync: CommandLine) -> None:
    (sync.folder / "hlf.json").write_text(json.dumps(configuration(scene.erps["xledger"])), encoding="utf-8")
    await take_in(scene.pool, approval("R-2026-000417"))
    for command in filter(lambda line: line.startswith("accounting-sync "), COMMANDS):
        answer = await sync(*shlex.split(command)[1:])
        assert (answer.status, answer.err) == (0, ""), command


def test_the_targets_of_make_are_run_by_ci_or_only_tell() -> None:
    targets = {line for line in COMMANDS if line.startswith("make ")}
    assert targets == RUN_BY_CI | {"make help"}
    assert all(target in (ROOT / ".ci" / "run").read_text(encoding="utf-8") for target in RUN_BY_CI)
    subprocess.run(["make", "--directory", str(ROOT), "help"], check=True, capture_output=True)


def test_what_a_newcomer_is_told_to_set_and_to_start_is_there() -> None:
    told = README.partition("## Use it")[2].partition("```sh")[0]
    named = {name.removeprefix("SYNC_").lower() for name in re.findall(r"SYNC_\w+", told)}
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    assert named == required | {"credentials_key"}
    assert ".venv/bin/accounting-sync" in told
    assert PROGRAM.name == "accounting-sync"
    assert (ROOT / "connectors" / "README.md").read_text(encoding="utf-8").count("## The configuration file") == 1


def test_the_readme_has_no_other_commands() -> None:
    assert all(line.startswith(("accounting-sync ", "make ")) for line in COMMANDS)
