import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.approval import Claimant, ExpenseLine, ReimbursementApproved
from schemas.content import EventContent, canonical_hash
from schemas.currency import minor_units
from schemas.toggle import Actor, ConnectorToggled
from tests.unit.bad_records import approval, line, toggle
from tests.unit.schemas.events import approvals

_APPROVAL_HASH = "33ee452d3abd7326aefd1a96bc719d0fab50180197e293a12b376893ffa63b55"
_TOGGLE_HASH = "a61c4b4a4ad34fedf9990dab60d18c2cba6127cc78f0da1ff957090c38b90c1d"


def _read(data: object) -> ReimbursementApproved:
    return ReimbursementApproved.model_validate(data)


@pytest.mark.parametrize("content", [ReimbursementApproved, ExpenseLine, Claimant, ConnectorToggled, Actor])
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
    assert ConnectorToggled.model_validate(toggle()).content_hash().hex() == _TOGGLE_HASH


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
