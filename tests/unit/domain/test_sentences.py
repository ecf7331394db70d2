"""A sentence is its English text, and remembers how it was made."""

import copy
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from worker.domain.sentences import Sentence, say, say_number

AT = datetime(2026, 11, 20, 12, 0, 0, 999999, tzinfo=timezone(timedelta(hours=2)))


def test_a_sentence_is_its_english_text() -> None:
    sentence = say("The {title} connector is {state}.", title="Xledger", state="off")
    assert sentence == "The Xledger connector is off."
    assert isinstance(sentence, str)
    assert json.dumps({"answer": sentence}) == '{"answer": "The Xledger connector is off."}'


def test_a_sentence_remembers_its_template_and_its_facts() -> None:
    sentence = say("since {since} by {by}", since=AT, by="user-9")
    assert sentence.template == "since {since} by {by}"
    assert sentence.facts == {"since": AT, "by": "user-9"}
    assert sentence.plural is None


def test_a_time_is_told_in_utc_to_the_second() -> None:
    assert say("since {since}", since=AT) == "since 2026-11-20 10:00:00 UTC"


def test_a_sentence_in_a_sentence_stays_one() -> None:
    sentence = say("It is off ({why}).", why=say("since {since}", since=AT))
    assert sentence == "It is off (since 2026-11-20 10:00:00 UTC)."
    inner = sentence.facts["why"]
    assert isinstance(inner, Sentence)
    assert inner.template == "since {since}"


@pytest.mark.parametrize(("count", "text"), [(0, "0 items wait."), (1, "1 item waits."), (2, "2 items wait.")])
def test_a_number_chooses_the_words(count: int, text: str) -> None:
    sentence = say_number("1 item waits.", "{count} items wait.", count=count)
    assert sentence == text
    assert (sentence.template, sentence.plural) == ("1 item waits.", "{count} items wait.")
    assert sentence.facts == {"count": count}


def test_what_a_person_wrote_is_never_read_as_a_template() -> None:
    assert say("{by} says: {reason}", by="{reason}", reason="{0.__class__} {x}") == "{reason} says: {0.__class__} {x}"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_sentence_too(copied: object) -> None:
    sentence = say_number("1 item of {org} waits.", "{count} items of {org} wait.", count=2, org="hlf")
    again = copied(sentence)  # type: ignore[operator]
    assert type(again) is Sentence
    assert (again, again.template, again.plural) == (sentence, sentence.template, sentence.plural)
    assert again.facts == sentence.facts


def test_facts_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        say("{a}", a=1).facts["a"] = 2  # type: ignore[index]


def test_utc_is_said_of_utc() -> None:
    assert say("{at}", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05 UTC"
