"""One example of each event: published with the schemas, and shown by the local stack."""

from typing import Final

from schemas.approval import ReimbursementApproved
from schemas.cloudevent import Json
from schemas.outcome import EventType
from schemas.toggle import ConnectorToggled

_SYNCED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "reimbursement_id": "R-2026-000417",
    "connector": "xledger",
    "attempt": 1,
    "document": {"number": "20417", "url": "https://www.xledger.net/"},
}
_REJECTED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "reimbursement_id": "R-2026-000418",
    "connector": "xledger",
    "attempt": 1,
    "code": "account_unknown",
    "message": "The account 7140 does not exist in Xledger.",
}
_OUTCOME_UNKNOWN: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "reimbursement_id": "R-2026-000419",
    "connector": "xledger",
    "attempt": 1,
    "since": "2026-11-20T10:00:35Z",
}
_CONNECTOR_CHANGED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "connector": "xledger",
    "enabled": True,
    "phase": "on",
    "actor": {"id": "user-9", "role": "organization_admin"},
    "reason": "Onboarding done",
    "changed_at": "2026-11-20T10:00:00Z",
}
_RUN_FINISHED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "run_id": "4f7c2c0e-6a2c-4a7e-9a35-0d2f6f1f2b11",
    "kind": "connector_enabled",
    "connector": "xledger",
    "started_at": "2026-11-20T10:00:00Z",
    "finished_at": "2026-11-20T10:01:12Z",
    "result": "finished",
    "counts": {"synced": 41, "rejected": 1, "unknown": 1, "remaining": 0},
}
_APPROVED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "reimbursement_id": "R-2026-000417",
    "approved_at": "2026-11-20T09:12:44Z",
    "approved_by": "user-17",
    "claimant": {"id": "peer-4711", "number": "10023"},
    "currency": "NOK",
    "total": "1250.50",
    "description": "Peer meeting, Lillehammer",
    "lines": [
        {
            "line_id": "1",
            "expense_type": "travel",
            "expense_date": "2026-11-03",
            "amount": "1000.50",
            "description": "Train",
            "dimensions": {"department": "10"},
        },
        {
            "line_id": "2",
            "expense_type": "meals",
            "expense_date": "2026-11-03",
            "amount": "250.00",
            "description": "Lunch",
        },
    ],
}
_TOGGLED: Final[dict[str, Json]] = {
    "organization_id": "hlf",
    "connector": "xledger",
    "enabled": True,
    "reason": "Onboarding done",
    "occurred_at": "2026-11-20T10:00:00Z",
    "revision": 12,
    "actor": {"id": "user-9", "role": "organization_admin", "organization_id": "hlf"},
}

EXAMPLE_BY_TYPE: Final[dict[str, dict[str, Json]]] = {
    ReimbursementApproved.TYPE: _APPROVED,
    ConnectorToggled.TYPE: _TOGGLED,
    EventType.REIMBURSEMENT_SYNCED: _SYNCED,
    EventType.REIMBURSEMENT_REJECTED: _REJECTED,
    EventType.REIMBURSEMENT_OUTCOME_UNKNOWN: _OUTCOME_UNKNOWN,
    EventType.CONNECTOR_CHANGED: _CONNECTOR_CHANGED,
    EventType.SYNC_RUN_FINISHED: _RUN_FINISHED,
}
"""Event type → data of the event."""
