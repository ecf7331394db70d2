"""What a spreadsheet would take for a formula is none."""

import pytest

from worker.exports import harmless


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(beginning: str) -> None:
    assert harmless(f"{beginning}1+1") == f"'{beginning}1+1"


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "\n"])
def test_so_does_one_after_what_a_machine_may_split_at(separator: str) -> None:
    assert harmless(f"Voucher 7{separator}=HYPERLINK(1)") == f"Voucher 7{separator}'=HYPERLINK(1)"


@pytest.mark.parametrize("opening", ['"', " ", "'", ' "'])
def test_a_quote_or_a_blank_before_it_hides_nothing(opening: str) -> None:
    assert harmless(f"{opening}=1+1") == f"'{opening}=1+1"
    assert harmless(f"7;{opening}=1+1") == f"7;'{opening}=1+1"


@pytest.mark.parametrize(
    "text", ["", "user-9", "Voucher 7, not 8; a-b", "user@example.no", "3=3", '{"wanted": "on", "count": 3}', "a - b"]
)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text
