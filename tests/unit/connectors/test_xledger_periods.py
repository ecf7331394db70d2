"""Which day a posting is booked on, and how its text says that it was approved for another."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Document, Finding, ImportRefused, Staged
from connectors.erp_text import text_with_day
from connectors.xledger.documents import LONGEST_TEXT, Books, voucher
from connectors.xledger.periods import OpenPeriods, Period, closed_sentence, open_periods_in
from connectors.xledger.vouchers import Holdings, ImportRow, holdings_in, messages_in, refused_days
from tests.unit.connectors.samples import posting

BOOKS = Books("AP", "NOK", {"AVD": "glObject1"})
JUNE = Period(date(2026, 6, 1), date(2026, 6, 30), "hlf")
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31), "hlf")
OPEN = OpenPeriods([AUGUST, JUNE])


@pytest.mark.parametrize(
    ("wished", "booked"),
    [
        (date(2026, 6, 1), date(2026, 6, 1)),
        (date(2026, 6, 30), date(2026, 6, 30)),
        (date(2026, 5, 31), date(2026, 6, 1)),
        (date(2026, 7, 1), date(2026, 8, 1)),
        (date(2026, 8, 31), date(2026, 8, 31)),
        (date(2026, 9, 1), None),
    ],
)
def test_a_closed_day_moves_to_the_first_day_of_the_first_open_period_after_it(
    wished: date, booked: date | None
) -> None:
    assert OPEN.first_day_from(wished) == booked


@given(st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_a_posting_never_moves_back_in_time_nor_into_a_closed_period(wished: date) -> None:
    booked = OPEN.first_day_from(wished)
    assert booked is None or (booked >= wished and OPEN.is_open(booked))


def row(first: object, last: object = "2026-06-30", owner: object = None) -> dict[str, object]:
    return {"node": {"owner": owner, "period": {"fromDate": first, "toDate": last}}}


def test_periods_are_read_with_or_without_a_time_of_day_and_with_their_company() -> None:
    rows = [row("2026-06-01", owner={"code": "hlf"}), row("2026-06-01T00:00:00.000", "2026-06-30T00:00:00.000")]
    read = open_periods_in({"periodStatusItems": {"edges": rows}})
    assert read == OpenPeriods([JUNE, Period(JUNE.first, JUNE.last, "")])
    assert read.owners == ["hlf"]


@pytest.mark.parametrize("first", [None, "", "June", 202606, {"year": 2026}])
def test_an_answer_of_another_form_is_not_a_closed_year(first: object) -> None:
    assert open_periods_in({"periodStatusItems": {"edges": [row(first)]}}) is None
    assert open_periods_in({}) is None
    assert open_periods_in({"periodStatusItems": {"edges": []}}) == OpenPeriods([])


def test_every_text_of_a_moved_voucher_says_the_day_it_was_approved_for() -> None:
    nodes = voucher(posting(), date(2026, 12, 1), BOOKS, "7")
    assert isinstance(nodes, list)
    assert [node["text"] for node in nodes] == [
        "Train (orig. 2026-11-20)",
        "meals (orig. 2026-11-20)",
        "Peer meeting, Lillehammer (orig. 2026-11-20)",
    ]
    assert {node["postedDate"] for node in nodes} == {"2026-12-01"}


def test_a_voucher_on_its_own_day_says_nothing_of_it() -> None:
    nodes = voucher(posting(), posting().posting_date, BOOKS, "7")
    assert isinstance(nodes, list)
    assert not any("orig." in str(node["text"]) for node in nodes)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=70, max_size=130))
def test_the_day_fits_into_the_field_whatever_the_text(text: str) -> None:
    marked = text_with_day(text, date(2026, 11, 20), LONGEST_TEXT)
    assert len(marked) <= LONGEST_TEXT
    assert marked.endswith(" (orig. 2026-11-20)")


def test_a_text_is_cut_before_the_day_and_never_inside_a_character() -> None:
    family = "\U0001f469\u200d\U0001f4bb"
    marked = text_with_day("x" * 79 + family, date(2026, 11, 20), LONGEST_TEXT)
    assert marked == "x" * 79 + "… (orig. 2026-11-20)"


def test_a_closed_period_is_named_with_what_to_do() -> None:
    day = date(2025, 6, 15)
    assert closed_sentence(day, moves=False) == (
        "The period 2025-06 is closed in Xledger. Open it, or set posting_date to first_open_date, then retry."
    )
    assert closed_sentence(day, moves=True) == (
        "The period 2025-06 is closed in Xledger. Retry: it is then booked in the first open one."
    )


def test_only_refused_vouchers_are_asked_about_the_day_they_were_to_be_booked_on() -> None:
    day = date(2025, 6, 15)
    rows = [ImportRow(1, "R-1", "7", day), ImportRow(2, "R-2", "8", day), ImportRow(3, "R-3", "9", None)]
    earlier = ImportRow(4, "R-1", "6", date(2025, 5, 15))
    found: dict[str, Finding] = {
        "R-1": ImportRefused(Document("R-1", "1"), "import_refused", "No."),
        "R-2": Staged(Document("R-2", "2")),
        "R-3": ImportRefused(Document("R-3", "3"), "import_refused", "No."),
    }
    assert refused_days(found, Holdings([], [*rows, earlier], is_cut=False)) == {"R-1": day}


@pytest.mark.parametrize("key", [40_000_001, "40000001"])
def test_a_key_is_read_as_a_number_and_as_text(key: object) -> None:
    """Xledger's `Int64String` travels as text."""
    node = {"dbId": key, "invoiceNumber": "R-1", "trRegNumber": 7, "postedDate": "2025-06-15"}
    holdings = holdings_in({"apTransactions": {"edges": []}, "glImportItems": {"edges": [{"node": node}]}})
    assert holdings is not None
    assert holdings.imports == [ImportRow(40_000_001, "R-1", "7", date(2025, 6, 15))]
    error = {"node": {"transactionDbId": key, "message": "No."}}
    assert messages_in({"glImportItemErrors": {"edges": [error]}}) == {40_000_001: ["No."]}
