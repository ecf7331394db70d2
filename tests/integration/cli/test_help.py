"""Every command explains itself."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import click
import pytest
import typer
from typer.testing import CliRunner

from worker.cli.main import app, main

IN_THE_INTERFACE = {
    "migrate up", "migrate status", "worker run", "organization add", "organization list", "connector configure",
    "connector test", "connector show", "connector preview", "connector enable", "connector disable", "sync run",
    "sync show", "item list", "item show", "item retry", "item handled-elsewhere", "dead-letter list",
    "dead-letter show", "log list", "log verify", "contracts export",
}  # fmt: skip
ATTRIBUTED = {"connector enable", "connector disable", "sync run", "item retry", "item handled-elsewhere"}


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = sorted(_commands(typer.main.get_command(app)))


def _help(*command: str) -> str:
    with patch.dict(os.environ, {"COLUMNS": "160"}):
        shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    return click.unstyle(shown.output)


def test_every_command_of_the_interface_is_there() -> None:
    assert {" ".join(command) for command in COMMANDS} >= IN_THE_INTERFACE


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_that_begins_with_itself_or_its_settings(command: tuple[str, ...]) -> None:
    text = _help(*command)
    example = text.partition("Example:")[2].strip().splitlines()[0]
    assert f"accounting-sync {' '.join(command)}" in example


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_answers_machines_too(command: tuple[str, ...]) -> None:
    assert "--json" in _help(*command)


def test_the_kinds_of_connectors_that_are_installed_are_named() -> None:
    assert "business_central, file or xledger" in _help("connector", "configure")


@pytest.mark.parametrize("command", sorted(ATTRIBUTED))
def test_whoever_changes_something_has_to_give_a_name(command: str) -> None:
    refused = CliRunner().invoke(app, [*command.split(), *["x"] * (2 if command.startswith("item") else 1)])
    assert refused.exit_code == 2
    assert "--actor" in click.unstyle(refused.output)


@pytest.mark.parametrize(
    "arguments",
    [
        ("item", "list", "hlf", "--state", "held"),
        ("connector", "enable", "hlf"),
        ("sync", "show", "not-a-run"),
        ("item", "list", "hlf", "--limit", "0"),
        ("fly",),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_says_why_on_stderr(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["accounting-sync", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.strip()
