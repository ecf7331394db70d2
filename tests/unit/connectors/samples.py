"""Postings, approvals and mappings that the tests vary."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connectors.account_mapping import AccountMapping
from connectors.contract import Posting, PostingLine
from connectors.mapping import validate_mapping
from connectors.reference import reference_of
from schemas.approval import ReimbursementApproved

MAPPING: Mapping[str, object] = {
    "expense_types": {"travel": {"account": "7140", "tax_code": "0"}, "meals": {"account": "7150"}},
    "default_expense_type": None,
    "claimants": {"from": "number"},
    "counter_account": "2930",
    "dimensions": {"department": "AVD"},
    "posting_date": "approved_at",
}

APPROVAL: Mapping[str, object] = {
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
        {"line_id": "2", "expense_type": "meals", "expense_date": "2026-11-04", "amount": "250.00"},
    ],
}


def mapping(**changes: object) -> AccountMapping:
    return validate_mapping({**MAPPING, **changes})


def approval(**changes: object) -> ReimbursementApproved:
    return ReimbursementApproved.model_validate({**APPROVAL, **changes})


def posting(reimbursement_id: str = "R-2026-000417", **changes: Any) -> Posting:
    made = Posting(
        reference=reference_of("hlf", reimbursement_id),
        claimant="10023",
        currency="NOK",
        total=Decimal("1250.50"),
        document_date=date(2026, 11, 4),
        posting_date=date(2026, 11, 20),
        text="Peer meeting, Lillehammer",
        counter_account="2930",
        lines=(
            PostingLine("7140", Decimal("1000.50"), "Train", "0", {"AVD": "10"}),
            PostingLine("7150", Decimal("250.00"), "meals"),
        ),
    )
    return replace(made, **changes)


NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
