"""The sample's events, from `events/*.json` to the Kafka records that upstream services would publish."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from schemas.cloudevent import CloudEvent, encode_binary, encode_structured

SOURCE = "/expenses"
PUBLISHED = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)


class Record(NamedTuple):
    """What goes to Kafka."""

    topic: Literal["approvals", "toggles"]
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class EventAttributes(BaseModel):
    """The CloudEvent's own attributes; what is the same for all is added."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    type: str
    mode: Literal["binary", "structured"] = "binary"


class SampleRecord(BaseModel):
    """One entry of a file. `what` is for people. `event` None: a record without headers.

    `text` replaces `data` by what is no JSON; `padded_to` blows the value up to so many bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    topic: Literal["approvals", "toggles"]
    key: str
    event: EventAttributes | None
    data: JsonValue = None
    text: str | None = None
    padded_to: int = 0

    def to_record(self) -> Record:
        headers, value = self._encoded()
        return Record(self.topic, self.key.encode(), value, headers)

    def _encoded(self) -> tuple[list[tuple[str, bytes]], bytes]:
        if self.event is None:
            return [], self._value()
        event = CloudEvent(self.event.id, SOURCE, self.event.type, PUBLISHED, None, self._value())
        return encode_structured(event) if self.event.mode == "structured" else encode_binary(event)

    def _value(self) -> bytes:
        if self.text is not None:
            return self.text.encode()
        plain = _json(self.data)
        if len(plain) >= self.padded_to or not isinstance(self.data, dict):
            return plain
        room = self.padded_to - len(_json({**self.data, "padding": ""}))
        return _json({**self.data, "padding": "x" * room})


_FILE = TypeAdapter(list[SampleRecord])


Events = Mapping[str, Sequence[SampleRecord]]
"""Files by their name without `.json`."""


def read_events(folder: Path) -> Events:
    """Raises `pydantic.ValidationError` for a file of another shape."""
    return {file.stem: _FILE.validate_json(file.read_bytes()) for file in sorted(folder.glob("*.json"))}


def _json(data: JsonValue) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
