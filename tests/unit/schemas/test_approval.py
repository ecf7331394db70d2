import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.approval import Claimant, ExpenseLine, Receipt, ReimbursementApproved, accept_approval
from schemas.content import EventContent, canonical_hash
from schemas.currency import minor_units
from schemas.toggle import Actor, ConnectorToggled
from tests.unit.bad_records import approval, line, receipt, toggle
from tests.unit.schemas.events import approvals

_APPROVAL_HASH = "33ee452d3abd7326aefd1a96bc719d0fab50180197e293a12b376893ffa63b55"
_WITH_RECEIPTS_HASH = "343280f3f91e2a84049e764808d532b27c3e75bff8f3cd38b558f79cab380b73"
_TOGGLE_HASH = "a61c4b4a4ad34fedf9990dab60d18c2cba6127cc78f0da1ff957090c38b90c1d"


def _read(data: object) -> ReimbursementApproved:
    return ReimbursementApproved.model_validate(data)


@pytest.mark.parametrize("content", [ReimbursementApproved, ExpenseLine, Receipt, Claimant, ConnectorToggled, Actor])
def test_fields_are_declared_in_the_order_of_the_canonical_form(content: type[EventContent]) -> None:
    assert list(content.model_fields) == sorted(content.model_fields)


@given(approvals())
def test_canonical_form_is_sorted_compact_utf8_json(data: dict[str, object]) -> None:
    canonical = _read(data).canonical()
    again = json.dumps(json.loads(canonical), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical == again.encode()


@given(approvals())
def test_canonical_form_reads_back_and_stays_the_same(data: dict[str, object]) -> None:
    content = _read(data)
    stored = ReimbursementApproved.from_canonical(content.canonical())
    assert stored == content
    assert stored.canonical() == content.canonical()
    assert stored.content_hash() == content.content_hash() == canonical_hash(content.canonical())


@given(approvals(), st.randoms(use_true_random=False), st.integers(-12, 12))
def test_two_texts_of_the_same_content_hash_equal(data: dict[str, object], random: Random, hours: int) -> None:
    members = [*data.items(), ("unknown", {"any": "thing"})]
    random.shuffle(members)
    moment = datetime.fromisoformat(str(data["approved_at"]))
    other = {
        **dict(members),
        "approved_at": moment.astimezone(timezone(timedelta(hours=hours))).isoformat(),
        "total": _shortest(str(data["total"])),
    }
    assert _read(other).content_hash() == _read(data).content_hash()


@given(approvals(), st.sampled_from(["approved_by", "reimbursement_id", "organization_id"]))
def test_other_content_hashes_differently(data: dict[str, object], field: str) -> None:
    other = {**data, field: f"other-{str(data[field])[:50]}"}
    assert _read(other).content_hash() != _read(data).content_hash()


@given(approvals())
def test_total_minor_is_the_sum_of_the_lines(data: dict[str, object]) -> None:
    content = _read(data)
    assert content.total_minor == sum(minor_units(line.amount, content.currency) for line in content.lines)


def test_content_hash_never_changes_between_releases() -> None:
    """Hashes are stored for ever: another canonical form would make each replayed record a conflict."""
    assert _read(approval("R-1")).content_hash().hex() == _APPROVAL_HASH
    assert _read(approval("R-1", receipts=[receipt()])).content_hash().hex() == _WITH_RECEIPTS_HASH
    assert ConnectorToggled.model_validate(toggle()).content_hash().hex() == _TOGGLE_HASH


@pytest.mark.parametrize("receipts", [{}, {"receipts": []}], ids=["absent", "empty"])
def test_without_receipts_the_canonical_form_is_what_it_was_before_there_were_any(receipts: dict[str, object]) -> None:
    accepted = accept_approval(approval("R-1", **receipts))
    assert canonical_hash(accepted.content).hex() == _APPROVAL_HASH
    assert (b"receipts" in accepted.content, accepted.receipts) == (False, 0)
    assert _read(approval("R-1", **receipts)).accepted() == accepted


def test_receipts_keep_their_order_and_are_content() -> None:
    one, other = receipt(), receipt(url="https://files.example/2?token=s3cret", media_type="application/pdf")
    content = _read(approval("R-1", receipts=[other, one]))
    assert [each.url for each in content.receipts] == [other["url"], one["url"]]
    assert content.content_hash() != _read(approval("R-1", receipts=[one, other])).content_hash()
    assert content.accepted() == accept_approval(approval("R-1", receipts=[other, one]))
    assert content.accepted().receipts == 2


def test_the_address_of_a_receipt_is_not_in_its_text() -> None:
    assert "s3cret" not in repr(_read(approval("R-1", receipts=[receipt(url="https://files.example/?t=s3cret")])))


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example/1",
        "http://127.0.0.1.files.example/1",
        "https://user@files.example/1",
        "https://user:s3cret@files.example/1",
        "https://files.example/1#page",
        "https://files.example/a b",
        "https://files.example/1\n",
        "https://files.example\\@other.example/1",
        "https:///1",
        "ftp://files.example/1",
        "https://files.example/" + "x" * 2048,
        7,
        None,
    ],
)
def test_an_address_of_another_kind_is_refused_without_being_quoted(url: object) -> None:
    with pytest.raises(ValidationError) as refused:
        accept_approval(approval("R-1", receipts=[receipt(url=url)]))
    (error,) = refused.value.errors(include_input=False)
    assert (error["loc"], error["msg"].partition(" without")[0]) == (
        ("receipts", 0, "url"),
        "Input should be an https address",
    )
    assert str(url) not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example",
        "https://files.example:8443/a/%C3%A6?sig=a+b%2F&x=[1]",
        "http://127.0.0.1:80/1",
        "http://[::1]/1",
    ],
)
def test_https_addresses_and_plain_ones_of_this_machine_are_taken_as_they_are(url: str) -> None:
    assert _read(approval("R-1", receipts=[receipt(url=url)])).receipts[0].url == url


