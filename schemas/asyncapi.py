"""The AsyncAPI 3.0 description of the four topics, by the names they have unless settings change them."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.approval import ReimbursementApproved
from schemas.cloudevent import Json
from schemas.dead_letter import DeadLetterReason
from schemas.outcome import EventType
from schemas.toggle import ConnectorToggled

_STRING: Final[dict[str, Json]] = {"type": "string"}
_KEY: Final[dict[str, Json]] = {"type": "string", "description": "organization_id"}


def asyncapi(examples: Mapping[str, Json]) -> dict[str, Json]:
    """The document; `examples` maps each event type to an example of its data."""
    outcomes = [event_type.value for event_type in EventType]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Accounting sync worker", "version": "1.0.0", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "approvals": _channel("reimbursement-approved", [ReimbursementApproved.TYPE]),
            "toggles": _channel("connector-toggled", [ConnectorToggled.TYPE]),
            "outcomes": _channel("accounting-sync-outcome", outcomes),
            "deadLetters": _channel("accounting-sync-dead-letter", ["dead_letter"]),
        },
        "operations": {
            "takeApprovals": _operation("receive", "approvals"),
            "takeToggles": _operation("receive", "toggles"),
            "tellOutcomes": _operation("send", "outcomes"),
            "tellDeadLetters": _operation("send", "deadLetters"),
        },
        "components": {
            "messages": {
                **{event_type: _event(event_type, data) for event_type, data in examples.items()},
                "dead_letter": _dead_letter(),
            },
            "messageTraits": {"cloudevent": {"headers": _cloudevent_headers()}},
        },
    }


_DESCRIPTION: Final = (
    "Delivers approved reimbursements to an organisation's accounting system, exactly once. Events in are "
    "CloudEvents 1.0 in binary mode, as described here, or in structured mode "
    "(content-type application/cloudevents+json). Publishing one twice is harmless. "
    "Events out come at least once, in order per item."
)


def _channel(address: str, messages: Iterable[str]) -> dict[str, Json]:
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(action: str, channel: str) -> dict[str, Json]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _event(event_type: str, data: Json) -> dict[str, Json]:
    return {
        "name": event_type,
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "bindings": {"kafka": {"key": _KEY}},
        "payload": {"$ref": f"./{event_type}.schema.json"},
        "examples": [{"payload": data}],
    }


def _cloudevent_headers() -> dict[str, Json]:
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": _STRING,
            "ce_source": _STRING,
            "ce_type": _STRING,
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": _STRING,
            "content-type": {"type": "string", "description": "application/json, parameters allowed"},
        },
    }


def _dead_letter() -> dict[str, Json]:
    return {
        "name": "dead_letter",
        "summary": "A record that can't be accepted: its own key, value and headers, and why.",
        "payload": {
            "description": "The original value, byte for byte; it may be anything. Null where there was none, and "
            "where it is larger than this topic takes: then the header dl_value_omitted is there."
        },
        "headers": {
            "type": "object",
            "required": ["dl_reason", "dl_detail", "dl_topic", "dl_partition", "dl_offset"],
            "properties": {
                "dl_reason": {"enum": [reason.value for reason in DeadLetterReason]},
                "dl_detail": {"type": "string", "description": "Names fields and rules, never values."},
                "dl_topic": _STRING,
                "dl_partition": {"type": "string", "description": "Decimal digits."},
                "dl_offset": {"type": "string", "description": "Decimal digits."},
                "dl_value_omitted": {
                    "const": "true",
                    "description": "Only where the value was too large for this topic and was left out; it stands at "
                    "dl_offset of dl_topic, and in the worker's own store.",
                },
            },
        },
    }
