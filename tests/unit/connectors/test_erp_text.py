from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import PostingLine
from connectors.erp_text import error_code, message_for_people, one_line, text_with_day, utf16_units
from tests.unit.connectors.samples import posting


@given(st.text(max_size=300), st.integers(min_value=5, max_value=100))
def test_a_text_never_exceeds_its_field(text: str, longest: int) -> None:
    cut = one_line(text, longest)
    assert len(cut) <= longest
    assert "\n" not in cut


TRAIN, FAMILY = "\U0001f686", "\U0001f469\u200d\U0001f469\u200d\U0001f467"
LONG_TEXTS = ["x" * 150, f"Tog {TRAIN}" * 30, FAMILY * 30, "Tips " + "\U0001f44d\U0001f3fd" * 60, "1\ufe0f\u20e3" * 60]


@given(st.text(max_size=300), st.integers(min_value=5, max_value=100))
def test_a_text_never_exceeds_a_field_that_counts_utf_16(text: str, longest: int) -> None:
    cut = one_line(text, longest, utf16_units)
    assert len(cut.encode("utf-16-le")) // 2 == utf16_units(cut) <= longest
    assert text.split() == cut.split() or cut.endswith("…")


@pytest.mark.parametrize("text", LONG_TEXTS)
def test_a_cut_by_utf_16_fills_the_field_and_parts_no_character(text: str) -> None:
    cut = one_line(text, 100, utf16_units)
    assert 90 <= utf16_units(cut) <= 100
    kept = cut.removesuffix("…")
    assert text.startswith(kept)
    assert not text[len(kept) :].startswith(("\u200d", "\ufe0f", "\u20e3", "\U0001f3fd"))
    assert not kept.endswith("\u200d")


def test_a_day_at_the_end_of_a_text_counts_too() -> None:
    marked = text_with_day(f"Tog {TRAIN}" * 30, date(2026, 11, 20), 100, utf16_units)
    assert marked.endswith("… (orig. 2026-11-20)")
    assert 90 <= utf16_units(marked) <= 100


def test_half_a_pair_is_one_unit() -> None:
    assert utf16_units("a\ud83d") == 2


def test_a_short_text_stays_as_it_is() -> None:
    assert one_line("Blåbær  på\nHamar", 100) == "Blåbær på Hamar"


def test_a_cut_does_not_part_a_letter_from_its_accent() -> None:
    assert one_line("abcde\u0301fgh", 6) == "abcd…"


def test_a_cut_does_not_part_an_emoji() -> None:
    assert one_line("abc\U0001f469\u200d\U0001f4bb and more", 6) == "abc…"


def test_a_message_loses_its_correlation_id_and_our_free_text() -> None:
    told = message_for_people("Bad value Peer meeting, Lillehammer. CorrelationId: 12-ab.", posting())
    assert told == "Bad value …."


@pytest.mark.parametrize("text", [*LONG_TEXTS, "Peer meeting with\n Kari Nordmann " + "x" * 400])
def test_a_message_loses_our_free_text_however_it_was_cut(text: str) -> None:
    sent = posting(text="Q" * 40, lines=(PostingLine("7140", Decimal(1), text),))
    day = date(2026, 11, 20)
    forms = [
        text,
        one_line(text, 100),
        one_line(text, 100, utf16_units),
        one_line(text, 300),
        text_with_day(text, day, 100),
        text_with_day(text, day, 100, utf16_units),
        text[:60],
    ]
    for form in forms:
        told = message_for_people(f"Must be at most 100 characters. Value: {form} Mend it.", sent)
        assert told.startswith("Must be at most 100 characters. Value: …")
        assert told.endswith("Mend it.")
        assert text[:8] not in told


def test_a_message_loses_our_free_text_each_time_it_is_quoted() -> None:
    sent = posting(text="Peer meeting with Kari Nordmann")
    told = message_for_people("Peer meeting with Kari Nordmann is not Peer meeting with Kari.", sent)
    assert told == "… is not …."


def test_only_what_looks_like_a_code_is_a_code() -> None:
    assert error_code("Internal_InvalidTableRelation", "refused") == "Internal_InvalidTableRelation"
    assert error_code("Kari Nordmann", "refused") == "refused"
    assert error_code(None, "refused") == "refused"
