"""The CloudEvents project's own SDK is the oracle, both ways and in both modes."""

import json
from collections.abc import Sequence

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary,
    from_structured,
    to_binary,
    to_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import given

from schemas.cloudevent import CloudEvent, decode, encode_binary, encode_structured
from schemas.dead_letter import DeadLetterReason, NotAcceptedError
from tests.unit.bad_records import STRUCTURED_HEADERS, binary_headers, envelope, json_bytes
from tests.unit.schemas.events import cloudevents

_JSON = JSONFormat()


def _sdk_event(event: CloudEvent) -> SdkEvent:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
        "datacontenttype": "application/json",
    }
    # Where there is no time the SDK fills in its own, so an event is made once and compared with itself.
    present = {name: value for name, value in attributes.items() if value is not None}
    return SdkEvent(present, json.loads(event.data))


def _message(record: tuple[Sequence[tuple[str, bytes]], bytes]) -> KafkaMessage:
    headers, value = record
    return KafkaMessage(headers=dict(headers), key=None, value=value)


def _assert_same(ours: CloudEvent, sdk: BaseCloudEvent) -> None:
    assert (ours.id, ours.source, ours.type) == (sdk.get_id(), sdk.get_source(), sdk.get_type())
    assert ours.subject == sdk.get_subject()
    assert ours.time is None or ours.time == sdk.get_time()
    assert json.loads(ours.data) == sdk.get_data()


@given(cloudevents())
def test_the_sdk_reads_what_we_write_in_binary_mode(event: CloudEvent) -> None:
    _assert_same(event, from_binary(_message(encode_binary(event)), _JSON))


@given(cloudevents())
def test_the_sdk_reads_what_we_write_in_structured_mode(event: CloudEvent) -> None:
    _assert_same(event, from_structured(_message(encode_structured(event)), _JSON))


@given(cloudevents())
def test_we_read_what_the_sdk_writes_in_binary_mode(event: CloudEvent) -> None:
    sdk_event = _sdk_event(event)
    written = to_binary(sdk_event, _JSON)
    _assert_same(decode(written.value, list(written.headers.items())), sdk_event)


@given(cloudevents())
def test_we_read_what_the_sdk_writes_in_structured_mode(event: CloudEvent) -> None:
    sdk_event = _sdk_event(event)
    written = to_structured(sdk_event, _JSON)
    _assert_same(decode(written.value, list(written.headers.items())), sdk_event)


@given(cloudevents())
def test_binary_mode_keeps_an_event_byte_for_byte(event: CloudEvent) -> None:
    headers, value = encode_binary(event)
    assert decode(value, headers) == event


def test_ce_headers_are_ignored_in_structured_mode() -> None:
    headers = (*STRUCTURED_HEADERS, ("ce_id", b"of the header"))
    assert decode(json_bytes(envelope({})), headers).id == "e-1"


def test_a_null_header_is_an_absent_one() -> None:
    with pytest.raises(NotAcceptedError, match="attribute id is missing"):
        decode(b"{}", [*binary_headers(ce_id=None), ("ce_id", None)])


def test_a_tombstone_is_no_cloudevent_without_headers_and_invalid_json_with_them() -> None:
    reasons = [_reason(None, ()), _reason(None, STRUCTURED_HEADERS), _reason(None, binary_headers())]
    assert reasons == ["not_a_cloudevent", "not_a_cloudevent", "invalid_json"]


def test_structured_data_that_json_cannot_write_again_is_refused() -> None:
    value = json_bytes(envelope({"x": 0})).replace(b'"x":0', b'"x":1e400')
    assert _reason(value, STRUCTURED_HEADERS) == DeadLetterReason.INVALID_JSON


def test_a_repeated_key_is_not_named() -> None:
    with pytest.raises(NotAcceptedError) as refused:
        decode(b'{"Kari Nordmann": 1, "Kari Nordmann": 2}', binary_headers())
    assert refused.value.detail == "an object has the same key twice at line 1 column 38"


def _reason(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> DeadLetterReason:
    with pytest.raises(NotAcceptedError) as refused:
        decode(value, headers)
    return refused.value.reason
