"""Vouchers and outcomes of Xledger, without a network."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import (
    Absent,
    ConfigurationError,
    Document,
    Environment,
    Found,
    ImportRefused,
    NotSent,
    Posting,
    PostingLine,
    Rejected,
    Staged,
    Unavailable,
    Unknown,
)
from connectors.http import Answer, NotDelivered, Uncertain
from connectors.xledger import documents
from connectors.xledger.answers import Reply, read_reply, refused_mutation, refused_query
from connectors.xledger.documents import Books, dimension_slots, registration_numbers, voucher
from connectors.xledger.registrations import Registrations
from connectors.xledger.settings import read_settings
from connectors.xledger.vouchers import Holdings, ImportRow, PayableRow, findings, holdings_in
from tests.unit.connectors.samples import NOW, mapping, posting

BOOKS = Books("AP", "NOK", {"AVD": "glObject1"})
DAY = date(2026, 11, 20)


def nodes(**changes: Any) -> list[dict[str, object]]:
    made = voucher(posting(**changes), DAY, BOOKS, "7")
    assert isinstance(made, list)
    return made


def reply(content: object, status: int = 200) -> Reply:
    read = read_reply(Answer(status, {}, json.dumps(content).encode()))
    assert isinstance(read, Reply)
    return read


def refused(code: str, message: str = "No.", **extensions: str) -> object:
    return refused_mutation(
        reply({"data": None, "errors": [{"message": message, "code": code, "extensions": extensions}]}),
        posting(),
        NOW,
    )


def test_a_voucher_has_a_debit_for_each_line_and_one_credit() -> None:
    debit, other, credit = nodes()
    assert debit["account"] == {"code": "7140"}
    assert debit["taxRule"] == {"code": "0"}
    assert debit["glObject1"] == {"code": "10"}
    assert debit["amount"] == debit["invoiceAmount"] == "1000.50"
    assert "taxRule" not in other
    assert credit["account"] == {"code": "2930"}
    assert credit["subledger"] == {"code": "10023"}
    assert credit["invoiceAmount"] == "-1250.50"


def test_all_nodes_share_what_makes_them_one_voucher() -> None:
    shared = ("trRegNumber", "invoiceNumber", "extIdentifier", "postedDate", "invoiceDate", "currency")
    assert len({json.dumps([node[name] for name in shared]) for node in nodes()}) == 1
    assert nodes()[0]["invoiceNumber"] == nodes()[0]["extIdentifier"] == posting().reference


@given(st.lists(st.decimals(min_value="0.01", max_value="99999999.99", places=2), min_size=1, max_size=40))
def test_a_voucher_sums_to_zero(amounts: list[Decimal]) -> None:
    lines = tuple(PostingLine("7140", amount, "x") for amount in amounts)
    made = nodes(lines=lines, total=sum(amounts, Decimal(0)))
    assert sum(Decimal(str(node["invoiceAmount"])) for node in made) == 0


def test_a_foreign_amount_leaves_the_rate_to_xledger() -> None:
    assert all("amount" not in node for node in nodes(currency="EUR"))


@given(st.text(min_size=1, max_size=35), st.integers(1, 9))
def test_the_registration_number_is_whole_positive_and_stable(reference: str, attempt: int) -> None:
    numbers = registration_numbers(posting(reference=reference, attempt=attempt))
    assert all(1 <= int(number) <= 999_999_999 for number in numbers)
    assert numbers == registration_numbers(posting(reference=reference, attempt=attempt))


def test_no_two_of_the_latest_vouchers_go_under_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LARGEST_REGISTRATION", 50)
    registrations = Registrations()
    vouchers = [posting(f"R-{number}") for number in range(20)]
    numbers = [registrations.number_of(one) for one in vouchers]
    assert len({registration_numbers(one)[0] for one in vouchers}) < len(set(numbers)) == 20
    assert [registrations.number_of(one) for one in vouchers] == numbers


def test_more_lines_than_one_mutation_takes_are_rejected() -> None:
    lines = (PostingLine("7140", Decimal(1), "x"),) * 500
    outcome = voucher(posting(lines=lines, total=Decimal(500)), DAY, BOOKS, "7")
    assert isinstance(outcome, Rejected)
    assert outcome.code == "too_many_lines"


@pytest.mark.parametrize(
    ("dimensions", "slots"),
    [
        ({"department": "AVD"}, {"AVD": "glObject1"}),
        ({"department": "AVD", "project": "PRO"}, {"AVD": "glObject1", "PRO": "glObject2"}),
        ({"department": "glObject3"}, {"glObject3": "glObject3"}),
        ({"department": "AVD", "project": "glObject1"}, {"glObject1": "glObject1", "AVD": "glObject2"}),
    ],
)
def test_dimensions_fill_the_objects_named_or_the_free_ones_in_order(
    dimensions: dict[str, str], slots: dict[str, str]
) -> None:
    assert dimension_slots(mapping(dimensions=dimensions)) == slots


def test_a_sixth_dimension_is_rejected_by_name() -> None:
    line = PostingLine("7140", Decimal(1), "x", None, {"SIXTH": "1"})
    outcome = voucher(posting(lines=(line,)), DAY, BOOKS, "7")
    assert isinstance(outcome, Rejected)
    assert "'SIXTH'" in outcome.message


def test_errors_inside_http_200_have_their_outcomes() -> None:
    assert refused("BAD_REQUEST.BURST_RATE_LIMIT_REACHED") == NotSent(
        "Xledger's limit of requests was reached.", timedelta(seconds=5)
    )
    assert refused("BAD_REQUEST.INSUFFICIENT_CREDITS", resetAt="2026-11-20T10:30:00Z") == NotSent(
        "Xledger's quota of credits is used up.", timedelta(minutes=30)
    )
    assert refused("INVALID_VALUE", "Wrong: Peer meeting, Lillehammer") == Rejected("INVALID_VALUE", "Wrong: …")
    assert isinstance(refused("UNAUTHENTICATED"), Unavailable)
    assert refused("INVALID_VALUE", "Wrong: authentication key") == Rejected(
        "INVALID_VALUE", "Wrong: authentication key"
    )
    assert isinstance(refused("UNHANDLED_ERROR", "Bad format for API Token. Expected …"), Unavailable)
    assert isinstance(refused("SOMETHING_NEW"), Unknown)


@pytest.mark.parametrize(
    ("reset_at", "pause"),
    [
        ("2026-11-20T10:30:00Z", timedelta(minutes=30)),
        ("2026-11-20T11:30:00+01:00", timedelta(minutes=30)),
        ("2026-11-20T11:30:00", timedelta(minutes=30)),
        ("2026-11-20T11:30:00.123", timedelta(minutes=30, milliseconds=123)),
        ("2026-11-20T09:59:59Z", timedelta(seconds=1)),
        ("2031-01-01T00:00:00Z", timedelta(hours=24)),
        ("9999-12-31T23:59:59", timedelta(hours=24)),
        ("9999-12-31T23:59:59-12:00", timedelta(hours=24)),
        ("0001-01-01T00:00:00", timedelta(seconds=1)),
        ("0001-01-01T00:00:00+14:00", timedelta(seconds=1)),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_used_up_quota_waits_for_its_reset_in_xledgers_own_time_and_never_longer_than_a_day(
    reset_at: str, pause: timedelta | None
) -> None:
    outcome = refused("BAD_REQUEST.INSUFFICIENT_CREDITS", resetAt=reset_at)
    assert outcome == NotSent("Xledger's quota of credits is used up.", pause)


@pytest.mark.parametrize("reset_at", [None, 17, [], {"at": "2026-11-20T10:30:00Z"}])
def test_a_reset_of_another_form_leaves_the_pause_to_the_worker(reset_at: object) -> None:
    error = {"code": "BAD_REQUEST.INSUFFICIENT_CREDITS", "message": "No.", "extensions": {"resetAt": reset_at}}
    outcome = refused_query(reply({"errors": [error]}), NOW)
    assert outcome == NotSent("Xledger's quota of credits is used up.", None)


def test_a_limit_of_requests_at_once_is_tried_again_after_a_second() -> None:
    outcome = refused("BAD_REQUEST.CONCURRENCY_LIMIT_REACHED")
    assert outcome == NotSent("Xledger's limit of requests was reached.", timedelta(seconds=1))


def test_errors_beside_data_are_unknown() -> None:
    both = {"data": {"addGLImportItems": {"edges": []}}, "errors": [{"code": "INVALID_VALUE"}]}
    assert isinstance(refused_mutation(reply(both), posting(), NOW), Unknown)


def test_a_refused_query_is_never_unknown() -> None:
    assert isinstance(refused_query(reply({"errors": [{"code": "NEW"}]}), NOW), NotSent)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (NotDelivered("x"), NotSent),
        (Uncertain("x"), Uncertain),
        (Answer(401, {}, b""), Unavailable),
        (Answer(403, {}, b""), Unavailable),
        (Answer(429, {}, b""), NotSent),
        (Answer(503, {}, b""), NotSent),
        (Answer(500, {}, b"{}"), Uncertain),
        (Answer(200, {}, b"<html>"), Uncertain),
        (Answer(200, {}, b"{}"), Uncertain),
        (Answer(200, {}, b"[]"), Uncertain),
        (Answer(200, {}, b'{"data": {}, "errors": 1}'), Uncertain),
    ],
)
def test_an_answer_that_is_not_graphql_has_the_outcome_of_the_table(answer: Answer, kind: type) -> None:
    assert isinstance(read_reply(answer), kind)


def payable(amount: str, number: str = "20260001") -> PayableRow:
    return PayableRow("1", "R-1", Decimal(amount), "NOK", number)


def test_a_transaction_is_found_with_what_is_owed() -> None:
    found = findings([asked()], Holdings([payable("-10.00")], [], is_cut=False))
    assert found == {"R-1": Found(Document("20260001", "1"), Decimal("10.00"), "NOK")}


def test_two_transactions_under_one_reference_do_not_look_like_one() -> None:
    found = findings([asked()], Holdings([payable("-10.00"), payable("-10.00", "20260002")], [], is_cut=False))["R-1"]
    assert isinstance(found, Found)
    assert (found.document.number, found.total) == ("20260001, 20260002", Decimal("20.00"))


def asked(reference: str = "R-1", attempt: int = 1) -> Posting:
    return posting(reference=reference, attempt=attempt)


def staged(attempt: int, *rows: int) -> list[ImportRow]:
    return [ImportRow(row, "R-1", registration_numbers(asked(attempt=attempt))[0]) for row in rows]


REFUSED = {2: ["Account 9999 does not exist."], 4: ["Supplier 10023 is blocked."]}


def test_a_voucher_is_refused_when_one_of_its_rows_is() -> None:
    refused_row = Holdings([], staged(1, 1, 2), is_cut=False, messages=REFUSED)
    assert findings([asked(), asked("R-2")], refused_row) == {
        "R-1": ImportRefused(Document("R-1", "1,2"), "import_refused", "Account 9999 does not exist."),
        "R-2": Absent(),
    }


def test_a_voucher_that_waits_is_not_hidden_by_one_that_was_refused() -> None:
    both = Holdings([], [*staged(1, 1, 2), *staged(2, 3)], is_cut=False, messages=REFUSED)
    assert findings([asked(attempt=2)], both) == {"R-1": Staged(Document("R-1", "3"))}


def test_what_was_refused_of_an_earlier_attempt_is_as_good_as_absent() -> None:
    """This attempt's voucher may be in and not seen yet: a retry of what would be rejected were a second voucher."""
    leftover = Holdings([], staged(1, 1, 2), is_cut=False, messages=REFUSED)
    assert findings([asked(attempt=2)], leftover) == {"R-1": Absent()}


