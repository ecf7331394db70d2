"""The sandbox's lengths are those of Microsoft's own OpenAPI file, which lies beside this repository or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from deploy.local.sandboxes.business_central.bodies import AttachmentBody, DimensionSetLineBody, InvoiceBody, LineBody

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "business-central-openapi-v1.0.json"

CASES = [
    ("purchaseInvoice", InvoiceBody, {"vendorInvoiceNumber": 35, "vendorNumber": 20}),
    ("purchaseInvoiceLine", LineBody, {"description": 100}),
    ("dimensionLine", DimensionSetLineBody, {"code": 20}),
    ("attachments", AttachmentBody, {"fileName": 250}),
]


def stated(schema: str) -> dict[str, Any]:
    """Of v1.0, the only one there is a file of. Its `taxCode` takes 50 where page 30047 of v2.0 cuts at 20."""
    if not CONTRACT.exists():
        pytest.skip("Microsoft's OpenAPI file is not beside this repository")
    properties: dict[str, Any] = json.loads(CONTRACT.read_bytes())["components"]["schemas"][schema]["properties"]
    return {name: rule["maxLength"] for name, rule in properties.items() if "maxLength" in rule and name != "taxCode"}


def longest(rule: dict[str, Any]) -> int | None:
    """What may be left out is one of several forms."""
    lengths = [form["maxLength"] for form in (rule, *rule.get("anyOf", ())) if "maxLength" in form]
    return lengths[0] if lengths else None


@pytest.mark.parametrize(("schema", "body", "known"), CASES, ids=[case[0] for case in CASES])
def test_lengths_are_those_of_microsofts_openapi(schema: str, body: type[BaseModel], known: dict[str, int]) -> None:
    properties = body.model_json_schema(by_alias=True)["properties"]
    ours = {name: length for name, rule in properties.items() if (length := longest(rule)) is not None}
    assert known.items() <= ours.items()
    theirs = stated(schema)
    assert {name: length for name, length in ours.items() if name in theirs} == known
    assert {name: theirs[name] for name in known} == known
