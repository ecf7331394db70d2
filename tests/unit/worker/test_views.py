"""Views keep what was said as it was said."""

import pytest

from worker.domain.sentences import Sentence, say
from worker.views import Said, View


class _Answer(View):
    sentence: Said
    perhaps: Said | None = None


SENTENCE = say("The {title} connector is off.", title="Xledger")


def test_a_view_keeps_a_sentence_with_its_template() -> None:
    answer = _Answer(sentence=SENTENCE, perhaps=SENTENCE)
    assert answer.sentence is SENTENCE
    assert answer.perhaps is SENTENCE


def test_copies_of_a_view_keep_it_too() -> None:
    for copied in (_Answer(sentence=SENTENCE).model_copy(deep=True), _Answer(**dict(_Answer(sentence=SENTENCE)))):
        assert isinstance(copied.sentence, Sentence)
        assert copied.sentence.template == SENTENCE.template


def test_outside_it_is_text_and_nothing_else() -> None:
    assert _Answer(sentence=SENTENCE).model_dump_json() == '{"sentence":"The Xledger connector is off.","perhaps":null}'
    assert _Answer.model_json_schema()["properties"]["sentence"] == {"title": "Sentence", "type": "string"}
    assert _Answer.model_json_schema(mode="serialization")["properties"]["sentence"]["type"] == "string"


def test_a_plain_text_is_a_text_and_a_number_is_none() -> None:
    assert _Answer(sentence="off").sentence == "off"
    with pytest.raises(ValueError, match="valid string"):
        _Answer.model_validate({"sentence": 7})