def test_of_two_refusals_that_of_the_attempt_is_told() -> None:
    both = Holdings([], [*staged(2, 3, 4), *staged(1, 1, 2)], is_cut=False, messages=REFUSED)
    refusal = ImportRefused(Document("R-1", "3,4"), "import_refused", "Supplier 10023 is blocked.")
    assert findings([asked(attempt=2)], both) == {"R-1": refusal}


def test_an_answer_of_another_form_is_not_an_absence() -> None:
    assert holdings_in({}) is None
    assert holdings_in({"apTransactions": {"edges": [{"node": {}}]}, "glImportItems": {"edges": []}}) is None


@pytest.mark.parametrize("base_url", ["https://www.xledger.net/graphql", "https://erp.example:8443/graphql"])
@pytest.mark.parametrize("seconds", [0, 1, 899])
def test_a_quarantine_that_cannot_keep_a_second_voucher_away_is_refused(base_url: str, seconds: int) -> None:
    listed = Environment(frozenset({"erp.example:8443"}))
    with pytest.raises(ConfigurationError) as raised:
        read_settings({"base_url": base_url, "quarantine_seconds": seconds}, listed)
    assert raised.value.problems == ("quarantine_seconds must be at least 900: Xledger takes a voucher a second time.",)


def test_a_sandbox_on_this_machine_may_have_a_shorter_quarantine() -> None:
    listed = Environment(frozenset({"127.0.0.1:9001"}))
    read, _ = read_settings({"base_url": "http://127.0.0.1:9001/graphql", "quarantine_seconds": 0}, listed)
    assert read.quarantine_seconds == 0
