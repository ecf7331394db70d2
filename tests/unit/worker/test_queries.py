"""The loader of named statements, and that every statement has a purpose and a user."""

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest

from worker.store import queries

FAMILIES = sorted(path.name.removesuffix(".sql") for path in files("worker.store").joinpath("sql").iterdir())
WORKER = Path(queries.__file__).parents[1]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of statements of the test's own."""
    (tmp_path / "sql").mkdir()
    monkeypatch.setattr(queries, "files", lambda _package: tmp_path)
    queries.load.cache_clear()
    monkeypatch.setattr(queries, "load", queries.load.__wrapped__)
    return tmp_path / "sql"


def test_statements_are_loaded_by_name(shelf: Path) -> None:
    (shelf / "a.sql").write_text("-- one: says one\nselect 1;\n\n-- two: says two\n-- (twice)\nselect\n  2;\n")
    assert queries.load("a") == {"one": "select 1;", "two": "-- (twice)\nselect\n  2;"}


def test_a_piece_stands_where_it_is_named_and_is_no_statement(shelf: Path) -> None:
    (shelf / "a.sql").write_text(
        "-- piece both: x\na, b\n-- one: x\nselect {both} from {table};\n-- two: y\nselect {both};\n"
    )
    assert queries.load("a") == {"one": "select a, b from {table};", "two": "select a, b;"}


def test_a_name_that_is_given_twice_is_refused(shelf: Path) -> None:
    (shelf / "a.sql").write_text("-- one: x\nselect 1;\n-- one: y\nselect 2;\n")
    with pytest.raises(ValueError, match=r"^sql/a\.sql names a statement twice$"):
        queries.load("a")


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_stands_before_the_first_name_and_nothing_is_empty(family: str) -> None:
    text = files("worker.store").joinpath("sql", f"{family}.sql").read_text("utf-8")
    assert re.match(r"-- (piece )?[a-z_]+: \S", text)
    assert all(statement.endswith(";") for statement in queries.load(family).values())


def test_every_statement_is_used_and_every_used_one_is_there() -> None:
    there = {(family, name) for family in FAMILIES for name in queries.load(family)}
    assert _used() == there


def _used() -> set[tuple[str, str]]:
    return {use for path in WORKER.rglob("*.py") for use in _uses(ast.parse(path.read_text("utf-8")))}


def _uses(module: ast.Module) -> set[tuple[str, str]]:
    """`_SQL["name"]` with the module's own family, and `load("family")["name"]`."""
    family = next((loaded for node in module.body if (loaded := _assigned_family(node))), "")
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            own = family if isinstance(node.value, ast.Name) and node.value.id == "_SQL" else _loaded(node.value)
            found |= {(own, str(node.slice.value))} if own else set()
    return found


def _assigned_family(node: ast.stmt) -> str:
    return _loaded(node.value) if isinstance(node, ast.Assign) else ""


def _loaded(node: ast.expr) -> str:
    is_load = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load"
    return str(ast.literal_eval(node.args[0])) if is_load and isinstance(node, ast.Call) else ""
