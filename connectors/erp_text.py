"""Text on its way into an ERP's field, and an ERP's message on its way to a person."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from connectors.contract import Posting

_LONGEST_MESSAGE = 300
_SHORTEST_WITHHELD = 4
_ELLIPSIS = "…"


def one_line(text: str, longest: int) -> str:
    """Line breaks and runs of blanks become one blank; at most `longest` characters, cut marks with `…`.

    A cut never separates a letter from its accents (combining marks), nor a joined emoji from its parts.
    """
    flat = " ".join(text.split())
    if len(flat) <= longest:
        return flat
    end = longest - len(_ELLIPSIS)
    while end > 0 and _joins(flat[end - 1], flat[end]):
        end -= 1
    return flat[:end].rstrip() + _ELLIPSIS


def text_with_day(text: str, day: date, longest: int) -> str:
    """As `one_line`, with the day for which it was approved, where it is booked on another."""
    mark = f" (orig. {day.isoformat()})"
    return one_line(text, longest - len(mark)) + mark


def message_for_people(message: str, posting: Posting) -> str:
    """The ERP's own words without its correlation id and without the reimbursement's free text, which ERPs
    quote back."""
    told = re.sub(r"\s*CorrelationId:\s*\S+", "", message)
    for text in _free_texts(posting):
        told = told.replace(text, _ELLIPSIS)
    return one_line(told, _LONGEST_MESSAGE)


def error_code(code: object, otherwise: str) -> str:
    """The ERP's code where it looks like one: letters, digits, dots and underscores."""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.]{1,80}", code) else otherwise


def _free_texts(posting: Posting) -> Iterable[str]:
    texts = {posting.text, *(line.text for line in posting.lines)}
    variants = {form for text in texts for form in (text, one_line(text, _LONGEST_MESSAGE))}
    long_enough = (text for text in variants if len(text) >= _SHORTEST_WITHHELD)
    return sorted(long_enough, key=len, reverse=True)


def _joins(before: str, after: str) -> bool:
    joiner = "\u200d"
    return unicodedata.combining(after) > 0 or joiner in (before, after) or "\ufe00" <= after <= "\ufe0f"
