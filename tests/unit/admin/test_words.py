"""Every name that the database keeps has a word for people."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.admin.screens import words
from worker.domain.receipts import ReceiptState
from worker.domain.states import ItemState, OutcomeName
from worker.domain.switching import Phase, Role, Verdict
from worker.store.runs import RunKind, RunResult

WORKER = Path(__file__).resolve().parents[3] / "worker"
MAKES_A_CHANGE = {"Change", "_change", "_log", "_record", "_refuse"}
A_NAME = re.compile(r"[a-z]+(_[a-z]+)+")
NOT_CHANGES = {"global_admin", "organization_admin"}


def _names_of_changes() -> Iterator[str]:
    """Whatever is written out where an entry of the log is made."""
    for path in WORKER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", getattr(node.func, "id", "")) in MAKES_A_CHANGE
            ):
                yield from _written_out(node)


def _written_out(call: ast.Call) -> Iterator[str]:
    for argument in [*call.args, *(one.value for one in call.keywords)]:
        for node in ast.walk(argument) if not isinstance(argument, ast.Dict | ast.Call) else []:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and A_NAME.fullmatch(node.value):
                yield node.value


COMPOSED = {
    *(f"toggle_{verdict}" for verdict in Verdict if verdict is not Verdict.APPLIED),
    *(f"sync_run_{result}" for result in RunResult),
}


def test_every_change_of_the_log_has_a_word() -> None:
    found = set(_names_of_changes()) - NOT_CHANGES
    assert {"connector_enabled", "item_retried", "sync_run_refused", "connector_quiesced"} <= found
    assert found | COMPOSED <= set(words.CHANGES)


@pytest.mark.parametrize(
    ("named", "words_for_it"),
    [
        (ItemState, words.STATES),
        (ItemState, words.STATE_COLORS),
        (OutcomeName, words.OUTCOMES),
        (ReceiptState, words.RECEIPT_STATES),
        (RunKind, words.RUN_KINDS),
        (Phase, words.PHASES),
        (Role, words.ROLES),
    ],
)
def test_everything_named_has_a_word(named: type, words_for_it: dict[str, str]) -> None:
    assert set(named) == set(words_for_it)  # type: ignore[call-overload]  # an enumeration is iterable


def test_a_name_that_is_newer_than_the_words_stays_as_it_is() -> None:
    assert words.known(words.CHANGES, "something_new") == "something_new"
    assert words.new_state("somehow") == "somehow"
    assert words.new_state(None) == "–"
