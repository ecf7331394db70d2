"""One rule for the reasons that people give, by whichever door: something to read, and nothing that can't be seen."""

import pytest
from pydantic import ValidationError

from worker.admin.api.wishes import Decision
from worker.admin.screens import reasons

UNSEEN = ["\x00x", "\x1bx", "\u009b2J", "\x85x", "\u202ex", "\u2066x", "\u200bx", "x\u00ad", "\ue000x"]
"""What PostgreSQL can't keep, what terminals obey, what turns text around, and what nobody sees."""
EMPTY = ["", " ", "\n", "\u00a0", "\u200b", "\u2028", "\u202e"]
PROPER = ["Ready", "Månedsslutt – «ok»", "1\u00a0000 kr", "two\r\nlines\tand more", "中文", "done 🎉"]


@pytest.mark.parametrize("text", UNSEEN + EMPTY)
def test_the_api_refuses_what_can_not_be_seen_or_read(text: str) -> None:
    with pytest.raises(ValidationError):
        Decision(reason=text)


@pytest.mark.parametrize("text", EMPTY)
def test_the_screens_ask_again_where_there_is_nothing_to_read(text: str) -> None:
    assert reasons.mistake_in(text) is not None


@pytest.mark.parametrize("text", UNSEEN)
def test_the_screens_keep_what_can_be_seen(text: str) -> None:
    assert Decision(reason=reasons.plain(text)).reason.isprintable()


@pytest.mark.parametrize("text", PROPER)
def test_what_people_write_is_kept(text: str) -> None:
    assert Decision(reason=text).reason == text
    assert reasons.mistake_in(text) is None
