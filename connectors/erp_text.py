"""Text on its way into an ERP's field, and an ERP's message on its way to a person."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from itertools import takewhile

from connectors.contract import Posting

_LONGEST_MESSAGE = 300
_SHORTEST_WITHHELD = 4
_RECOGNISED = 20
"""Characters by which the beginning of a text is known for it."""

_ELLIPSIS = "…"
_JOINER = "\u200d"

Measure = Callable[[str], int]
"""How long a text is, in the unit of the field."""


def utf16_units(text: str) -> int:
    """How long .NET says a text is: what lies above U+FFFF, as emoji do, counts two."""
    return len(text) + sum(character > "\uffff" for character in text)


def one_line(text: str, longest: int, measure: Measure = len) -> str:
    """Line breaks and runs of blanks become one blank; at most `longest` by `measure`, cut marks with `…`.

    A cut never separates a letter from its accents (marks), nor a joined emoji from its parts.
    """
    flat = " ".join(text.split())
    if measure(flat) <= longest:
        return flat
    room = longest - measure(_ELLIPSIS)
    end = min(room, len(flat) - 1)
    while end > 0 and (measure(flat[:end]) > room or _joins(flat[end - 1], flat[end])):
        end -= 1
    return flat[:end].rstrip() + _ELLIPSIS


def text_with_day(text: str, day: date, longest: int, measure: Measure = len) -> str:
    """As `one_line`, with the day for which it was approved, where it is booked on another."""
    mark = f" (orig. {day.isoformat()})"
    return one_line(text, longest - measure(mark), measure) + mark


def message_for_people(message: str, posting: Posting) -> str:
    """The ERP's own words without its correlation id and without the reimbursement's free text, which ERPs
    quote back."""
    told = re.sub(r"\s*CorrelationId:\s*\S+", "", message)
    for text in _free_texts(posting):
        told = _without(told, text)
    return one_line(told, _LONGEST_MESSAGE)


def error_code(code: object, otherwise: str) -> str:
    """The ERP's code where it looks like one: letters, digits, dots and underscores."""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.]{1,80}", code) else otherwise


def _free_texts(posting: Posting) -> Iterable[str]:
    texts = {posting.text, *(line.text for line in posting.lines)}
    variants = {form for text in texts for form in (text, " ".join(text.split()))}
    long_enough = (text for text in variants if len(text) >= _SHORTEST_WITHHELD)
    return sorted(long_enough, key=len, reverse=True)


def _without(message: str, text: str) -> str:
    """Wherever the text is quoted, whole or cut: what was sent is its beginning, and an ERP may cut that again."""
    head = text[:_RECOGNISED]
    start = message.find(head)
    while start >= 0:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(message[start:], text, strict=False))
        message = message[:start] + _ELLIPSIS + message[start + sum(1 for _ in alike) :]
        start = message.find(head, start + len(_ELLIPSIS))
    return message


def _joins(before: str, after: str) -> bool:
    is_mark = unicodedata.category(after).startswith("M")  # accents, and what chooses a form or encloses
    is_skin_tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    return is_mark or is_skin_tone or _JOINER in (before, after)