@pytest.mark.parametrize(
    "wrong",
    [
        {"receipts": [receipt()] * 21},
        {"receipts": None},
        {"receipts": [receipt(sha256="A" * 64)]},
        {"receipts": [receipt(sha256="a" * 63)]},
        {"receipts": [receipt(media_type="text/html")]},
        {"receipts": [{"url": "https://files.example/1"}]},
    ],
    ids=["too many", "null", "capitals", "too short", "a page", "no hash"],
)
def test_receipts_that_could_not_be_attached_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        accept_approval(approval("R-1", **wrong))


def test_amounts_get_the_decimals_of_their_currency_and_times_utc() -> None:
    content = _read(
        approval("R-1", total="100.5", lines=[line(amount="100.5")], approved_at="2026-11-20T10:12:44+01:00")
    )
    assert (str(content.total), str(content.lines[0].amount)) == ("100.50", "100.50")
    assert content.approved_at == datetime(2026, 11, 20, 9, 12, 44, tzinfo=UTC)
    assert content.approved_at.tzinfo is UTC
    assert isinstance(content.total, Decimal)


def test_an_approval_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _read(approval("R-1")).total = Decimal(1)  # type: ignore[misc]  # what the test is about


def test_validation_errors_hide_values() -> None:
    with pytest.raises(ValidationError) as refused:
        _read(approval("R-1", description="Kari Nordmann\x00", total="47110815"))
    assert "Kari" not in str(refused.value)
    assert "4711" not in str(refused.value)


def test_a_toggle_with_a_blank_reason_is_for_the_toggle_service_to_refuse() -> None:
    assert ConnectorToggled.model_validate(toggle(reason="")).reason == ""


def test_an_absent_revision_hashes_like_a_null_one() -> None:
    absent, null = toggle(), toggle(revision=None)
    assert (
        ConnectorToggled.model_validate(absent).content_hash() == ConnectorToggled.model_validate(null).content_hash()
    )


def _shortest(amount: str) -> str:
    return amount.rstrip("0").rstrip(".") if "." in amount else amount
