"""Events as upstream services publish them, for tests."""

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

_IDS = count(1)


@dataclass(frozen=True)
class Message:
    """A Kafka record to produce."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def approval(reimbursement_id: str, organization_id: str = "hlf", amount: str = "250.00", **changes: Any) -> Message:
    """A `reimbursement.approved.v1` of one line of `travel`."""
    data: dict[str, Any] = {
        "organization_id": organization_id,
        "reimbursement_id": reimbursement_id,
        "approved_at": "2026-11-20T09:12:44Z",
        "approved_by": "user-17",
        "claimant": {"id": "peer-4711", "number": "10023"},
        "currency": "NOK",
        "total": amount,
        "description": "Peer meeting",
        "lines": [{"line_id": "1", "expense_type": "travel", "expense_date": "2026-11-03", "amount": amount}],
    }
    return event("reimbursement.approved.v1", organization_id, data | changes)


def toggle(
    enabled: bool,
    organization_id: str = "hlf",
    connector: str = "xledger",
    *,
    actor: dict[str, str] | None = None,
    event_id: str | None = None,
    **changes: Any,
) -> Message:
    """A `connector.toggled.v1` of the organisation's own administrator."""
    own = {"id": "user-9", "role": "organization_admin", "organization_id": organization_id}
    data: dict[str, Any] = {
        "organization_id": organization_id,
        "connector": connector,
        "enabled": enabled,
        "reason": "Onboarding done" if enabled else "Maintenance",
        "occurred_at": "2026-11-20T10:00:00Z",
        "actor": actor or own,
    }
    return event("connector.toggled.v1", organization_id, data | changes, event_id)


def event(event_type: str, key: str, data: dict[str, Any], event_id: str | None = None) -> Message:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id or f"event-{next(_IDS)}",
        "ce_source": "/expenses",
        "ce_type": event_type,
        "content-type": "application/json",
    }
    return Message(key.encode(), json.dumps(data).encode(), [(name, text.encode()) for name, text in headers.items()])
