"""An approval is read as dicts where it is plainly right: nobody can tell but by the time it takes."""

from collections.abc import Callable
from decimal import Decimal

import jiter
import pytest
from hypothesis import given
from pydantic import ValidationError

from schemas.approval import AcceptedApproval, ReimbursementApproved, accept_approval
from tests.unit.bad_records import CURATED_RECORDS, CuratedRecord, approval, line
from tests.unit.schemas.events import approvals

_APPROVALS = [record for record in CURATED_RECORDS if record.topic == "approvals"]


@given(approvals())
def test_what_is_accepted_is_what_the_model_says(data: dict[str, object]) -> None:
    assert accept_approval(data) == _accepted_by_the_model(data)


@pytest.mark.parametrize("record", _APPROVALS, ids=lambda record: record.name)
def test_the_curated_records_are_judged_as_the_model_judges_them(record: CuratedRecord) -> None:
    data = _data(record)
    assert _judged_by(accept_approval, data) == _judged_by(_accepted_by_the_model, data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": []},
        {"total": "99.99"},
        {"lines": [line("1", amount="50.00"), line("1", amount="50.00")]},
        {"lines": [line(amount="100.0000")]},
        {"currency": "JPY"},
    ],
    ids=["no line", "another sum", "one line_id twice", "more decimals", "another currency"],
)
def test_what_spans_several_fields_is_refused_as_the_model_refuses_it(wrong: dict[str, object]) -> None:
    data = approval("R-1", **wrong)
    with pytest.raises(ValidationError) as by_the_model:
        ReimbursementApproved.model_validate(data)
    with pytest.raises(ValidationError) as refused:
        accept_approval(data)
    assert refused.value.errors() == by_the_model.value.errors()


def test_amounts_without_the_currencys_decimals_are_normalised() -> None:
    content = accept_approval(approval("R-1", total="100", lines=[line(amount="100")]))
    assert content.total_minor == 10_000
    assert ReimbursementApproved.from_canonical(content.content).lines[0].amount == Decimal("100.00")
    assert b'"amount":"100.00"' in content.content


def test_what_is_plainly_right_needs_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReimbursementApproved, "model_validate", _never)
    assert accept_approval(approval("R-1", lines=[line(amount="100.00")], total="100.00")).total_minor == 10_000


def _accepted_by_the_model(data: object) -> AcceptedApproval:
    return ReimbursementApproved.model_validate(data).accepted()


def _never(_: object) -> None:
    raise AssertionError("the model was asked")


def _data(record: CuratedRecord) -> object:
    """None where it is no JSON, which is for others to say."""
    try:
        return jiter.from_json(record.value or b"")
    except ValueError:
        return None


def _judged_by(accept: Callable[[object], object], data: object) -> object:
    """What is accepted, or why it is not."""
    try:
        return accept(data)
    except ValidationError as refusal:
        return refusal.errors()
