"""What all peers of the dispatch benchmark post: bodies as the worker's connector makes them, organisations in turn."""

import json
from collections.abc import Iterator

ORGANIZATIONS = 64
IN_FLIGHT = 32
HEADERS = {"Authorization": "Bearer benchmark", "Content-Type": "application/json"}


def items(number: int) -> Iterator[tuple[str, bytes]]:
    """(organisation, body)."""
    for place in range(number):
        organization = f"org-{place % ORGANIZATIONS:03}"
        yield organization, _body(organization, place)


def _body(organization: str, place: int) -> bytes:
    content = {
        "reference": f"R{organization}-{place:024}",
        "vendor": "10023",
        "currency": "NOK",
        "total": "250.00",
        "document_date": "2026-11-03",
        "posting_date": "2026-11-20",
        "text": "Peer meeting",
        "counter_account": "2930",
        "lines": [{"account": "7140", "amount": "250.00", "text": "travel", "tax_code": "0"}],
    }
    return json.dumps(content).encode()
