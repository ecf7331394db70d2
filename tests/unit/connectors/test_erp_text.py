from hypothesis import given
from hypothesis import strategies as st

from connectors.erp_text import error_code, message_for_people, one_line
from tests.unit.connectors.samples import posting


@given(st.text(max_size=300), st.integers(min_value=5, max_value=100))
def test_a_text_never_exceeds_its_field(text: str, longest: int) -> None:
    cut = one_line(text, longest)
    assert len(cut) <= longest
    assert "\n" not in cut


def test_a_short_text_stays_as_it_is() -> None:
    assert one_line("Blåbær  på\nHamar", 100) == "Blåbær på Hamar"


def test_a_cut_does_not_part_a_letter_from_its_accent() -> None:
    assert one_line("abcde\u0301fgh", 6) == "abcd…"


def test_a_cut_does_not_part_an_emoji() -> None:
    assert one_line("abc\U0001f469\u200d\U0001f4bb and more", 6) == "abc…"


def test_a_message_loses_its_correlation_id_and_our_free_text() -> None:
    told = message_for_people("Bad value Peer meeting, Lillehammer. CorrelationId: 12-ab.", posting())
    assert told == "Bad value …."


def test_only_what_looks_like_a_code_is_a_code() -> None:
    assert error_code("Internal_InvalidTableRelation", "refused") == "Internal_InvalidTableRelation"
    assert error_code("Kari Nordmann", "refused") == "refused"
    assert error_code(None, "refused") == "refused"
