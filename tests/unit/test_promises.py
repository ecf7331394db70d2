"""Every promise has tests that name it, and the README names the same ones."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMISES = {f"P{number}" for number in range(1, 13)}


def _marked() -> Iterator[tuple[str, str, str]]:
    """(promise, file, test) of every mark."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for promise in _promises(node):
                    yield promise, path.relative_to(ROOT).as_posix(), node.name


def _promises(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    marks = (ast.unparse(decorator) for decorator in node.decorator_list)
    return [match[1] for mark in marks if (match := re.fullmatch(r"pytest\.mark\.promise\('(P\d+)'\)", mark))]


def _told() -> set[tuple[str, str, str]]:
    """The same, as the README's table says."""
    rows = re.findall(r"^\| \*\*(P\d+)\*\* .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == PROMISES
    found = set()
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if promise := re.match(r"\| \*\*(P\d+)\*\*", line):
            found |= {(promise[1], file, test) for test, file in re.findall(r"\[`(test_\w+)`\]\(([\w/.]+)\)", line)}
    return found


def test_every_promise_has_a_test_that_names_it() -> None:
    assert {promise for promise, _, _ in _marked()} == PROMISES


def test_the_readme_names_the_tests_of_each_promise() -> None:
    assert _told() == set(_marked())
