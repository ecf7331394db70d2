"""Whoever translates finds every sentence, and each has a fact for each of its places."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.extract import extract_from_file

import worker

ROOT = Path(worker.__file__).parent
MADE_BY = {"say": 1, "say_number": 2}
"""How many templates each takes."""
KEYWORDS = {"say": None, "say_number": (1, 2)}


def _speaking() -> Iterator[Path]:
    """Every module that makes sentences; the command line has a `say` of its own, which prints."""
    for path in sorted(ROOT.rglob("*.py")):
        if "worker.domain.sentences import" in path.read_text("utf-8"):
            yield path


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MADE_BY:
            yield node


def _name(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Name)
    return call.func.id


def _templates(call: ast.Call) -> list[object]:
    return [ast.literal_eval(argument) for argument in call.args]


SPEAKING = [path for path in _speaking() if any(_calls(path))]


def _ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_sentences_to_be_found() -> None:
    assert {"runs.py", "decisions.py", "waiting.py", "domain/switching.py"} <= set(map(_ids, SPEAKING))


@pytest.mark.parametrize("path", SPEAKING, ids=_ids)
def test_each_template_is_written_out_where_it_is_used(path: Path) -> None:
    for call in _calls(path):
        templates = _templates(call)
        assert len(templates) == MADE_BY[_name(call)]
        assert all(isinstance(template, str) and template for template in templates)


@pytest.mark.parametrize("path", SPEAKING, ids=_ids)
def test_each_place_of_a_template_has_its_fact(path: Path) -> None:
    for call in _calls(path):
        given = {keyword.arg for keyword in call.keywords}
        places = {name for template in _templates(call) for _, name, _, _ in Formatter().parse(str(template)) if name}
        assert None in given or places <= given, (path, call.lineno)


@pytest.mark.parametrize("path", SPEAKING, ids=_ids)
def test_babel_finds_each(path: Path) -> None:
    found = {message for _, message, _, _ in extract_from_file("python", path, keywords=KEYWORDS)}
    calls = [_templates(call) for call in _calls(path)]
    assert found == {templates[0] if len(templates) == 1 else tuple(templates) for templates in calls}
