"""Payloads and outcomes of Business Central, without a network."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from connectors import business_central
from connectors.business_central.answers import refused_read, refused_write
from connectors.business_central.documents import (
    fits_a_json_number,
    invoice_in,
    invoice_payload,
    invoices_in,
    reference_filter,
)
from connectors.contract import (
    ConfigurationError,
    Environment,
    NotSent,
    Rejected,
    Unavailable,
    Unknown,
)
from connectors.http import Answer
from tests.unit.connectors.samples import posting
from tests.unit.connectors.test_factories import BUSINESS_CENTRAL

DAY = date(2026, 11, 20)
INVOICE = {
    "@odata.etag": 'W/"1"',
    "id": "b1d2",
    "number": "107001",
    "status": "Draft",
    "vendorInvoiceNumber": "R-1",
    "vendorNumber": "10023",
    "totalAmountIncludingTax": Decimal("1250.50"),
    "currencyCode": "NOK",
}


def error(status: int, code: str = "Application_DialogException", message: str = "No.") -> Answer:
    body = json.dumps({"error": {"code": code, "message": f"{message}  CorrelationId:  0a-1."}})
    return Answer(status, {}, body.encode())


def test_a_payload_says_what_the_posting_says() -> None:
    payload = invoice_payload(posting(), "NOK")
    assert payload["currencyCode"] == ""
    assert (payload["invoiceDate"], payload["postingDate"]) == ("2026-11-04", "2026-11-20")
    assert payload["dueDate"] == "2026-11-20"
    lines = payload["purchaseInvoiceLines"]
    assert isinstance(lines, list)
    assert lines[0] == {
        "lineType": "Account",
        "lineObjectNumber": "7140",
        "description": "Train",
        "quantity": 1,
        "unitCost": 1000.5,
        "taxCode": "0",
        "dimensionSetLines": [{"code": "AVD", "valueCode": "10"}],
    }


def test_a_foreign_currency_is_named() -> None:
    assert invoice_payload(posting(currency="EUR"), "NOK")["currencyCode"] == "EUR"


def test_amounts_are_said_to_include_tax() -> None:
    assert invoice_payload(posting(), "NOK")["pricesIncludeTax"] is True


@pytest.mark.parametrize(
    ("amount", "fits"), [("0.01", True), ("9999999999999.99", True), ("9999999999999.9999", False)]
)
def test_only_amounts_that_survive_a_double_are_sent(amount: str, fits: bool) -> None:
    assert fits_a_json_number(Decimal(amount)) is fits


def test_quotes_in_a_filter_are_doubled() -> None:
    assert reference_filter(["a'b", "c"]) == "vendorInvoiceNumber eq 'a''b' or vendorInvoiceNumber eq 'c'"


@pytest.mark.parametrize("missing", ["id", "number", "status", "totalAmountIncludingTax"])
def test_an_invoice_that_lacks_a_part_is_not_readable(missing: str) -> None:
    assert invoice_in({name: value for name, value in INVOICE.items() if name != missing}) is None
    assert invoices_in({"value": [INVOICE, {}]}) is None


@pytest.mark.parametrize("status", ["Draft", "In Review", "In_x0020_Review"])
def test_a_draft_is_no_document(status: str) -> None:
    invoice = invoice_in({**INVOICE, "status": status})
    assert invoice is not None
    assert not invoice.is_posted


@pytest.mark.parametrize("status", ["Open", "Paid", "Canceled", "Corrective"])
def test_everything_after_posting_is_a_document(status: str) -> None:
    invoice = invoice_in({**INVOICE, "status": status})
    assert invoice is not None
    assert invoice.is_posted


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(400), Rejected),
        (error(429), NotSent),
        (error(503), NotSent),
        (error(401), Unavailable),
        (error(403), Unavailable),
        (error(404, "Internal_CompanyNotFound"), Unavailable),
        (error(404, "Internal_TenantUnavailable"), Unavailable),
        (error(404, "BadRequest_ResourceNotFound"), Unavailable),
        (error(404, "BadRequest_NotFound"), Unavailable),
        (Answer(404, {}, b"<html>"), Unavailable),
        (error(404, "Internal_RecordNotFound"), Rejected),
        (error(404, "Internal_DataNotFoundFilter"), Rejected),
        (error(500), Unknown),
        (error(502), Unknown),
        (error(504), Unknown),
        (error(409, "Internal_EntityWithSameKeyExists"), Rejected),
        (error(409, "Request_EntityChanged"), Unknown),
        (Answer(400, {}, b"<html>"), Unknown),
        (Answer(302, {}, b""), Unknown),
    ],
)
def test_a_refused_write_has_the_outcome_of_the_table(answer: Answer, kind: type) -> None:
    assert isinstance(refused_write(answer, posting()), kind)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(500), NotSent),
        (error(429), NotSent),
        (error(403), Unavailable),
        (error(404, "Internal_CompanyNotFound"), Unavailable),
        (error(404, "Internal_RecordNotFound"), NotSent),
    ],
)
def test_a_refused_read_is_never_unknown(answer: Answer, kind: type) -> None:
    assert isinstance(refused_read(answer), kind)


def test_a_rejection_tells_the_erps_reason_without_free_text_or_correlation_id() -> None:
    outcome = refused_write(error(400, message="Peer meeting, Lillehammer is too long."), posting())
    assert outcome == Rejected("Application_DialogException", "… is too long.")


@pytest.mark.parametrize("guid", ["", "production", "7b1d2c6e-3f0a-4c55-9a51", "../../other"])
@pytest.mark.parametrize("name", ["tenant_id", "company_id"])
def test_only_guids_enter_a_path(name: str, guid: str) -> None:
    settings: Mapping[str, object] = {**BUSINESS_CENTRAL, name: guid}
    with pytest.raises(ConfigurationError, match=f"^{name} must be a GUID.$"):
        business_central.factory.validate(settings, Environment())


@pytest.mark.parametrize("environment", ["a/b", "..", "a b", ""])
def test_an_environment_is_a_plain_name(environment: str) -> None:
    with pytest.raises(ConfigurationError):
        business_central.factory.validate({**BUSINESS_CENTRAL, "environment": environment}, Environment())
