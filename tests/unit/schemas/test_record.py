import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.approval import AcceptedApproval
from schemas.cloudevent import Headers
from schemas.dead_letter import DeadLetterReason, NotAcceptedError
from schemas.record import ToggleRecord, Topic, read_record
from tests.unit.bad_records import (
    APPROVED_TYPE,
    STRUCTURED_HEADERS,
    TOGGLED_TYPE,
    approval,
    binary_headers,
    envelope,
    json_bytes,
    line,
    toggle,
)
from tests.unit.schemas.events import approvals, json_values

topics = st.sampled_from(["approvals", "toggles"])
_NAMES = ["ce_id", "CE_Type", "ce_source", "ce_specversion", "ce_time", "ce_subject", "Content-Type", "x"]
_VALUES = [b"1.0", APPROVED_TYPE.encode(), b"application/json", b"application/cloudevents+json", b"\xff", None]
headers = st.lists(
    st.tuples(st.sampled_from(_NAMES) | st.text(max_size=9), st.sampled_from(_VALUES) | st.binary(max_size=20))
)
good_headers = st.sampled_from([binary_headers(), binary_headers(TOGGLED_TYPE), STRUCTURED_HEADERS])


def _never_raises_anything_else(topic: Topic, key: bytes | None, value: bytes | None, headers: Headers) -> None:
    try:
        read_record(topic, key, value, headers)
    except NotAcceptedError as refused:
        json.dumps([refused.reason, refused.detail])


@given(topics, st.none() | st.binary(), st.none() | st.binary(), headers | good_headers)
def test_random_bytes_raise_nothing_else(
    topic: Topic, key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    _never_raises_anything_else(topic, key, value, headers)


@given(topics, json_values, headers | good_headers)
def test_random_json_raises_nothing_else(topic: Topic, data: object, headers: Headers) -> None:
    _never_raises_anything_else(topic, b"hlf", json.dumps(data).encode(), headers)


@given(topics, json_values, st.sampled_from([*envelope(None), "time", "subject", "datacontenttype"]))
def test_random_envelopes_raise_nothing_else(topic: Topic, data: object, member: str) -> None:
    event = {**envelope(approval("R-1")), member: data}
    _never_raises_anything_else(topic, b"hlf", json.dumps(event).encode(), STRUCTURED_HEADERS)


@given(json_values, st.sampled_from([*approval("R-1")]))
def test_an_approval_with_a_random_member_raises_nothing_else(data: object, member: str) -> None:
    value = json.dumps({**approval("R-1"), member: data}).encode()
    _never_raises_anything_else("approvals", b"hlf", value, binary_headers())


@given(json_values, st.sampled_from([*line()]))
def test_a_line_with_a_random_member_raises_nothing_else(data: object, member: str) -> None:
    value = json.dumps(approval("R-1", lines=[{**line(), member: data}])).encode()
    _never_raises_anything_else("approvals", b"hlf", value, binary_headers())


@given(json_values, st.sampled_from([*toggle(), "revision"]))
def test_a_toggle_with_a_random_member_raises_nothing_else(data: object, member: str) -> None:
    value = json.dumps({**toggle(), member: data}).encode()
    _never_raises_anything_else("toggles", b"hlf", value, binary_headers(TOGGLED_TYPE))


@given(st.text(max_size=40), st.sampled_from(["approved_at", "total", "currency"]))
def test_a_random_text_for_time_or_money_raises_nothing_else(text: str, member: str) -> None:
    value = json.dumps({**approval("R-1"), member: text}).encode()
    _never_raises_anything_else("approvals", b"hlf", value, binary_headers())


@given(st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9][+-][0-2][0-9]:[0-6][0-9]\Z"))
def test_a_time_at_the_edge_of_the_calendar_raises_nothing_else(text: str) -> None:
    value = json.dumps(approval("R-1", approved_at=text, lines=[line(expense_date=text[:10])])).encode()
    _never_raises_anything_else("approvals", b"hlf", value, binary_headers(ce_time=text.encode()))


@given(approvals())
def test_both_modes_say_the_same(data: dict[str, object]) -> None:
    binary = read_record("approvals", b"hlf", json_bytes(data), binary_headers())
    structured = read_record("approvals", b"hlf", json_bytes(envelope(data)), STRUCTURED_HEADERS)
    assert isinstance(binary, AcceptedApproval)
    assert structured == binary


def test_a_toggle_comes_with_the_identity_of_its_event() -> None:
    record = read_record("toggles", b"hlf", json_bytes(toggle()), binary_headers(TOGGLED_TYPE, ce_id=b"e-7"))
    assert isinstance(record, ToggleRecord)
    assert (record.event_source, record.event_id) == ("/expenses", "e-7")
    assert record.toggle.organization_id == "hlf"


SECRET = "Kari-Nordmann-4711"


@pytest.mark.parametrize(
    "data",
    [
        approval("R-1", description=SECRET + "\x00"),
        approval("R-1", claimant=SECRET),
        approval("R-1", claimant={"id": SECRET + "\n", "number": SECRET + "\n"}),
        approval("R-1", currency=SECRET),
        approval("R-1", total=SECRET),
        approval("R-1", approved_at=SECRET),
        approval("R-1", lines=[line(expense_date=SECRET)]),
        approval("R-1", lines=[line(dimensions={SECRET + " ": "10"})]),
        approval("R-1", lines=[line(dimensions={SECRET: 10})]),
        approval("R-1", lines=[line(SECRET), line(SECRET)]),
        approval(SECRET, total="1.00"),
        {SECRET: SECRET},
        SECRET,
    ],
)
def test_a_detail_never_quotes_the_record(data: object) -> None:
    with pytest.raises(NotAcceptedError) as refused:
        read_record("approvals", b"hlf", json_bytes(data), binary_headers())
    assert refused.value.reason == DeadLetterReason.INVALID_DATA
    assert "Kari" not in str(refused.value)


def test_a_detail_names_the_place_and_the_rule() -> None:
    assert _detail(approval("R-1", lines=[line(amount=1)])) == "lines.0.amount: Input should be a valid string"
    assert _detail(approval("R-1", lines=[])) == "data: There should be at least one line"
    assert _detail(approval("R-1", total="1.00")) == "data: The lines should add up to total"


def test_a_detail_stays_short_when_everything_is_wrong() -> None:
    detail = _detail(approval("R-1", lines=[{} for _ in range(500)]))
    assert detail.endswith("; and 1 more")
    assert len(detail) < 200


@pytest.mark.parametrize("key", [None, b"", b"nrk", b"\xff"])
def test_a_key_that_is_not_the_organisation_is_named(key: bytes | None) -> None:
    with pytest.raises(NotAcceptedError, match=r"^invalid_data: key: .*organization_id$"):
        read_record("approvals", key, json_bytes(approval("R-1")), binary_headers())


def _detail(data: object) -> str:
    with pytest.raises(NotAcceptedError) as refused:
        read_record("approvals", b"hlf", json_bytes(data), binary_headers())
    return refused.value.detail
