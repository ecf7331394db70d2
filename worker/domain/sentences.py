"""What people are told: English text that remembers how it was made, so that a screen can say it in another language.

Babel finds the msgids by the keywords `say` and `say_number:1,2`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Self


class Sentence(str):
    """The English text, whole.

    `template` is its msgid, with {named} places for `facts`: texts, numbers, aware datetimes, and further sentences.
    Where it speaks of a number, that is `facts["count"]`, `template` is for one, and `plural` the msgid for any other.
    """

    __slots__ = ("facts", "plural", "template")

    template: str
    facts: Mapping[str, object]
    plural: str | None

    def __new__(cls, template: str, facts: Mapping[str, object], plural: str | None = None) -> Self:
        chosen = template if plural is None or facts["count"] == 1 else plural
        sentence = super().__new__(cls, chosen.format_map({name: _english(fact) for name, fact in facts.items()}))
        sentence.template, sentence.facts, sentence.plural = template, MappingProxyType(dict(facts)), plural
        return sentence

    def __reduce__(self) -> tuple[Callable[..., "Sentence"], tuple[object, ...]]:
        """A copy is a sentence too."""
        return Sentence, (self.template, dict(self.facts), self.plural)


def say(template: str, /, **facts: object) -> Sentence:
    """`template` is written out where it is used, so that Babel finds it."""
    return Sentence(template, facts)


def say_number(one: str, other: str, /, *, count: int, **facts: object) -> Sentence:
    """As `say`, of a number: `one` is said of 1, `other` of any other."""
    return Sentence(one, {"count": count, **facts}, other)


def _english(fact: object) -> object:
    return f"{fact.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(fact, datetime) else fact
