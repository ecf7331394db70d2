"""Open days, dimensions and the filters of the check, without a network."""

from datetime import date
from decimal import Decimal
from urllib.parse import quote

import pytest

from connectors.business_central.api import BatchCall
from connectors.business_central.dimensions import DraftLine, draft_lines_in, missing
from connectors.business_central.documents import LONGEST_TEXT, invoice_payload, moved_to
from connectors.business_central.open_days import OpenDays, open_days_in
from connectors.business_central.readiness import filters
from connectors.contract import PostingLine
from connectors.erp_text import utf16_units
from tests.unit.connectors.samples import posting

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"allowPostingFrom": "2026-06-01", "allowPostingTo": "2026-07-01"}, OpenDays(JUNE, JULY)),
        ({"allowPostingFrom": "0001-01-01", "allowPostingTo": "0001-01-01"}, OpenDays(None, None)),
        ({"allowPostingFrom": "2026-06-01", "allowPostingTo": None}, OpenDays(JUNE, None)),
        ({}, OpenDays(None, None)),
        ("nothing", OpenDays(None, None)),
    ],
)
def test_a_blank_date_has_no_end(row: object, expected: OpenDays) -> None:
    assert open_days_in(row) == expected


@pytest.mark.parametrize(
    ("open_days", "approved", "booked"),
    [
        (OpenDays(JUNE, JULY), MAY, JUNE),
        (OpenDays(JUNE, JULY), JUNE, JUNE),
        (OpenDays(JUNE, JULY), JULY, JULY),
        (OpenDays(MAY, JUNE), JULY, JULY),
        (OpenDays(JUNE, None), MAY, JUNE),
        (OpenDays(None, JUNE), MAY, MAY),
        (OpenDays(JULY, JUNE), MAY, MAY),
    ],
    ids=["before", "first", "last", "after", "no end", "no start", "nothing is open"],
)
def test_a_day_moves_forward_to_the_first_open_one_and_never_back(
    open_days: OpenDays, approved: date, booked: date
) -> None:
    assert open_days.first_from(approved) == booked


@pytest.mark.parametrize(
    ("open_days", "told"),
    [
        (OpenDays(JUNE, JULY), "from 2026-06-01 to 2026-07-01"),
        (OpenDays(JUNE, None), "from 2026-06-01"),
        (OpenDays(None, None), "on every day"),
    ],
)
def test_open_days_are_told_in_words(open_days: OpenDays, told: str) -> None:
    assert str(open_days) == told


@pytest.mark.parametrize("text", ["Train", "å" * 200, "e\u0301" * 80, "👩‍👩‍👧" * 30])
def test_a_moved_posting_says_its_original_day_within_the_erps_length(text: str) -> None:
    before = posting(posting_date=MAY, lines=(PostingLine("7140", Decimal("1250.50"), text),))
    moved = moved_to(before, JUNE)
    (line,) = moved.lines
    assert moved.posting_date == JUNE
    assert line.text.endswith(" (orig. 2026-05-01)")
    assert utf16_units(line.text) <= LONGEST_TEXT
    kept = line.text.removesuffix(" (orig. 2026-05-01)").removesuffix("…")
    assert text.startswith(kept)
    assert not text[len(kept) :].startswith(("\u0301", "\u200d"))


def test_a_posting_on_its_own_day_is_left_as_it_is() -> None:
    assert moved_to(posting(posting_date=MAY), MAY) == posting(posting_date=MAY)


def line(**dimensions: str) -> PostingLine:
    return PostingLine("7140", Decimal(1), "Train", None, dimensions)


def test_what_is_absent_is_added_and_what_differs_is_changed() -> None:
    drafted = DraftLine("L1", {"AVD": "10", "KST": "20", "REST": "9"}, {"AVD": "a", "KST": "k", "REST": "r"})
    calls = list(missing([line(AVD="10", kst="21", Formaal="A")], [drafted]))
    place = "purchaseInvoiceLines(L1)/dimensionSetLines"
    assert calls == [
        BatchCall("PATCH", f"{place}(k)", {"valueCode": "21"}, etag="*"),
        BatchCall("POST", place, {"code": "Formaal", "valueCode": "A"}),
    ]


def test_codes_and_values_have_no_case() -> None:
    assert list(missing([line(avd="ab")], [DraftLine("L1", {"AVD": "AB"}, {"AVD": "a"})])) == []


def test_a_code_in_two_spellings_is_one_dimension() -> None:
    twice = line(AVD="10", avd="10")
    assert [call.content for call in missing([twice], [DraftLine("L1")])] == [{"code": "avd", "valueCode": "10"}]
    lines = invoice_payload(posting(lines=(twice,)), "NOK")["purchaseInvoiceLines"]
    assert isinstance(lines, list)
    assert lines[0]["dimensionSetLines"] == [{"code": "avd", "valueCode": "10"}]


def drafted(number: int, **changes: object) -> dict[str, object]:
    sets = [{"id": "a", "code": "AVD", "valueCode": "10"}]
    return {"id": f"L{number}", "sequence": number * 10_000, "dimensionSetLines": sets, **changes}


def test_lines_are_read_in_their_own_order() -> None:
    lines = draft_lines_in({"purchaseInvoiceLines": [drafted(2), drafted(1)]})
    assert lines is not None
    assert [each.erp_id for each in lines] == ["L1", "L2"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"purchaseInvoiceLines": "x"},
        {"purchaseInvoiceLines": ["x"]},
        {"purchaseInvoiceLines": [drafted(1, dimensionSetLines=None)]},
        {"purchaseInvoiceLines": [drafted(1, dimensionSetLines=["x"])]},
        {"purchaseInvoiceLines": [drafted(1, id=None)]},
    ],
)
def test_a_draft_that_does_not_show_its_dimensions_says_nothing_of_them(content: object) -> None:
    assert draft_lines_in(content) is None


def test_ten_thousand_names_fit_into_short_filters_in_their_order() -> None:
    names = [f"Ø'{number:05}" for number in range(10_000)]
    made = list(filters("number", names))
    assert all(len(quote(each)) <= 1800 for each in made)
    assert len(made) < 300
    assert " or ".join(made).count(" eq ") == 10_000
    assert made[0].startswith("number eq 'Ø''00000' or number eq 'Ø''00001'")


def test_no_name_needs_no_filter() -> None:
    assert list(filters("number", [])) == []
