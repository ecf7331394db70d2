"""A Kafka record ↔ a CloudEvent 1.0, in binary and structured mode.

Source: the CloudEvents Kafka protocol binding and JSON event format, version 1.0.2.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

import jiter

from schemas.dead_letter import DeadLetterReason, NotAcceptedError

MAX_VALUE_BYTES: Final = 1024 * 1024
MAX_ATTRIBUTE_CHARS: Final = 256
"""So that source and id together fit into one row of a PostgreSQL index."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
"""As a Kafka client gives them: names may repeat, a value may be null."""

_BINARY: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_ATTRIBUTE_BY_HEADER: Final = {
    "ce_specversion": "specversion",
    "ce_id": "id",
    "ce_source": "source",
    "ce_type": "type",
    "ce_time": "time",
    "ce_subject": "subject",
    "content-type": "content-type",
}
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_JSON_POSITION: Final = re.compile(r"at line [0-9]+ column [0-9]+$")


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """`time` is aware; `data` is JSON in UTF-8."""

    id: str
    source: str
    type: str
    time: datetime | None
    subject: str | None
    data: bytes


class OpenedEvent(NamedTuple):
    """A CloudEvent whose data is parsed already, so that reading a record parses once.

    A tuple, since one is made for each record, and a frozen dataclass takes several times as long to make.
    """

    id: str
    source: str
    type: str
    time: datetime | None
    subject: str | None
    data: Json


def decode(value: bytes | None, headers: Headers) -> CloudEvent:
    """The event in a record; in structured mode its data is written anew. Raises NotAcceptedError."""
    event = open_event(value, headers)
    is_binary = _media_type(_attributes(headers)["content-type"]) == _BINARY
    data = value if is_binary and value is not None else _json_bytes(event.data)
    return CloudEvent(event.id, event.source, event.type, event.time, event.subject, data)


def open_event(value: bytes | None, headers: Headers) -> OpenedEvent:
    """The event in a record, with its data parsed. Raises NotAcceptedError."""
    if value is not None and len(value) > MAX_VALUE_BYTES:
        raise NotAcceptedError(DeadLetterReason.TOO_LARGE, "the value is larger than 1 MiB")
    attributes = _attributes(headers)
    media_type = _media_type(attributes.get("content-type", ""))
    if media_type == _BINARY:
        return _open_binary(value, attributes)
    if media_type == _STRUCTURED:
        return _open_structured(value)
    raise _not_a_cloudevent(f"content-type is missing or is neither {_BINARY} nor {_STRUCTURED}")


def encode_binary(event: CloudEvent) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of a record in binary mode."""
    attributes = _written_attributes(event)
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return [*headers, ("content-type", _BINARY.encode())], event.data


def encode_structured(event: CloudEvent) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and value of a record in structured mode."""
    envelope = _json_bytes({**_written_attributes(event), "datacontenttype": _BINARY})
    return [("content-type", _STRUCTURED.encode())], envelope[:-1] + b',"data":' + event.data + b"}"


def _open_binary(value: bytes | None, attributes: Mapping[str, str]) -> OpenedEvent:
    checked = _checked(attributes)
    if value is None:
        raise NotAcceptedError(DeadLetterReason.INVALID_JSON, "the record has no value")
    return OpenedEvent(*checked, _parsed(value))


def _open_structured(value: bytes | None) -> OpenedEvent:
    if value is None:
        raise _not_a_cloudevent("the record has no value")
    envelope = _parsed(value)
    if not isinstance(envelope, dict):
        raise _not_a_cloudevent("the structured event is not a JSON object")
    checked = _checked(envelope)
    _refuse_other_content(envelope.get("datacontenttype"))
    if "data" not in envelope:
        raise NotAcceptedError(DeadLetterReason.INVALID_DATA, "the structured event has no JSON in data")
    return OpenedEvent(*checked, envelope["data"])


def _refuse_other_content(content_type: Json) -> None:
    if content_type is None or (isinstance(content_type, str) and _media_type(content_type) == _BINARY):
        return
    raise _not_a_cloudevent(f"datacontenttype is not {_BINARY}")


def _checked(attributes: Mapping[str, Json]) -> tuple[str, str, str, datetime | None, str | None]:
    """Id, source, type, time and subject."""
    get = attributes.get
    if get("specversion") != "1.0":
        raise _not_a_cloudevent("specversion is missing or is not 1.0")
    return (
        _required("id", get("id")),
        _required("source", get("source")),
        _required("type", get("type")),
        _moment(get("time")),
        _subject(get("subject")),
    )


def _required(name: str, text: Json) -> str:
    if not isinstance(text, str) or not text:
        raise _not_a_cloudevent(f"attribute {name} is missing or empty or not a string")
    if len(text) > MAX_ATTRIBUTE_CHARS:
        raise _not_a_cloudevent(f"attribute {name} is longer than {MAX_ATTRIBUTE_CHARS} characters")
    if not text.isprintable() and _CONTROL_CHARACTER.search(text):
        raise _not_a_cloudevent(f"attribute {name} holds a control character")
    return text


def _moment(text: Json) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper()) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _not_a_cloudevent("attribute time is not a timestamp with an offset")
    return moment


def _subject(text: Json) -> str | None:
    if text is None or isinstance(text, str):
        return text
    raise _not_a_cloudevent("attribute subject is not a string")


def _attributes(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    name: str | None = None
    try:
        for header, raw in headers:
            name = _ATTRIBUTE_BY_HEADER.get(header) or _ATTRIBUTE_BY_HEADER.get(header.lower())
            if name is None or raw is None:
                continue
            if name in found:
                raise _not_a_cloudevent(f"the header of {name} is there twice")
            found[name] = raw.decode()
    except UnicodeDecodeError:
        raise _not_a_cloudevent(f"the header of {name} is not UTF-8") from None
    return found


def _media_type(content_type: str) -> str:
    """Without parameters such as charset: JSON is UTF-8 whatever they say."""
    if content_type == _BINARY:
        return content_type
    return content_type.partition(";")[0].strip().lower()


def _parsed(value: bytes) -> Json:
    try:
        parsed: Json = jiter.from_json(value, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise NotAcceptedError(DeadLetterReason.INVALID_JSON, _json_detail(str(error))) from None
    return parsed


def _json_detail(message: str) -> str:
    """The parser's message, but where it quotes: it names a duplicate key, and a key may be a value to us."""
    if '"' not in message:
        return message
    position = _JSON_POSITION.search(message)
    return f"an object has the same key twice {position.group() if position else ''}".rstrip()


def _json_bytes(value: Json) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        # JSON allows 1e400; it is read as infinity, which JSON can't write.
        raise NotAcceptedError(DeadLetterReason.INVALID_JSON, "a number is out of range") from None
    return text.encode()


def _written_attributes(event: CloudEvent) -> dict[str, str]:
    optional = {"time": _rfc3339(event.time) if event.time else None, "subject": event.subject}
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        **{name: text for name, text in optional.items() if text is not None},
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _not_a_cloudevent(detail: str) -> NotAcceptedError:
    return NotAcceptedError(DeadLetterReason.NOT_A_CLOUDEVENT, detail)
