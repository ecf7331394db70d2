"""Hypothesis strategies for events and records."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st

from schemas.cloudevent import CloudEvent
from schemas.currency import DECIMALS
from tests.unit.bad_records import APPROVED_TYPE, TOGGLED_TYPE, approval, line

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
identifiers = st.text(_LETTERS, min_size=1, max_size=64)
printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
attribute_texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=256)
currencies = st.sampled_from(sorted(DECIMALS))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
moments = st.integers(631_152_000 * 10**6, 7_258_118_400 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
"""1990 to 2200, in UTC."""

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@st.composite
def approvals(draw: st.DrawFn) -> dict[str, object]:
    """JSON data of a valid approval in any currency."""
    currency = draw(currencies)
    units = draw(st.lists(st.integers(1, 10**11), min_size=1, max_size=4))
    dimensions = draw(st.dictionaries(identifiers, st.text(_LETTERS, min_size=1, max_size=64), max_size=4))
    lines = [
        line(str(number), amount=text_of(minor, currency), description=draw(printable), dimensions=dimensions)
        for number, minor in enumerate(units)
    ]
    moment = draw(moments).astimezone(draw(offsets)).isoformat()
    return approval(
        draw(identifiers),
        currency=currency,
        total=text_of(sum(units), currency),
        lines=lines,
        approved_at=moment,
        description=draw(printable),
    )


@st.composite
def cloudevents(draw: st.DrawFn) -> CloudEvent:
    """An event whose data is a JSON object, as the SDK can write and read it."""
    data = draw(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), json_values))
    return CloudEvent(
        id=draw(attribute_texts),
        source=draw(attribute_texts),
        type=draw(st.sampled_from([APPROVED_TYPE, TOGGLED_TYPE])),
        time=draw(st.none() | moments),
        subject=draw(st.none() | attribute_texts),
        data=json.dumps(data).encode(),
    )


def text_of(minor: int, currency: str) -> str:
    """Written without the code under test."""
    return f"{Decimal(minor) / 10 ** DECIMALS[currency]:.{DECIMALS[currency]}f}"
